-- Accounts at providers. The bytea columns are sealed by libs.crypto.Envelope; no secret is readable here.
set local lock_timeout = '5s';

create table integration (
    org_id text collate "C" not null,
    id text collate "C" not null,
    provider text not null,
    status text not null check (status in ('connected', 'failing', 'disabled')),
    api_key bytea not null,
    api_key_last4 text not null,
    api_key_fingerprint text not null,
    webhook_secret bytea,
    previous_webhook_secret bytea,
    previous_until timestamptz,
    base_url text not null,
    webhook_token text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_sync_at timestamptz,
    last_sync_error text not null,
    sync_cursor text not null default '',
    sync_lease_token text not null default '',
    sync_lease_until timestamptz,
    primary key (org_id, id),
    unique (org_id, provider)
);

-- A webhook names no organisation: its token finds the row through the system role.
create unique index integration_webhook_token on integration (webhook_token);
create index integration_newest on integration (org_id, created_at desc, id desc);

select enable_tenant_rls('integration');
