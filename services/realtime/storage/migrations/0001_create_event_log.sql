-- The event log: each event once, and its place (position) in every channel that shows it.
set lock_timeout = '5s';

-- One row: the log's identity. A client's position is worth something only inside the same log.
create table log_epoch (
    only_row boolean primary key default true check (only_row),
    epoch text not null default substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)
);
insert into log_epoch default values;

create table event (
    org_id text collate "C" not null,
    id text collate "C" not null,
    type text not null,
    subject text not null,
    occurred_at timestamptz not null,
    envelope jsonb not null,
    created_at timestamptz not null default now(),
    primary key (org_id, id)
);
create index event_created_at on event (created_at);

create table channel (
    org_id text collate "C" not null,
    name text collate "C" not null,
    top bigint not null,
    primary key (org_id, name)
);

create table publication (
    org_id text collate "C" not null,
    channel text collate "C" not null,
    position bigint not null,
    event_id text collate "C" not null,
    primary key (org_id, channel, position)
);
create index publication_event on publication (org_id, event_id);

select enable_tenant_rls('event');
select enable_tenant_rls('channel');
select enable_tenant_rls('publication');
