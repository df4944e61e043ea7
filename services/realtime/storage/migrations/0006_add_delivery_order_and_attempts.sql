-- Deliveries of one endpoint go one after the other, in the order of the log; each attempt is recorded.
set lock_timeout = '5s';

-- turn_job delivers to the endpoint until turn_until; after failures nothing is sent before hold_until.
alter table webhook_endpoint
    add column turn_job text collate "C" not null default '',
    add column turn_until timestamptz,
    add column hold_until timestamptz,
    add column failed_attempts integer not null default 0,
    add column alerted_at timestamptz;

-- position is the event's place in the organization's log, 0 for a test; tries counts the attempts of this round.
alter table webhook_delivery
    add column position bigint not null default 0,
    add column tries integer not null default 0,
    add column replay_job text collate "C" not null default '';
create index webhook_delivery_waiting on webhook_delivery (org_id, endpoint_id, position, id) where status = 'pending';
create index webhook_delivery_event on webhook_delivery (org_id, endpoint_id, event_id);

create table webhook_attempt (
    org_id text collate "C" not null,
    delivery_id text collate "C" not null,
    number integer not null,
    started_at timestamptz not null,
    duration_ms integer not null,
    status_code integer,
    error text not null,
    request_headers jsonb not null,
    response_headers jsonb not null,
    response_body text not null,
    primary key (org_id, delivery_id, number),
    foreign key (org_id, delivery_id) references webhook_delivery (org_id, id) on delete cascade
);
select enable_tenant_rls('webhook_attempt');
