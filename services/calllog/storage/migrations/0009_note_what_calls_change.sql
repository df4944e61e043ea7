-- Notes of what each change of a call adds to the roll-ups, or takes away. The change's transaction writes them, so none is
-- missing and none is there twice; a worker adds them up and deletes them.
set local lock_timeout = '5s';

create table analytics_change (
    id bigint generated always as identity primary key,
    org_id text collate "C" not null,
    hour timestamptz not null,
    agent_id text collate "C" not null,
    calls bigint not null,
    successful_calls bigint not null,
    failed_calls bigint not null,
    measured_calls bigint not null,
    seconds double precision not null,
    rated_calls bigint not null,
    cost_micros bigint not null,
    cost_currency text not null
);
select enable_tenant_rls('analytics_change');

-- Counts as the recomputation of an hour does.
create function note_added_calls() returns trigger language plpgsql as $$
begin
    insert into analytics_change (org_id, hour, agent_id, calls, successful_calls, failed_calls, measured_calls,
        seconds, rated_calls, cost_micros, cost_currency)
    select c.org_id, date_bin('1 hour', coalesce(c.started_at, c.created_at), timestamptz '2000-01-01Z'),
        coalesce(c.agent_id, ''), count(*), count(*) filter (where c.successful),
        count(*) filter (where c.successful is false or c.status in ('failed', 'no_answer', 'busy')),
        count(c.duration_seconds), coalesce(sum(c.duration_seconds), 0), count(c.cost_micros),
        coalesce(sum(c.cost_micros), 0), coalesce(max(c.cost_currency), '')
    from added c group by 1, 2, 3;
    return null;
end
$$;

-- What was, counted negative, and what is. A change of nothing that is counted leaves no note.
create function note_changed_calls() returns trigger language plpgsql as $$
begin
    insert into analytics_change (org_id, hour, agent_id, calls, successful_calls, failed_calls, measured_calls,
        seconds, rated_calls, cost_micros, cost_currency)
    select v.org_id, v.hour, v.agent_id, sum(v.sign), sum(v.sign * v.successful), sum(v.sign * v.failed),
        sum(v.sign * v.measured), sum(v.sign * v.seconds), sum(v.sign * v.rated), sum(v.sign * v.cost), max(v.currency)
    from (
        select c.sign, c.org_id,
            date_bin('1 hour', coalesce(c.started_at, c.created_at), timestamptz '2000-01-01Z') as hour,
            coalesce(c.agent_id, '') as agent_id, (c.successful is true)::int as successful,
            (c.successful is false or c.status in ('failed', 'no_answer', 'busy'))::int as failed,
            (c.duration_seconds is not null)::int as measured, coalesce(c.duration_seconds, 0) as seconds,
            (c.cost_micros is not null)::int as rated, coalesce(c.cost_micros, 0) as cost,
            coalesce(c.cost_currency, '') as currency
        from (
            select -1 as sign, r.org_id, r.started_at, r.created_at, r.agent_id, r.successful, r.status,
                r.duration_seconds, r.cost_micros, r.cost_currency from removed r
            union all
            select 1, a.org_id, a.started_at, a.created_at, a.agent_id, a.successful, a.status,
                a.duration_seconds, a.cost_micros, a.cost_currency from added a
        ) c
    ) v
    group by 1, 2, 3
    having sum(v.sign) <> 0 or sum(v.sign * v.successful) <> 0 or sum(v.sign * v.failed) <> 0
        or sum(v.sign * v.measured) <> 0 or sum(v.sign * v.seconds) <> 0 or sum(v.sign * v.rated) <> 0
        or sum(v.sign * v.cost) <> 0;
    return null;
end
$$;

create trigger call_added after insert on call referencing new table as added
    for each statement execute function note_added_calls();
create trigger call_changed after update on call referencing old table as removed new table as added
    for each statement execute function note_changed_calls();

-- A block range index, because it alone lets an update of updated_at leave the other indexes alone (HOT); the fill factor
-- keeps room for the new version of a row on its page.
drop index call_changed;
create index call_changed on call using brin (updated_at) with (pages_per_range = 16, autosummarize = on);
alter table call set (fillfactor = 80);
