-- Compounds that are written in one word are found by their last part (Krankenversicherung by Versicherung), names as
-- texts are: part numbers however they are joined, Hebrew and Arabic with and without prefixes. A raised digit is no
-- part of the number before it. A text or name of before is read so when it is written again; what it was found by, it
-- is found by still.
set local lock_timeout = '5s';

-- The text without accents and marks of vowels, with compounds taken apart (KX-4471, returns/exchanges,
-- jo.doe@shop.example), with Han, Kana and Thai, which write no spaces, as overlapping pairs of characters, and each
-- emoji as a word that names its code point (its color and its joints are left out). Quotes, a dash before a word and
-- spaces stay, so that it serves websearch_to_tsquery too.
create or replace function plain_words(words text) returns text
language sql immutable set search_path from current
as $$
    with plain as (
        select regexp_replace(
            translate(
                normalize(regexp_replace(
                    normalize(regexp_replace(
                        words, '([[:digit:]])(?=[\u2070\u00b9\u00b2\u00b3\u2074-\u207e])', '\1 ', 'g'
                    ), nfkd),
                    '[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]', '', 'g'
                ), nfc),
                'łŁđĐøØħĦŧŦ', 'lLdDoOhHtT'
            ),
            '([[:alnum:]])[-/_.@:+#]+(?=[[:alnum:]])', '\1 ', 'g'
        ) as text
    )
    select case
        when plain.text !~ '[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
            '|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]'
        then plain.text
        else (
            select string_agg(case
                when run.part[1] is not null then (
                    select ' ' || string_agg(substr(run.part[1], place, 2), ' ' order by place) || ' '
                    from generate_series(1, greatest(1, length(run.part[1]) - 1)) as place
                )
                when run.part[2] is not null then ' emoji' || to_hex(ascii(run.part[2])) || ' '
                else run.part[3]
            end, '' order by run.number)
            from regexp_matches(
                plain.text,
                '([\u0e00-\u0e7f]+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+)'
                '|([\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff])'
                '|([^\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f'
                '\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]+)',
                'g'
            ) with ordinality as run (part, number)
        )
    end
    from plain
$$;

-- Whether the language of a dictionary writes compounds in one word whose last part says what the thing is.
create function writes_compounds(dictionary text) returns boolean
language sql immutable set search_path from current
as $$
    select dictionary in ('german', 'dutch', 'danish', 'norwegian', 'swedish')
$$;

-- For each long word its end, written backwards behind a mark, so that the last part of a compound is its beginning.
-- Four letters are the shortest first part: shorter ones are mostly prefixes (ver-, vor-), which change what a word
-- means.
create function compound_ends(words tsvector) returns tsvector
language sql immutable set search_path from current
as $$
    select coalesce(array_to_tsvector(array_agg(distinct '<' || reverse(substr(w.lexeme, 5)))), ''::tsvector)
    from unnest(words) w
    where w.lexeme ~ '^[[:alpha:]]{8,}$'
$$;

-- A word of a question, or a compound that ends with it. In texts whose language writes none there is none to find.
create function word_query(lexeme text) returns tsquery
language sql immutable set search_path from current
as $$
    select case when lexeme ~ '^[[:alpha:]]{4,}$'
        then (quote_literal(lexeme) || ' | ' || quote_literal('<' || reverse(lexeme)) || ':*')::tsquery
        else quote_literal(lexeme)::tsquery
    end
$$;

-- A search with its compounds in one word (E-1042: E1042).
create function in_one_word(words text) returns text
language sql immutable set search_path from current
as $$
    select regexp_replace(words, '([[:alnum:]])[-_/]+(?=[[:alnum:]])', '\1', 'g')
$$;

-- A search in its plain form with its words of Hebrew and Arabic cut as bare_words cuts those of a text.
create function without_prefixes(words text) returns text
language sql immutable set search_path from current
as $$
    select regexp_replace(
        regexp_replace(
            words,
            '(?<![\u05d0-\u05ea])\u05d5?[\u05d5\u05d1\u05d4\u05dc\u05de\u05e9\u05db]([\u05d0-\u05ea]{3,})',
            '\1', 'g'
        ),
        '(?<![\u0621-\u064a])\u0648?(?:[\u0628\u0643\u0641]?\u0627\u0644|\u0644\u0644|\u0648)([\u0621-\u064a]{3,})',
        '\1', 'g'
    )
$$;

-- What the plain form adds to a text's words. Positions are kept only where they serve phrases of paired characters.
-- The last character of a run of pairs begins none, so it stands alone.
create or replace function plain_vector(dictionary text, words text) returns tsvector
language sql stable set search_path from current
as $$
    select case
        when plain.text = words and bare.text = '' then ''::tsvector
        when words ~ '[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
            then to_tsvector(dictionary::regconfig, plain.text) || strip(to_tsvector(dictionary::regconfig, (
                select coalesce(string_agg(run.part[1], ' '), '') || joined_words(words) || bare.text
                from regexp_matches(
                    normalize(words, nfkc),
                    '[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
                    '(?![\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f])',
                    'g'
                ) as run (part)
            )))
        else strip(to_tsvector(dictionary::regconfig, plain.text || joined_words(words) || bare.text))
    end || case when writes_compounds(dictionary)
        then compound_ends(to_tsvector(dictionary::regconfig, words || ' ' || plain.text))
        else ''::tsvector
    end
    from (select plain_words(words) as text offset 0) plain  -- by the offset each is computed once
    cross join lateral (select bare_words(plain.text) as text offset 0) bare
$$;

-- A search as people type it, by the words of one dictionary: as it stands, in its plain form, and with its compounds
-- in one word, its words without prefixes and compounds that end with them unless it excludes one. One character of Han
-- or Kana, and a word of Hangul, whose endings change, are beginnings of words.
create or replace function words_query(dictionary text, words text) returns tsquery
language plpgsql stable set search_path from current
as $$
declare
    config regconfig := dictionary::regconfig;
    plain text := plain_words(words);
    joined text := in_one_word(words);
    bare text := without_prefixes(plain);
    asked tsquery := websearch_to_tsquery(config, plain);
    found text;
begin
    -- As they stand they have no word for an emoji, so that it would narrow nothing.
    if plain <> words and words !~ '[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]' then
        asked := websearch_to_tsquery(config, words) || asked;
    end if;
    if joined <> words and words !~ '(^|\s)-' then
        asked := asked || websearch_to_tsquery(config, joined);
    end if;
    if bare <> plain and words !~ '(^|\s)-' then
        asked := asked || websearch_to_tsquery(config, bare);
    end if;
    if writes_compounds(dictionary) and words !~ '(^|\s)-' then
        foreach found in array tsvector_to_array(to_tsvector(config, words || ' ' || plain)) loop
            asked := ts_rewrite(asked, quote_literal(found)::tsquery, word_query(found));
        end loop;
    end if;
    if words ~ '[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0002fa1f]' then
        asked := regexp_replace(
            asked::text,
            '''([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]|[\uac00-\ud7a3]+)''', '''\1'':*', 'g'
        )::tsquery;
    end if;
    return asked;
end
$$;

-- The words of names, which no stemmer shortens.
create function name_words(names text) returns tsvector
language sql immutable set search_path from current
as $$
    select to_tsvector('pg_catalog.simple', regexp_replace(names, '[^[:alnum:]]+', ' ', 'g'))
$$;

create or replace function name_vector(names text) returns tsvector
language sql immutable set search_path from current
as $$
    select name_words(plain.text) || strip(name_words(joined_words(names) || bare_words(plain.text)))
    from (select plain_words(names) as text offset 0) plain
$$;

-- A search of names by the beginnings of their words: in its plain form, with its compounds in one word, or its words
-- without prefixes.
create or replace function name_query(words text) returns tsquery
language sql immutable set search_path from current
as $$
    select string_agg(f.query, ' | ')::tsquery
    from (
        select distinct '(' || (
            select string_agg(quote_literal(t.lexeme) || ':*', ' & ') from unnest(name_words(form)) t
        ) || ')' as query
        from unnest(array[
            plain_words(words), plain_words(in_one_word(words)), without_prefixes(plain_words(words))
        ]) as form
    ) f
$$;
