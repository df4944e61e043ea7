-- Changes that caches have to hear of, written in the transaction of the change. The relay's leader applies them to
-- Redis and deletes them, within a second: the table is nearly always empty.
set local lock_timeout = '5s';

create table cache_invalidation (
    id bigint generated always as identity primary key,
    event_id text collate "C" not null,         -- applied once by whoever comes first: the writer or the leader
    org_id text collate "C" not null,
    topic text collate "C" not null,            -- '*' replaces everything of the service
    key text collate "C" not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
