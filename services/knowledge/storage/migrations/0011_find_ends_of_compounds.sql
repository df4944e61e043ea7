-- Words of a question count compounds that end with them (engine 0013) where no chunk has every word, too.
set local lock_timeout = '5s';

-- Chunks that hold every word of the question (with the operators of websearch_to_tsquery); when there are none, and
-- the question excludes nothing, chunks that hold some of its words. The question is read by each dictionary that made
-- the words of the organization's entries, eight at most. A word weighs more the rarer it is in the organization's
-- chunks; `coverage` is the found share of the question's weight. Of each word at most `candidates` chunks are looked at.
-- No sequential scan: the planner takes `@@` for cheap.
create or replace function find_by_words(
    question text, in_category text, with_tags text[], in_entries text[], candidates integer, most integer
)
    returns table (chunk_id text, score real, coverage real)
language plpgsql stable security definer set search_path = knowledge, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    org text := nullif(current_setting('app.org', true), '');
    dictionaries text[];
    dictionary_used text;
    every_word tsquery;
    total_chunks numeric;
    any_found boolean := false;
    plain text := plain_words(question);
begin
    select array_agg(d.dictionary order by d.chunks desc), greatest(1, sum(d.chunks)) into dictionaries, total_chunks
    from (
        select e.dictionary, sum(e.chunk_count) as chunks
        from entry e where e.org_id = org and e.index_id <> ''
        group by e.dictionary order by 2 desc limit 8
    ) d;
    foreach dictionary_used in array coalesce(dictionaries, '{}') loop
        every_word := words_query(dictionary_used, question);
        return query
            select c.id, (1 + ts_rank(c.words, every_word, 1))::real, 1::real
            from (
                select k.id, k.words
                from chunk k
                join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
                where k.org_id = org and k.words @@ every_word and e.dictionary = dictionary_used
                  and (in_category = '' or e.category = in_category)
                  and (cardinality(with_tags) = 0 or e.tags @> with_tags)
                  and (cardinality(in_entries) = 0 or e.id = any (in_entries))
                limit candidates
            ) c
            order by 2 desc, 1
            limit most;
        any_found := any_found or found or every_word::text ~ '!';
    end loop;
    if any_found then
        return;
    end if;

    return query
        with asked as materialized (
            select d.name as dictionary, t.lexeme
            from unnest(dictionaries) as d (name)
            cross join lateral (
                select w.lexeme from unnest(to_tsvector(d.name::regconfig, plain)) w order by w.positions[1] limit 32
            ) t
        ),
        found_word as materialized (
            select q.lexeme, k.id, k.entry_id, k.index_id
            from (select distinct a.lexeme, word_query(a.lexeme) as query from asked a) q
            cross join lateral (
                select c.id, c.entry_id, c.index_id from chunk c
                where c.org_id = org and c.words @@ q.query limit candidates
            ) k
        ),
        weight as (
            select a.dictionary, a.lexeme, ln(1 + total_chunks / coalesce(f.number, 0.5)) as weight
            from asked a
            left join (select w.lexeme, count(*) as number from found_word w group by w.lexeme) f on f.lexeme = a.lexeme
        ),
        share as (
            select f.id, e.dictionary, sum(w.weight) / (
                select sum(u.weight) from weight u where u.dictionary = e.dictionary
            ) as share
            from found_word f
            join entry e on e.org_id = org and e.id = f.entry_id and e.index_id = f.index_id
            join weight w on w.lexeme = f.lexeme and w.dictionary = e.dictionary
            where (in_category = '' or e.category = in_category)
              and (cardinality(with_tags) = 0 or e.tags @> with_tags)
              and (cardinality(in_entries) = 0 or e.id = any (in_entries))
            group by f.id, e.dictionary
            order by share desc, f.id limit 2 * most
        )
        select s.id, (s.share + ts_rank(k.words, any_word(s.dictionary, plain), 1))::real, s.share::real
        from share s
        join chunk k on k.id = s.id
        order by 2 desc, 1
        limit most;
end
$$;
