-- Users who reach named agents alone instead of all of their organization's.
set local lock_timeout = '5s';

-- Checked by 0017: a check that comes with its column reads the whole table while no one else may.
alter table app_user add column agent_access text not null default 'all';
alter table app_user
    add constraint app_user_agent_access_check check (agent_access in ('all', 'granted')) not valid;

create table agent_grant (
    org_id text collate "C" not null,
    user_id text collate "C" not null,
    agent_id text collate "C" not null,
    writable boolean not null,
    granted_by text collate "C" not null,
    created_at timestamptz not null,
    foreign key (org_id, user_id) references app_user (org_id, id) on delete cascade,
    primary key (org_id, user_id, agent_id)
);

select enable_tenant_rls('agent_grant');
