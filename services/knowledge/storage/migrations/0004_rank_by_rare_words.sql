-- Keyword search without reading the vectors of words: they lie outside the row, and a question of eight words read each
-- of them eight times. Counts, weights and shares come from the index; only what is left at the end is ranked.
set local lock_timeout = '5s';

-- Chunks that hold every word of the question (with the operators of websearch_to_tsquery); when there are none, and
-- the question excludes nothing, chunks that hold some of its words. A word weighs more the rarer it is in the
-- organisation's chunks, and `coverage` is the found share of the question's weight. Of each word at most `candidates`
-- chunks are looked at. No sequential scan: the planner takes `@@` for cheap.
create or replace function find_by_keyword(
    question text, in_category text, with_tags text[], in_entries text[], candidates integer, most integer
)
    returns table (chunk_id text, score real, coverage real)
language plpgsql stable security definer set search_path = knowledge, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    org text := nullif(current_setting('app.org', true), '');
    every_word tsquery := websearch_to_tsquery('english', question);
    some_word tsquery;
    chunks numeric;
begin
    return query
        select c.id, (1 + ts_rank(c.words, every_word, 1))::real, 1::real
        from (
            select k.id, k.words
            from chunk k
            join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
            where k.org_id = org and k.words @@ every_word
              and (in_category = '' or e.category = in_category)
              and (cardinality(with_tags) = 0 or e.tags @> with_tags)
              and (cardinality(in_entries) = 0 or e.id = any (in_entries))
            limit candidates
        ) c
        order by 2 desc, 1
        limit most;
    if found or every_word::text ~ '!' then
        return;
    end if;

    some_word := any_word(question);
    chunks := (select greatest(1, coalesce(sum(e.chunk_count), 0)) from entry e where e.org_id = org);
    return query
        with found_word as materialized (
            select q.number, k.id, k.entry_id, k.index_id
            from (
                select quote_literal(t.lexeme)::tsquery as word, row_number() over (order by t.positions[1]) as number
                from unnest(to_tsvector('english', question)) t
                order by t.positions[1] limit 32
            ) q
            cross join lateral (
                select c.id, c.entry_id, c.index_id from chunk c
                where c.org_id = org and c.words @@ q.word limit candidates
            ) k
        ),
        weight as (select f.number, ln(1 + chunks / count(*)) as weight from found_word f group by f.number),
        share as (
            select f.id, sum(w.weight) / (select sum(u.weight) from weight u) as share
            from found_word f
            join weight w on w.number = f.number
            join entry e on e.org_id = org and e.id = f.entry_id and e.index_id = f.index_id
            where (in_category = '' or e.category = in_category)
              and (cardinality(with_tags) = 0 or e.tags @> with_tags)
              and (cardinality(in_entries) = 0 or e.id = any (in_entries))
            group by f.id
            order by share desc, f.id limit 2 * most
        )
        select s.id, (s.share + ts_rank(k.words, some_word, 1))::real, s.share::real
        from share s
        join chunk k on k.id = s.id
        order by 2 desc, 1
        limit most;
end
$$;

drop function question_words(text, integer);

-- Rows in the pending list are read one after another by every search until a vacuum files them.
alter index chunk_words set (fastupdate = off);
alter index entry_search set (fastupdate = off);
alter index entry_tags set (fastupdate = off);

-- After a long document the planner must not wait for autovacuum to learn of it; only an owner may ask for it.
create function analyze_chunks() returns void
language plpgsql security definer set search_path = knowledge, pg_temp
as $$
begin
    analyze chunk;
    analyze entry;
end
$$;

-- Comparing every vector of a small organisation reads them all: kept in the row they cost one page, not three.
do $$
begin
    if exists (
        select from information_schema.columns
        where table_schema = current_schema() and table_name = 'chunk' and column_name = 'embedding'
    ) then
        alter table chunk alter column embedding set storage plain;
    end if;
end
$$;
