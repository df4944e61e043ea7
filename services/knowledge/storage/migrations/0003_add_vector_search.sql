-- Vectors, where the server has pgvector. Without it the service searches by keyword alone and says so; after it was
-- installed an administrator runs `select install_vector_search()` as knowledge_owner and the service embeds again.
set local lock_timeout = '5s';

create function install_vector_search() returns boolean
language plpgsql as $install$
declare
    iterative text := '';
begin
    if not exists (select from pg_extension where extname = 'vector') then
        return false;
    end if;
    -- Filters after an HNSW scan find too little unless the scan goes on (pgvector 0.8).
    if exists (select from pg_extension where extname = 'vector' and string_to_array(extversion, '.')::int[] >= '{0,8}') then
        iterative := 'set hnsw.iterative_scan = strict_order';
    end if;
    execute 'alter table chunk add column if not exists embedding vector(384)';
    execute 'create index if not exists chunk_embedding on chunk using hnsw (embedding vector_cosine_ops)';
    execute format($make$
        -- Nearest chunks of the organisation by cosine. Below `exact_below` candidates every one is compared; above, the
        -- index is asked, and when its answer is short although more exist, every one is compared after all.
        create or replace function find_by_vector(
            question vector, model text, in_category text, with_tags text[], in_entries text[],
            exact_below integer, most integer
        )
            returns table (chunk_id text, score real)
        language plpgsql stable security definer set search_path = knowledge, extensions, pg_temp
        set plan_cache_mode = force_custom_plan %s
        as $find$
        declare
            org text := nullif(current_setting('app.org', true), '');
            many boolean;
            nearest text[];
            scores real[];
        begin
            select count(*) >= exact_below into many from (
                select 1 from chunk k
                join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
                where k.org_id = org and e.embedding_model = model
                  and (in_category = '' or e.category = in_category)
                  and (cardinality(with_tags) = 0 or e.tags @> with_tags)
                  and (cardinality(in_entries) = 0 or e.id = any (in_entries))
                limit exact_below
            ) s;
            if many then
                select array_agg(n.id), array_agg(n.score) into nearest, scores from (
                    select k.id, (1 - (k.embedding <=> question))::real as score
                    from chunk k
                    join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
                    where k.org_id = org and e.embedding_model = model
                      and (in_category = '' or e.category = in_category)
                      and (cardinality(with_tags) = 0 or e.tags @> with_tags)
                      and (cardinality(in_entries) = 0 or e.id = any (in_entries))
                    order by k.embedding <=> question
                    limit most
                ) n;
                if cardinality(nearest) = most then
                    return query select n.id, n.score from unnest(nearest, scores) as n (id, score);
                    return;
                end if;
            end if;
            return query
                select k.id, (1 - (k.embedding <=> question))::real
                from chunk k
                join entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
                where k.org_id = org and e.embedding_model = model and k.embedding is not null
                  and (in_category = '' or e.category = in_category)
                  and (cardinality(with_tags) = 0 or e.tags @> with_tags)
                  and (cardinality(in_entries) = 0 or e.id = any (in_entries))
                order by (k.embedding <=> question) + 0, k.id  -- a sum, so that no index answers
                limit most;
        end
        $find$ $make$, iterative);
    return true;
end
$install$;
revoke execute on function install_vector_search() from knowledge_app, knowledge_system;

select install_vector_search();
