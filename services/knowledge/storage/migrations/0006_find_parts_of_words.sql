-- Keyword search by parts of compounds, words without accents and scripts without spaces. The writer gives those further
-- words (services/knowledge/domain/words.py), so `words` is no longer computed from the row alone. Chunks written before
-- are found as they were until their entry is indexed again.
set local lock_timeout = '5s';

alter table chunk alter column words drop expression;

create function chunk_words(heading text, text text, more text) returns tsvector
language sql immutable set search_path = pg_catalog, pg_temp
as $$
    select setweight(to_tsvector('english', heading), 'B') || to_tsvector('english', text) || to_tsvector('english', more)
$$;

-- For workers of the release before, which do not give the words.
create function fill_chunk_words() returns trigger
language plpgsql set search_path = knowledge, pg_temp
as $$
begin
    new.words := chunk_words(new.heading, new.text, '');
    return new;
end
$$;
create trigger chunk_words_default before insert on chunk
    for each row when (new.words is null) execute function fill_chunk_words();

-- As before (0004); `respelled` is the question by its further words, '' when it has none. Ties go to the shorter chunk,
-- by the normalization of ts_rank.
create function find_by_keyword(
    question text, respelled text, in_category text, with_tags text[], in_entries text[], candidates integer,
    most integer
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
    if respelled <> '' then
        every_word := every_word || websearch_to_tsquery('english', respelled);
    end if;
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

    some_word := any_word(question || ' ' || respelled);
    chunks := (select greatest(1, coalesce(sum(e.chunk_count), 0)) from entry e where e.org_id = org);
    return query
        with found_word as materialized (
            select q.number, k.id, k.entry_id, k.index_id
            from (
                select quote_literal(t.lexeme)::tsquery as word, row_number() over (order by t.positions[1]) as number
                from unnest(to_tsvector('english', question || ' ' || respelled)) t
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
