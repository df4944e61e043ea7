-- Where a chunk stands in its document's text, what its passage was (equal passages share a vector), and how much
-- processor time indexing took of each organization.
set local lock_timeout = '5s';

alter table chunk add column start_offset integer not null default 0;
alter table chunk add column end_offset integer not null default 0;

create table computing (
    org_id text collate "C" not null,
    hour timestamptz not null,
    cpu_ms bigint not null,
    primary key (org_id, hour)
);
create index computing_by_hour on computing (hour);
select enable_tenant_rls('computing');
