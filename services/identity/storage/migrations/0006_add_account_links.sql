-- Which subject of an OpenID provider signs in as an account.
set local lock_timeout = '5s';

create table account_link (
    org_id text collate "C" not null references account (org_id) on delete cascade,
    issuer text collate "C" not null,
    subject text collate "C" not null,
    created_at timestamptz not null
);

-- Not led by the account: a provider names only its subject.
create unique index account_link_subject on account_link (issuer, subject);
alter table account_link add primary key (org_id, issuer);

select enable_tenant_rls('account_link');
