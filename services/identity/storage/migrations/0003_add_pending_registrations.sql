-- Registrations whose address is not verified yet. Their organization does not exist: org_id is made of the address.
set local lock_timeout = '5s';

create table pending_registration (
    org_id text collate "C" not null,
    id text collate "C" not null,
    email text not null,
    first_name text not null,
    last_name text not null,
    organization_name text not null,
    password_hash text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (org_id, id)
);

-- Not led by the address: a link names only the registration.
create unique index pending_registration_id on pending_registration (id);
create index pending_registration_by_end on pending_registration (expires_at);

select enable_tenant_rls('pending_registration');
