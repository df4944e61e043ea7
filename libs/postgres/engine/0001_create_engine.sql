-- What every service's schema has: the guard of tenant tables, and the tables that hold promises between services.
-- Engine tables have no row level security: the relay, the consumers and the sweeps serve every organisation.
set local lock_timeout = '5s';

-- Row level security for a table with an org_id. With force => false the owner's SECURITY DEFINER functions may read
-- it and must filter by current_setting('app.org', true) themselves (full-text and trigram searches).
create function enable_tenant_rls(target text, force boolean default true) returns void
    language plpgsql as $$
declare
    schema_name text := current_schema();
begin
    execute format('alter table %I.%I enable row level security', schema_name, target);
    execute format('alter table %I.%I %s row level security', schema_name, target,
                   case when force then 'force' else 'no force' end);
    execute format('drop policy if exists tenant on %I.%I', schema_name, target);
    execute format('drop policy if exists system on %I.%I', schema_name, target);
    -- After a transaction that set it, the setting is '' and not null: both must mean no rows.
    execute format(
        'create policy tenant on %I.%I to %I using (org_id = nullif(current_setting(''app.org'', true), ''''))'
        ' with check (org_id = nullif(current_setting(''app.org'', true), ''''))',
        schema_name, target, schema_name || '_app');
    execute format('create policy system on %I.%I to %I using (true) with check (true)',
                   schema_name, target, schema_name || '_system');
end
$$;
revoke execute on function enable_tenant_rls(text, boolean) from public;

-- Events in the order in which they were appended. The writer holds its aggregate's row lock, so that for one key the
-- order of id is the order of commits.
create table outbox (
    id bigint generated always as identity primary key,
    event_id text collate "C" not null,
    org_id text collate "C" not null,
    topic text collate "C" not null,
    key text collate "C" not null,
    payload json not null,                      -- the CloudEvents envelope, published as it stands
    headers jsonb not null default '{}',
    created_at timestamptz not null default clock_timestamp(),
    published_at timestamptz,
    stream_epoch timestamptz,                   -- when the stream that took it was created
    stream_seq bigint
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
create index outbox_unpublished on outbox (id) where published_at is null;
create index outbox_published on outbox (stream_epoch, stream_seq) where published_at is not null;

-- Events that a consumer has handled; the row is written in the transaction of the effect.
create table inbox (
    consumer text collate "C" not null,
    event_id text collate "C" not null,
    stream_seq bigint,
    handled_at timestamptz not null default clock_timestamp(),
    primary key (consumer, event_id)
);
create index inbox_by_age on inbox (consumer, handled_at);

-- Events whose handling failed and is being tried again; counts survive the process.
create table inbox_retry (
    consumer text collate "C" not null,
    event_id text collate "C" not null,
    tries integer not null,
    last_error text not null default '',
    updated_at timestamptz not null default clock_timestamp(),
    primary key (consumer, event_id)
);

-- Events that a consumer gave up, kept until somebody replays or deletes them.
create table inbox_dead (
    consumer text collate "C" not null,
    event_id text collate "C" not null,
    org_id text collate "C" not null,
    topic text collate "C" not null,
    payload json not null,
    tries integer not null,
    last_error text not null,
    died_at timestamptz not null default clock_timestamp(),
    primary key (consumer, event_id)
);

-- Answers to writes under an Idempotency-Key; response is null where it must not be shown again.
create table idempotency (
    org_id text collate "C" not null,
    key text collate "C" not null,
    fingerprint text collate "C" not null,
    response bytea,
    resource_id text,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    primary key (org_id, key)
);
create index idempotency_by_age on idempotency (expires_at);
