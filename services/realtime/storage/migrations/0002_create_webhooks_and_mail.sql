-- What leaves the suite because of an event: webhook endpoints with their deliveries, and the local mailbox.
set lock_timeout = '5s';

create table webhook_endpoint (
    org_id text collate "C" not null,
    id text collate "C" not null,
    url text not null,
    event_types text[] not null,
    description text not null,
    status text not null default 'enabled' check (status in ('enabled', 'disabled')),
    disabled_reason text not null default '',
    secret bytea not null,
    previous_secret bytea,
    previous_secret_until timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_success_at timestamptz,
    last_failure_at timestamptz,
    primary key (org_id, id)
);
create index webhook_endpoint_newest on webhook_endpoint (org_id, created_at desc, id desc);

create table webhook_delivery (
    org_id text collate "C" not null,
    id text collate "C" not null,
    endpoint_id text collate "C" not null,
    event_id text collate "C" not null,
    event_type text not null,
    body bytea not null,
    status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    last_status_code integer,
    last_error text not null default '',
    job_id text collate "C" not null default '',
    created_at timestamptz not null default now(),
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    primary key (org_id, id),
    foreign key (org_id, endpoint_id) references webhook_endpoint (org_id, id) on delete cascade
);
create index webhook_delivery_newest on webhook_delivery (org_id, endpoint_id, created_at desc, id desc);
create index webhook_delivery_status on webhook_delivery (org_id, endpoint_id, status, created_at desc, id desc);
create index webhook_delivery_age on webhook_delivery (created_at);

create table mail (
    org_id text collate "C" not null,
    id text collate "C" not null,
    recipients text[] not null,
    subject text not null,
    body text not null,
    created_at timestamptz not null default now(),
    primary key (org_id, id)
);
create index mail_newest on mail (org_id, created_at desc, id desc);

select enable_tenant_rls('webhook_endpoint');
select enable_tenant_rls('webhook_delivery');
select enable_tenant_rls('mail');
