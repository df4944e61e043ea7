-- Words of a language, for every search over text: which stemmer a language has, and a plain form of a text that is
-- written and asked for alike. The database's encoding is UTF-8.
set local lock_timeout = '5s';

-- PostgreSQL's dictionary for a BCP 47 tag; 'simple' (the words as they stand) where it has none.
create function text_dictionary(language text) returns text
language sql immutable set search_path from current
as $$
    select coalesce((
        select d.name
        from (values
            ('ar', 'arabic'), ('hy', 'armenian'), ('eu', 'basque'), ('ca', 'catalan'), ('da', 'danish'), ('nl', 'dutch'),
            ('en', 'english'), ('fi', 'finnish'), ('fr', 'french'), ('de', 'german'), ('el', 'greek'), ('hi', 'hindi'),
            ('hu', 'hungarian'), ('id', 'indonesian'), ('ga', 'irish'), ('it', 'italian'), ('lt', 'lithuanian'),
            ('ne', 'nepali'), ('no', 'norwegian'), ('nb', 'norwegian'), ('nn', 'norwegian'), ('pt', 'portuguese'),
            ('ro', 'romanian'), ('ru', 'russian'), ('sr', 'serbian'), ('es', 'spanish'), ('sv', 'swedish'),
            ('ta', 'tamil'), ('tr', 'turkish'), ('yi', 'yiddish')
        ) as d (language, name)
        where d.language = lower(split_part($1, '-', 1))
    ), 'simple')
$$;

-- The text without accents, with compounds taken apart (KX-4471, returns/exchanges, jo.doe@shop.example), and with Han,
-- Kana and Thai, which write no spaces, as overlapping pairs of characters. Quotes, a dash before a word and spaces stay,
-- so that it serves websearch_to_tsquery too.
create function plain_words(words text) returns text
language sql immutable set search_path from current
as $$
    with plain as (
        select regexp_replace(
            normalize(regexp_replace(normalize(words, nfkd), '[\u0300-\u036f]', '', 'g'), nfc),
            '([[:alnum:]])[-/_.@:+#]+(?=[[:alnum:]])', '\1 ', 'g'
        ) as text
    )
    select case when plain.text !~ '[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
        then plain.text
        else (
            select string_agg(case when run.part[1] is null then run.part[2] else (
                select ' ' || string_agg(substr(run.part[1], place, 2), ' ' order by place) || ' '
                from generate_series(1, greatest(1, length(run.part[1]) - 1)) as place
            ) end, '' order by run.number)
            from regexp_matches(
                plain.text,
                '([\u0e00-\u0e7f]+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+)'
                '|([^\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+)',
                'g'
            ) with ordinality as run (part, number)
        )
    end
    from plain
$$;

-- What the plain form adds to a text's words. Positions are kept only where they serve phrases of paired characters.
create function plain_vector(dictionary text, words text) returns tsvector
language sql stable set search_path from current
as $$
    select case
        when plain.text = words then ''::tsvector
        when words ~ '[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
            then to_tsvector(dictionary::regconfig, plain.text)
        else strip(to_tsvector(dictionary::regconfig, plain.text))
    end
    from (select plain_words(words) as text) plain
$$;

-- A search as people type it, by the words of one dictionary.
create function words_query(dictionary text, words text) returns tsquery
language sql stable set search_path from current
as $$
    select websearch_to_tsquery(dictionary::regconfig, words)
        || websearch_to_tsquery(dictionary::regconfig, plain_words(words))
$$;

-- Names are searched by the beginnings of their words; no stemmer shortens them.
create function name_vector(names text) returns tsvector
language sql immutable set search_path from current
as $$
    select to_tsvector('pg_catalog.simple', regexp_replace(plain_words(names), '[^[:alnum:]]+', ' ', 'g'))
$$;

create function name_query(words text) returns tsquery
language sql immutable set search_path from current
as $$
    select string_agg(quote_literal(t.lexeme) || ':*', ' & ')::tsquery from unnest(name_vector(words)) t
$$;
