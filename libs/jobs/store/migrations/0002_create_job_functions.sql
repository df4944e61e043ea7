-- The two statements that run for every job: taking due jobs, and ending those that wrote nothing.
-- They are functions because of their plans. Planned anew for every call, as PostgreSQL would prefer, the planning costs
-- more than the claim; planned once while the table is small, a sequential scan would stay when it has grown.
-- A changed statement is a new function, so that older workers go on calling theirs.
set local lock_timeout = '5s';

-- libs/jobs/claims.py says what the arguments mean.
create function job_claim(
    of_queue text, lanes int2[], begin_at text[], shares int[], wanted int, token uuid, lease_seconds float8,
    by_worker text, limited_orgs text[], limited_to int[], others_to int, take_suspect boolean
) returns table (
    id text, kind text, org_id text, args jsonb, lane int2, attempt int2, max_attempts int2, stalls int2,
    created_at timestamptz, run_at timestamptz, started_at timestamptz, traceparent text
) language plpgsql volatile set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
begin
    -- A claim need not be on disk: lost in a crash, the job is queued again, and no effect can have outlived its claim,
    -- because the log is written in order.
    perform set_config('synchronous_commit', 'off', true);
    return query
    with suspect as materialized (
        select j.ctid from job j
        where take_suspect and j.queue = of_queue and j.state = 'queued' and j.stalls >= 2 and j.run_at <= now()
            and coalesce(limited_to[array_position(limited_orgs, j.org_id)], others_to) > 0
            and not exists (select 1 from job_pause p where p.queue = of_queue and p.org_id in ('', j.org_id))
        order by j.run_at limit 1 for update skip locked
    ), picked as materialized (
        select due.ctid
        from unnest(lanes, begin_at, shares) as l(lane, first, share)
        -- Once round: from the organisation that is next to the end, then from the start up to it.
        cross join lateral (values (l.first, '~'), ('', l.first)) as part(first, until)
        cross join lateral (
            with recursive org as (
                (select j.org_id from job j
                 where j.queue = of_queue and j.lane = l.lane and j.state = 'queued' and j.stalls < 2
                    and j.org_id >= part.first and j.org_id < part.until
                 order by j.org_id limit 1)
                union all
                select next.org_id from org cross join lateral (
                    select j.org_id from job j
                    where j.queue = of_queue and j.lane = l.lane and j.state = 'queued' and j.stalls < 2
                        and j.org_id > org.org_id and j.org_id < part.until
                    order by j.org_id limit 1) next
            )
            select one.ctid from org cross join lateral (
                select j.ctid from job j
                where j.queue = of_queue and j.lane = l.lane and j.state = 'queued' and j.stalls < 2
                    and j.org_id = org.org_id and j.run_at <= now()
                order by j.run_at, j.id
                limit least(l.share, case
                    when org.org_id = any(array(select p.org_id from job_pause p where p.queue = of_queue)) then 0
                    else coalesce(limited_to[array_position(limited_orgs, org.org_id)], others_to) end)
                for update skip locked) one
        ) due
        where not exists (select 1 from job_pause p where p.queue = of_queue and p.org_id = '')
        limit wanted - (select count(*) from suspect)
    )
    update job j set
        state = 'running', attempt = j.attempt + 1, lease_token = token, worker = by_worker, progress = 0,
        started_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => lease_seconds),
        unique_key = case when j.unique_until_start then null else j.unique_key end
    -- By place, not by key: the rows are locked, so they stay where they are, and no index is asked again.
    where j.ctid = any(array(select picked.ctid from picked union all select suspect.ctid from suspect))
    returning j.id, j.kind, j.org_id, j.args, j.lane, j.attempt, j.max_attempts, j.stalls, j.created_at, j.run_at,
        j.started_at, j.traceparent;
end
$$;

-- The ids of those that were still the caller's.
create function job_complete(ids text[], tokens uuid[], results text[]) returns setof text
    language plpgsql volatile set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
    return query
    update job j set
        state = 'completed', progress = 100, finished_at = clock_timestamp(), lease_token = null, lease_until = null,
        error_code = null, error_message = null, result = v.result::jsonb
    from unnest(ids, tokens, results) as v(id, token, result)
    where j.id = v.id and j.lease_token = v.token and j.state = 'running'
    returning j.id;
end
$$;
