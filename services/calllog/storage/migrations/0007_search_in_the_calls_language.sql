-- Words are stemmed in the call's language. Calls of before keep their English stems.
set local lock_timeout = '5s';

alter table call_search add column dictionary text collate "C" not null default 'english';
create index call_search_by_dictionary on call_search (org_id, dictionary);

-- The first reading keeps every word as it stands; the second drops endings; the third is the plain form.
create function search_document(title text, summary text, transcript text, dictionary text) returns tsvector
language sql stable set search_path = calllog, pg_catalog, pg_temp
as $$
    select setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', summary), 'B')
        || setweight(to_tsvector('simple', transcript), 'D')
        || to_tsvector(dictionary::regconfig, title || ' ' || summary)
        || to_tsvector(dictionary::regconfig, transcript)
        || plain_vector(dictionary, title || ' ' || summary || ' ' || transcript)
$$;

-- The dictionaries of the organization's calls, found by one index look-up each.
create function call_dictionaries() returns text[]
language sql stable security definer set search_path = calllog, pg_temp
as $$
    with recursive used as (
        select min(s.dictionary) as name from call_search s where s.org_id = current_setting('app.org', true)
        union all
        select (
            select min(s.dictionary) from call_search s
            where s.org_id = current_setting('app.org', true) and s.dictionary > used.name
        )
        from used where used.name is not null
    )
    select coalesce(array_agg(used.name), '{}') from used where used.name is not null
$$;

-- A quoted phrase is meant as it stands; a stemmer would drop its stop words.
create function search_query(words text, dictionaries text[]) returns tsquery
language plpgsql stable set search_path = calllog, pg_catalog, pg_temp
as $$
declare
    asked tsquery := words_query('simple', words);
    dictionary text;
begin
    if words not like '%"%' then
        foreach dictionary in array dictionaries loop
            asked := asked || words_query(dictionary, words);
        end loop;
    end if;
    return asked;
end
$$;

create or replace function calls_matching(words text, at_most integer) returns setof text
language plpgsql stable security definer rows 100 set search_path = calllog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    asked tsquery := search_query(words, call_dictionaries());
begin
    return query
        select s.call_id from call_search s
        where s.org_id = current_setting('app.org', true) and s.document @@ asked
        limit at_most;
end
$$;

create or replace function call_matches(wanted text, words text) returns boolean
language sql stable security definer set search_path = calllog, pg_temp
as $$
    select exists (
        select 1 from call_search s
        where s.org_id = current_setting('app.org', true) and s.call_id = wanted
          and s.document @@ search_query(words, call_dictionaries())
    )
$$;
