-- Agents with their draft, and the versions frozen from it.
set local lock_timeout = '5s';

create table agent (
    org_id text collate "C" not null,
    id text collate "C" not null,
    name text not null,
    description text not null,
    tags text[] not null,
    status text not null check (status in ('draft', 'active', 'archived')),
    provider text not null,
    external_agent_id text not null,
    system_prompt text not null,
    first_message text not null,
    language text not null,
    voice_id text not null,
    llm_model text not null,
    llm_temperature double precision,
    llm_max_tokens integer,
    dynamic_variables jsonb not null,
    draft_digest text not null,
    published_digest text not null,
    published_version integer not null,
    latest_version integer not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Letters and digits only, so that the words of a name and the words of a search are cut alike.
    search tsvector not null generated always as (
        to_tsvector('simple', regexp_replace(name || ' ' || description, '[^[:alnum:]]+', ' ', 'g'))
    ) stored
);

create unique index agent_external_key on agent (org_id, provider, external_agent_id)
    where external_agent_id <> '' and status <> 'archived';
create index agent_newest on agent (org_id, created_at desc, id desc) where status <> 'archived';
create index agent_by_update on agent (org_id, updated_at desc, id desc) where status <> 'archived';
create index agent_by_name on agent (org_id, name, id) where status <> 'archived';
create index agent_by_status on agent (org_id, status, created_at desc, id desc) where status <> 'archived';
create index agent_by_provider on agent (org_id, provider, created_at desc, id desc) where status <> 'archived';
create index agent_search on agent using gin (org_id, search);
create index agent_tags on agent using gin (org_id, tags);
-- Last, because among indexes of equal cost the planner takes the youngest: without statistics it else reads a whole
-- organisation for each row that is asked for by its id.
alter table agent add primary key (org_id, id);

create table agent_version (
    org_id text collate "C" not null,
    agent_id text collate "C" not null,
    number integer not null check (number > 0),
    id text collate "C" not null,
    description text not null,
    configuration jsonb not null,
    created_by text not null,
    created_at timestamptz not null,
    unique (org_id, id),
    foreign key (org_id, agent_id) references agent (org_id, id)
);

create index agent_version_newest on agent_version (org_id, agent_id, created_at desc, id desc);
alter table agent_version add primary key (org_id, agent_id, number);

-- Not forced on the owner: the two search functions below run as the owner and name the organisation themselves.
select enable_tenant_rls('agent', false);
select enable_tenant_rls('agent_version');

-- What is published stays as it was.
revoke update, delete, truncate on agent_version from agent_app;

-- Row level security keeps the planner from using the GIN indexes (@@ and @> are not leakproof), hence the owner's rights.
create function agent_matching(words text) returns setof text
language sql stable security definer set search_path = agent, pg_temp
as $$
    select a.id
    from agent a
    where a.org_id = current_setting('app.org', true)
      and a.status <> 'archived'
      and a.search @@ (
          select string_agg(quote_literal(t.lexeme) || ':*', ' & ')::tsquery
          from unnest(to_tsvector('simple', regexp_replace(words, '[^[:alnum:]]+', ' ', 'g'))) t
      )
$$;

create function agent_tagged(wanted text[]) returns setof text
language sql stable security definer set search_path = agent, pg_temp
as $$
    select a.id
    from agent a
    where a.org_id = current_setting('app.org', true) and a.status <> 'archived' and a.tags @> wanted
$$;
