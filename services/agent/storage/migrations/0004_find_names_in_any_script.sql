-- Names by words without accents, parts of compounds and pairs of characters of scripts without spaces (name_vector).
set local lock_timeout = '5s';

alter table agent drop column search;
alter table agent add column search tsvector not null
    generated always as (name_vector(name || ' ' || description)) stored;
create index agent_search on agent using gin (org_id, search) with (fastupdate = off);

create or replace function agent_matching(words text) returns setof text
language sql stable security definer set search_path = agent, pg_temp
as $$
    select a.id
    from agent a
    where a.org_id = current_setting('app.org', true) and a.status <> 'archived' and a.search @@ name_query(words)
$$;
