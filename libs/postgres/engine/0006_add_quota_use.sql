-- What an organization added in a day, for quotas by the day. Sixteen rows a day and quota, chosen by the connection, so
-- that writers of one organization do not wait for each other.
set local lock_timeout = '5s';

create table quota_use (
    org_id text collate "C" not null,
    name text collate "C" not null,
    day date not null,
    shard integer not null,
    used bigint not null,
    primary key (org_id, name, day, shard)
) with (fillfactor = 50);
create index quota_use_by_age on quota_use (day);

select enable_tenant_rls('quota_use');
