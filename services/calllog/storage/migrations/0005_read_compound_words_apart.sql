-- PostgreSQL's parser takes returns/exchanges for a path, node.js for a host and KX-4471 for a word and a negative
-- number. A third reading takes such words apart, in documents and in searches, so that each part finds them.
set local lock_timeout = '5s';

create function words_apart(words text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
    select regexp_replace(words, '([[:alnum:]])[^[:alnum:][:space:]"]+(?=[[:alnum:]])', '\1 ', 'g')
$$;

create or replace function search_document(title text, summary text, transcript text) returns tsvector
language sql immutable set search_path = calllog, pg_catalog, pg_temp
as $$
    select setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', summary), 'B')
        || setweight(to_tsvector('simple', transcript), 'D') || to_tsvector('english', title || ' ' || summary)
        || to_tsvector('english', transcript)
        || to_tsvector('simple', words_apart(title || ' ' || summary || ' ' || transcript))
$$;

create or replace function search_query(words text) returns tsquery
language sql immutable set search_path = calllog, pg_catalog, pg_temp
as $$
    -- A quoted phrase is meant as it stands; the English reading would drop its stop words.
    select case when words like '%"%' then websearch_to_tsquery('simple', words)
        else websearch_to_tsquery('simple', words) || websearch_to_tsquery('english', words)
            || websearch_to_tsquery('simple', words_apart(words)) end
$$;
