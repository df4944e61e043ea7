-- Dead letters get an id of their own and the reason of their failure, so that people can list and choose them.
set local lock_timeout = '5s';

-- A UUIDv7 (RFC 9562, 5.7) in 32 hexadecimal digits, its microseconds in rand_a (6.2, method 3): ids sort by death.
-- The database makes it, because workers of the release before this one bury too.
create function dead_event_id(died_at timestamptz) returns text
    language sql volatile as $$
    select lpad(to_hex(t.micros / 1000), 12, '0') || '7' || lpad(to_hex(t.micros % 1000 * 4096 / 1000), 3, '0')
        || substr(replace(gen_random_uuid()::text, '-', ''), 17)
    from (select floor(extract(epoch from died_at) * 1000000)::bigint as micros) t
$$;

alter table inbox_dead add column id text collate "C", add column error_code text not null default 'unexpected_error';
update inbox_dead set id = dead_event_id(died_at);
alter table inbox_dead alter column id set not null, alter column id set default dead_event_id(clock_timestamp());
create unique index inbox_dead_by_id on inbox_dead (id);
create index inbox_dead_of_org on inbox_dead (org_id, id);
