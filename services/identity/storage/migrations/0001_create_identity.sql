-- Organisations, their people, and the two credentials that stand for them. Secrets are kept as hashes alone.
set local lock_timeout = '5s';

-- An organisation is its own tenant: its id is the org_id that row level security looks at.
create table organization (
    org_id text collate "C" primary key,
    name text not null,
    time_zone text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table app_user (
    org_id text collate "C" not null references organization (org_id),
    id text collate "C" not null,
    email text not null,
    email_key text collate "C" not null,
    first_name text not null,
    last_name text not null,
    role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
    password_hash text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- Not led by the organisation: who logs in names only an address.
create unique index app_user_email on app_user (email_key);
-- Last, because among indexes of equal cost the planner takes the youngest: without statistics it else reads a whole
-- organisation for each row that is asked for by its id.
alter table app_user add primary key (org_id, id);

create table session (
    org_id text collate "C" not null,
    id text collate "C" not null,
    user_id text collate "C" not null,
    token_hash bytea not null,
    ip_address text not null,
    user_agent text not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    foreign key (org_id, user_id) references app_user (org_id, id)
) with (fillfactor = 80);

create unique index session_token on session (token_hash);
create index session_newest on session (org_id, user_id, created_at desc, id desc) where revoked_at is null;
create index session_by_expiry on session (expires_at);
alter table session add primary key (org_id, id);

create table api_key (
    org_id text collate "C" not null,
    id text collate "C" not null,
    name text not null,
    prefix text collate "C" not null,
    key_hash bytea not null,
    previous_hash bytea,
    previous_until timestamptz,
    scopes text[] not null,
    created_by text collate "C" not null,
    version bigint not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    foreign key (org_id, created_by) references app_user (org_id, id)
) with (fillfactor = 80);

create unique index api_key_prefix on api_key (prefix);
create index api_key_newest on api_key (org_id, created_at desc, id desc);
create index api_key_by_name on api_key (org_id, name, id);
alter table api_key add primary key (org_id, id);

select enable_tenant_rls('organization');
select enable_tenant_rls('app_user');
select enable_tenant_rls('session');
select enable_tenant_rls('api_key');
