-- Keyword search. Owner's rights, because row level security would read every row of the tenant before the index; the
-- organisation is named in each query, and unset means no rows.
set local lock_timeout = '5s';

-- The words of a question with their weight: the rarer in the organisation's chunks, the heavier. Frequency is counted
-- up to `most`, so that a common word costs no more.
create function question_words(question text, most integer)
    returns table (word tsquery, weight real, frequency bigint)
language sql stable security definer set search_path = knowledge, pg_temp
as $$
    with size as (
        select greatest(1, coalesce(sum(e.chunk_count), 0)) as chunks
        from entry e where e.org_id = current_setting('app.org', true)
    )
    select q.word, ln(1 + size.chunks::numeric / greatest(1, f.frequency))::real, f.frequency
    from (
        select quote_literal(t.lexeme)::tsquery as word
        from unnest(to_tsvector('english', question)) t
        order by t.positions[1] limit 32
    ) q
    cross join size
    cross join lateral (
        select count(*) as frequency
        from (
            select 1 from chunk k
            where k.org_id = current_setting('app.org', true) and k.words @@ q.word limit most
        ) s
    ) f
    where f.frequency > 0
$$;

-- Chunks that hold every word of the question (with the operators of websearch_to_tsquery); when there are none, and
-- the question excludes nothing, chunks that hold some of its words. `coverage` is the found share of the question's
-- weight. At most `candidates` chunks are ranked, those of the rarest words first.
create function find_by_keyword(
    question text, in_category text, with_tags text[], in_entries text[], candidates integer, most integer
)
    returns table (chunk_id text, score real, coverage real)
language plpgsql stable security definer set search_path = knowledge, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    org text := nullif(current_setting('app.org', true), '');
    every_word tsquery := websearch_to_tsquery('english', question);
    some_word tsquery;
    word_list tsquery[];
    weights real[];
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

    select array_agg(w.word), array_agg(w.weight),
           string_agg(w.word::text, ' | ') filter (where w.position = 1 or w.so_far <= candidates)::tsquery
    into word_list, weights, some_word
    from (
        select q.word, q.weight, row_number() over rarest as position, sum(q.frequency) over rarest as so_far
        from question_words(question, candidates) q
        window rarest as (order by q.frequency, q.word::text)
    ) w;
    if some_word is null then
        return;
    end if;

    return query
        select c.id, (c.share + ts_rank(c.words, some_word, 1))::real, c.share
        from (
            select k.id, k.words, (
                select (sum(w.weight) / greatest(1e-6, (select sum(u) from unnest(weights) u)))::real
                from unnest(word_list, weights) as w (word, weight)
                where k.words @@ w.word
            ) as share
            from chunk k
            join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
            where k.org_id = org and k.words @@ some_word
              and (in_category = '' or e.category = in_category)
              and (cardinality(with_tags) = 0 or e.tags @> with_tags)
              and (cardinality(in_entries) = 0 or e.id = any (in_entries))
            limit candidates
        ) c
        order by 2 desc, 1
        limit most;
end
$$;

-- A question's words as one query, to mark them in a hit.
create function any_word(question text) returns tsquery
language sql immutable set search_path = pg_catalog, pg_temp
as $$
    select coalesce(string_agg(quote_literal(t.lexeme), ' | '), '')::tsquery
    from unnest(to_tsvector('english', question)) t
$$;
