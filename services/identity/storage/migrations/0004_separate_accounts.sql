-- Accounts apart from users: an address and its password are one account, which is a user of each organization that it
-- belongs to. An account is its own tenant, as an organization is: its id is the org_id that row level security looks at.
set local lock_timeout = '5s';

create table account (
    org_id text collate "C" primary key,
    email text not null,
    email_key text collate "C" not null,
    password_hash text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- Not led by the tenant: who logs in names only an address.
create unique index account_email on account (email_key);

-- Forced row security would hide the rows from the owner of the tables, who runs migrations.
alter table app_user no force row level security;
insert into account (org_id, email, email_key, password_hash, created_at, updated_at)
select 'acc_' || substr(u.id, 5), u.email, u.email_key, u.password_hash, u.created_at, u.updated_at from app_user u;

alter table app_user add column account_id text collate "C" references account (org_id);
alter table app_user add column last_login_at timestamptz;
update app_user u set account_id = 'acc_' || substr(u.id, 5);
alter table app_user alter column account_id set not null;
alter table app_user drop column password_hash;
alter table app_user force row level security;

drop index app_user_email;
create unique index app_user_address on app_user (org_id, email_key);
create index app_user_account on app_user (account_id);
create index app_user_newest on app_user (org_id, created_at desc, id desc);
create index app_user_by_email on app_user (org_id, email, id);

-- A key outlives the user who made it: revoked, for as long as ended keys are kept.
alter table api_key drop constraint api_key_org_id_created_by_fkey;
create index api_key_of_user on api_key (org_id, created_by) where revoked_at is null;

create table invitation (
    org_id text collate "C" not null references organization (org_id),
    id text collate "C" not null,
    email text not null,
    email_key text collate "C" not null,
    role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
    invited_by text collate "C" not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    accepted_at timestamptz,
    revoked_at timestamptz
);

-- Not led by the organization: a link names only the invitation.
create unique index invitation_id on invitation (id);
create unique index invitation_waiting on invitation (org_id, email_key) where accepted_at is null and revoked_at is null;
create index invitation_newest on invitation (org_id, created_at desc, id desc);
create index invitation_by_end on invitation (expires_at);
alter table invitation add primary key (org_id, id);

select enable_tenant_rls('account');
select enable_tenant_rls('invitation');
