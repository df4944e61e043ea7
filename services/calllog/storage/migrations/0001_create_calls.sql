-- Envelopes as they came, the calls made of them, their turns, recordings and what they are found by.
set local lock_timeout = '5s';

-- One row for each thing a provider delivered, however often and under however many signatures it came.
create table envelope (
    org_id text collate "C" not null,
    id text collate "C" not null,
    provider text not null,
    event_type text not null,
    -- The provider's conversation id; for an envelope that names none, the digest of its bytes.
    key text not null,
    completeness integer not null,
    body bytea not null,
    source text not null check (source in ('webhook', 'reconcile')),
    received_at timestamptz not null,
    processed_at timestamptz,
    primary key (org_id, id),
    unique (org_id, provider, key, event_type)
);

create table call (
    org_id text collate "C" not null,
    id text collate "C" not null,
    provider text not null,
    external_call_id text not null,
    external_agent_id text not null,
    agent_id text collate "C",
    agent_version integer not null,
    status text not null check (status in ('in_progress', 'completed', 'failed', 'no_answer', 'busy', 'voicemail')),
    completeness integer not null,
    direction text not null check (direction in ('', 'inbound', 'outbound', 'web')),
    from_number text not null,
    to_number text not null,
    successful boolean,
    duration_seconds double precision check (duration_seconds >= 0),
    started_at timestamptz,
    ended_at timestamptz,
    title text not null,
    summary text not null,
    language text not null,
    termination_reason text not null,
    provider_cost_units bigint,
    turn_count integer not null,
    cost_micros bigint,
    cost_currency text,
    tags text[] not null default '{}',
    billable boolean not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check ((cost_micros is null) = (cost_currency is null))
);

create index call_newest on call (org_id, created_at desc, id desc);
create index call_by_start on call (org_id, started_at desc, id desc);
create index call_by_duration on call (org_id, duration_seconds desc, id desc);
create index call_by_agent on call (org_id, agent_id, created_at desc, id desc);
create index call_by_status on call (org_id, status, created_at desc, id desc);
create index call_by_direction on call (org_id, direction, created_at desc, id desc);
create index call_by_success on call (org_id, successful, created_at desc, id desc);
create index call_by_external_id on call (org_id, external_call_id);
create index call_billable on call (org_id, ended_at, id) where billable;
-- What an hour or a day of calls is counted by: the start, or the arrival where the start is unknown.
create index call_by_bucket on call (org_id, (coalesce(started_at, created_at)));
-- The hourly and daily sweeps look for what changed lately, over all organisations.
create index call_changed on call (updated_at);
-- Last, because among indexes of equal cost the planner takes the youngest: without statistics it else reads a whole
-- organisation for each foreign key.
alter table call add constraint call_of_conversation unique (org_id, provider, external_call_id);
alter table call add primary key (org_id, id);

create table call_turn (
    org_id text collate "C" not null,
    call_id text collate "C" not null,
    index integer not null check (index >= 0),
    role text not null check (role in ('user', 'agent')),
    text text not null,
    time_seconds double precision not null,
    tool_calls jsonb not null,
    primary key (org_id, call_id, index),
    foreign key (org_id, call_id) references call (org_id, id) on delete cascade
);

-- Exact values that a call is found by (its tags, both sides' numbers): equality is leakproof, array operators are not,
-- so row level security leaves this index usable.
create table call_facet (
    org_id text collate "C" not null,
    kind text not null check (kind in ('tag', 'number')),
    value text not null,
    call_id text collate "C" not null,
    primary key (org_id, kind, value, call_id),
    foreign key (org_id, call_id) references call (org_id, id) on delete cascade
);
create index call_facet_of_call on call_facet (org_id, call_id);

create table call_search (
    org_id text collate "C" not null,
    call_id text collate "C" not null,
    document tsvector not null,
    primary key (org_id, call_id),
    foreign key (org_id, call_id) references call (org_id, id) on delete cascade
);
create index call_search_document on call_search using gin (org_id, document);

-- Found by the conversation, not by the call: a recording may arrive before the call does.
create table recording (
    org_id text collate "C" not null,
    id text collate "C" not null,
    provider text not null,
    external_call_id text not null,
    status text not null check (status in ('pending', 'available', 'unavailable', 'failed')),
    media_type text not null,
    byte_size bigint not null,
    blob_key text not null,
    transcription text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id),
    unique (org_id, provider, external_call_id)
);

-- Organisations with an account at a provider, as the agent service's events tell: whom the reconciler polls.
create table provider_link (
    org_id text collate "C" not null,
    provider text not null,
    active boolean not null,
    reconciled_until timestamptz,
    primary key (org_id, provider)
);

select enable_tenant_rls('envelope');
select enable_tenant_rls('call');
select enable_tenant_rls('call_turn');
select enable_tenant_rls('call_facet');
select enable_tenant_rls('recording');
select enable_tenant_rls('provider_link');
-- Not forced on the owner: the functions below run as the owner and name the organisation themselves.
select enable_tenant_rls('call_search', false);

-- Words are cut alike in documents and in searches. English endings are dropped in a second reading, so that "refunds"
-- finds "refund"; the first reading serves every other language.
create function search_document(title text, summary text, transcript text) returns tsvector
language sql immutable set search_path = pg_catalog, pg_temp
as $$
    select setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', summary), 'B')
        || setweight(to_tsvector('simple', transcript), 'D') || to_tsvector('english', title || ' ' || summary)
        || to_tsvector('english', transcript)
$$;

create function search_query(words text) returns tsquery
language sql immutable set search_path = pg_catalog, pg_temp
as $$
    -- A quoted phrase is meant as it stands; the English reading would drop its stop words.
    select case when words like '%"%' then websearch_to_tsquery('simple', words)
        else websearch_to_tsquery('simple', words) || websearch_to_tsquery('english', words) end
$$;

-- The calls that match, at most so many. Row level security keeps the planner from the GIN index (@@ is not leakproof),
-- hence the owner's rights.
create function calls_matching(words text, at_most integer) returns setof text
language sql stable security definer rows 100 set search_path = calllog, pg_temp
as $$
    select s.call_id
    from call_search s
    where s.org_id = current_setting('app.org', true) and s.document @@ search_query(words)
    limit at_most
$$;

-- Whether one call matches: for words so common that walking the list finds a page sooner than the index does.
create function call_matches(wanted text, words text) returns boolean
language sql stable security definer set search_path = calllog, pg_temp
as $$
    select exists (
        select 1 from call_search s
        where s.org_id = current_setting('app.org', true) and s.call_id = wanted
          and s.document @@ search_query(words)
    )
$$;
