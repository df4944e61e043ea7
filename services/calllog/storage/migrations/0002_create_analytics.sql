-- Roll-ups that the analytics routes read: per hour and per day, organisation and agent.
set local lock_timeout = '5s';

create table analytics_rollup (
    org_id text collate "C" not null,
    period text not null check (period in ('hour', 'day')),
    bucket timestamptz not null,
    -- '' gathers the calls of agents we do not know.
    agent_id text collate "C" not null,
    calls bigint not null,
    successful_calls bigint not null,
    failed_calls bigint not null,
    measured_calls bigint not null,
    seconds double precision not null,
    rated_calls bigint not null,
    cost_micros bigint not null,
    cost_currency text not null,
    primary key (org_id, period, bucket, agent_id)
);

create table analytics_state (
    org_id text collate "C" primary key,
    synced_at timestamptz not null
);

select enable_tenant_rls('analytics_rollup');
select enable_tenant_rls('analytics_state');
