-- Calls that a party tells while they run, and the commands that it is sent.
set local lock_timeout = '5s';

-- One row while somebody tells of the call; without a sign of life until lost_at the call counts as lost.
create table live_call (
    org_id text collate "C" not null,
    call_id text collate "C" not null,
    lost_at timestamptz not null,
    primary key (org_id, call_id),
    foreign key (org_id, call_id) references call (org_id, id) on delete cascade
);

create table call_command (
    org_id text collate "C" not null,
    id text collate "C" not null,
    call_id text collate "C" not null,
    agent_id text collate "C" not null,
    type text not null check (type in ('end_call', 'transfer', 'inject_context')),
    target text not null,
    context text not null,
    reason text not null,
    status text not null default 'pending' check (status in ('pending', 'acknowledged', 'failed', 'timed_out')),
    detail text not null default '',
    created_at timestamptz not null,
    expires_at timestamptz not null,
    settled_at timestamptz,
    primary key (org_id, id),
    foreign key (org_id, call_id) references call (org_id, id) on delete cascade
);
create index call_command_newest on call_command (org_id, call_id, created_at desc, id desc);
create index call_command_age on call_command (created_at);

select enable_tenant_rls('live_call');
select enable_tenant_rls('call_command');
