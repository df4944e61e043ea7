-- Which queues have jobs that are queued. Every idle worker asks once a second, and planning it anew each time cost more
-- than the answer; 0002 says why it is a function. Each half has an index of its own.
set local lock_timeout = '5s';

create function job_waiting(queues text[]) returns setof text
    language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
    return query
    select q.name from unnest(queues) as q(name)
    where exists (select 1 from job j where j.queue = q.name and j.state = 'queued' and j.stalls < 2)
        or exists (select 1 from job j where j.queue = q.name and j.state = 'queued' and j.stalls >= 2);
end
$$;
