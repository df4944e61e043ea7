-- The audit log. Rows are added and never changed: only forget_audit deletes them, which keeps the
-- last 90 days whatever it is told. Sealed each minute into a hash chain for each organization (domain/audit.py).
set local lock_timeout = '5s';

create table audit_log (
    org_id text collate "C" not null,
    number bigint not null,                     -- 1, 2, … within the organization, without a gap
    id text collate "C" not null,
    created_at timestamptz not null,
    action text collate "C" not null,
    target_id text collate "C" not null,
    user_id text collate "C" not null,
    session_id text collate "C" not null,
    api_key_id text collate "C" not null,
    role text collate "C" not null,
    service text collate "C" not null,
    ip_address text not null,
    request_id text not null,
    changes text not null,
    primary key (org_id, number)
);
create unique index audit_log_by_id on audit_log (org_id, id);
create index audit_log_newest on audit_log (org_id, created_at desc, id desc);
create index audit_log_by_age on audit_log (created_at);

create table audit_seal (
    org_id text collate "C" not null,
    number bigint not null,
    first_number bigint not null,
    last_number bigint not null,
    previous_hash text not null,
    hash text not null,
    created_at timestamptz not null,
    primary key (org_id, number)
);
create index audit_seal_newest on audit_seal (org_id, created_at desc, number desc);

-- Organizations with rows that no seal covers yet.
create table audit_unsealed (
    org_id text collate "C" primary key
);

-- Not forced: forget_audit runs as their owner, who cannot log in.
select enable_tenant_rls('audit_log', false);
select enable_tenant_rls('audit_seal', false);
select enable_tenant_rls('audit_unsealed');

do $$
declare
    app text := current_schema() || '_app';
    system text := current_schema() || '_system';
begin
    execute format('revoke insert, update, delete, truncate on audit_log, audit_seal from %I, %I', app, system);
    execute format('grant insert on audit_log, audit_seal to %I', system);
end
$$;

create function forget_audit(before timestamptz, most integer) returns bigint
    language plpgsql security definer set search_path from current as $$
declare
    gone bigint;
begin
    if before > clock_timestamp() - interval '90 days' then
        raise exception 'the audit log keeps 90 days at least';
    end if;
    -- Of each organization the oldest, and only what a seal covers, so that the rest is still a chain.
    delete from audit_log a where (a.org_id, a.number) in (
        select l.org_id, l.number from audit_log l
        where l.created_at < before
          and l.number <= (select max(s.last_number) from audit_seal s where s.org_id = l.org_id)
        order by l.created_at limit most);
    get diagnostics gone = row_count;
    delete from audit_seal s where s.created_at < before
        and not exists (select from audit_log l where l.org_id = s.org_id and l.number <= s.last_number)
        and s.number < (select max(n.number) from audit_seal n where n.org_id = s.org_id);
    return gone;
end
$$;
