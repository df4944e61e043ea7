-- The job queue of one service: a row is the job. No row level security: workers serve every organisation, and the
-- servicer filters by the caller's. Written by libs.jobs alone.
set local lock_timeout = '5s';

create table job (
    id text collate "C" primary key,
    queue text collate "C" not null,
    kind text collate "C" not null,
    org_id text collate "C" not null,           -- '' = the service itself (schedules)
    args jsonb not null default '{}',
    state text collate "C" not null
        check (state in ('scheduled', 'queued', 'running', 'completed', 'failed', 'cancelled')),
    lane smallint not null default 1 check (lane between 0 and 2),
    run_at timestamptz not null,
    attempt smallint not null default 0,
    max_attempts smallint not null check (max_attempts > 0),
    lease_token uuid,
    lease_until timestamptz,
    worker text,
    stalls smallint not null default 0,
    unique_key text,
    unique_until_start boolean not null default false,
    cancel_requested boolean not null default false,
    progress smallint not null default 0 check (progress between 0 and 100),
    result jsonb,
    error_code text,
    error_message text,
    traceparent text,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz
) with (
    -- Three versions of a row in a second or two: leave room, and vacuum often, or claims wade through the dead.
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 1
);

-- What claims walk: per queue and lane from organisation to organisation, inside one by time.
create index job_queued on job (queue, lane, org_id, run_at, id) where state = 'queued' and stalls < 2;
-- One stall from quarantine: a worker takes one of these at a time, so that the guilty is alone when it strikes again.
create index job_suspect on job (queue, run_at) where state = 'queued' and stalls >= 2;
-- Not due for a while: kept apart, so that claims never step over it.
create index job_scheduled on job (run_at) include (queue, org_id) where state = 'scheduled';
create index job_running on job (queue, org_id, lease_until) where state = 'running';
-- At most one live job per key. Whether it is held until the start or until the end is the row's own word.
create unique index job_unique on job (queue, org_id, unique_key)
    where unique_key is not null and state in ('scheduled', 'queued', 'running');
create index job_finished on job (queue, state, finished_at) include (org_id)
    where state in ('completed', 'failed', 'cancelled');
-- The lists of GET /api/jobs and of dead letters. Every index is paid for by every job: there is none besides these.
create index job_of_org on job (org_id, created_at, id);

-- How an attempt ended, when it was not the one that completed the job (that one is the job's own row).
create table job_attempt (
    job_id text collate "C" not null,
    number bigint generated always as identity,
    attempt smallint not null,
    worker text,
    started_at timestamptz,
    ended_at timestamptz not null default clock_timestamp(),
    outcome text not null check (outcome in ('failed', 'retried', 'stalled', 'released', 'snoozed', 'cancelled')),
    error_code text,
    error_message text,
    primary key (job_id, number)
);

-- The queues that workers serve, so that an empty one can be listed too.
create table job_queue (
    name text collate "C" primary key,
    declared_at timestamptz not null default now()
);

-- org_id '' pauses a queue for everybody, else for that organisation.
create table job_pause (
    queue text collate "C" not null,
    org_id text collate "C" not null default '',
    paused_at timestamptz not null default now(),
    primary key (queue, org_id)
);

-- Pacing (GCRA): the theoretical arrival time of the next start; org_id '' is the queue as a whole.
create table job_pace (
    queue text collate "C" not null,
    org_id text collate "C" not null,
    next_at timestamptz not null,
    primary key (queue, org_id)
);

create table job_schedule (
    name text collate "C" primary key,
    kind text not null,
    queue text not null,
    cron text not null,
    time_zone text not null,
    catch_up text not null check (catch_up in ('none', 'one', 'all')),
    args jsonb not null default '{}',
    lane smallint not null default 1,
    max_attempts smallint not null default 3,
    next_fire_at timestamptz not null,
    last_fire_at timestamptz
);

-- One firing per tick, however many instances look at the clock.
create table job_firing (
    schedule text collate "C" not null,
    fire_at timestamptz not null,
    job_id text collate "C" not null,
    primary key (schedule, fire_at)
);
