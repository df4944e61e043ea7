-- What an account is trusted by beside its password: mailed links, a second factor, and tokens that sessions gave up.
set local lock_timeout = '5s';

alter table account add column totp_secret bytea;
alter table account add column totp_enabled_at timestamptz;
-- The time step of the last code that was taken, so that no code is taken twice.
alter table account add column totp_step bigint not null default 0;

create table account_token (
    org_id text collate "C" not null references account (org_id) on delete cascade,
    id text collate "C" not null,
    purpose text collate "C" not null,
    new_email text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

-- Not led by the account: a link names only the token.
create unique index account_token_id on account_token (id);
create index account_token_by_end on account_token (expires_at);
alter table account_token add primary key (org_id, id);

create table recovery_code (
    org_id text collate "C" not null references account (org_id) on delete cascade,
    code_hash bytea not null,
    primary key (org_id, code_hash)
);

create table former_session_token (
    org_id text collate "C" not null,
    token_hash bytea not null,
    session_id text collate "C" not null,
    retired_at timestamptz not null,
    foreign key (org_id, session_id) references session (org_id, id) on delete cascade
);

create unique index former_session_token_hash on former_session_token (token_hash);
alter table former_session_token add primary key (org_id, session_id, token_hash);

select enable_tenant_rls('account_token');
select enable_tenant_rls('recovery_code');
select enable_tenant_rls('former_session_token');
