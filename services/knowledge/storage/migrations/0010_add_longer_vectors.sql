-- Vectors of 896 dimensions, which the default model makes, stand beside those of 384. In half precision, which moves no
-- hit and keeps a vector in its row; halfvec came with pgvector 0.7. A chunk has the column that its entry's model fills.
-- find_by_vector stays for the code of before.
set local lock_timeout = '5s';

create or replace function install_vector_search() returns boolean
language plpgsql as $install$
declare
    version integer[] := (select string_to_array(extversion, '.')::int[] from pg_extension where extname = 'vector');
    iterative text := '';
begin
    if version is null or version < '{0,7}' then
        return false;
    end if;
    -- Filters after an HNSW scan find too little unless the scan goes on (pgvector 0.8).
    if version >= '{0,8}' then
        iterative := 'set hnsw.iterative_scan = strict_order';
    end if;
    execute 'alter table chunk add column if not exists embedding vector(384)';
    execute 'alter table chunk add column if not exists embedding_896 halfvec(896)';
    -- Comparing every vector of a small organization reads them all: kept in the row they cost one page, not three.
    execute 'alter table chunk alter column embedding set storage plain, alter column embedding_896 set storage plain';
    execute 'create index if not exists chunk_embedding on chunk using hnsw (embedding vector_cosine_ops)';
    execute 'create index if not exists chunk_embedding_896 on chunk using hnsw (embedding_896 halfvec_cosine_ops)';
    execute format($make$
        -- Nearest chunks of the organization by cosine. Below `exact_below` candidates every one is compared; above, the
        -- index is asked, and when its answer is short although more exist, every one is compared after all.
        create or replace function find_nearest(
            question vector, model text, in_category text, with_tags text[], in_entries text[],
            exact_below integer, most integer
        )
            returns table (chunk_id text, score real)
        language plpgsql stable security definer set search_path = knowledge, extensions, pg_temp %s
        as $find$
        declare
            org text := nullif(current_setting('app.org', true), '');
            distance text := case vector_dims(question)
                when 896 then '(k.embedding_896 <=> $1::halfvec(896))' else '(k.embedding <=> $1::vector(384))' end;
            candidates text := ' from chunk k
                join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
                where k.org_id = $2 and e.embedding_model = $3
                  and ($4 = '''' or e.category = $4)
                  and (cardinality($5) = 0 or e.tags @> $5)
                  and (cardinality($6) = 0 or e.id = any ($6))';
            many boolean;
            nearest text[];
            scores real[];
        begin
            execute 'select count(*) >= $7 from (select 1' || candidates || ' limit $7) s' into many
                using question, org, model, in_category, with_tags, in_entries, exact_below;
            if many then
                execute 'select array_agg(n.id), array_agg(n.score) from (
                    select k.id, (1 - ' || distance || ')::real as score' || candidates || '
                    order by ' || distance || ' limit $7) n' into nearest, scores
                    using question, org, model, in_category, with_tags, in_entries, most;
                if cardinality(nearest) = most then
                    return query select n.id, n.score from unnest(nearest, scores) as n (id, score);
                    return;
                end if;
            end if;
            -- Ordered by a sum, so that no index answers.
            return query execute 'select n.id, (1 - n.distance)::real from (
                select k.id, ' || distance || ' + 0 as distance' || candidates || ') n
                where n.distance is not null order by n.distance, n.id limit $7'
                using question, org, model, in_category, with_tags, in_entries, most;
        end
        $find$ $make$, iterative);
    return true;
end
$install$;

select install_vector_search();
