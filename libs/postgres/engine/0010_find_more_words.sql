-- More of what people type finds what they mean: emoji, one character of Han or Kana, Korean words with other endings,
-- e-mail and email, letters with a stroke, Hebrew and Arabic without the marks of vowels. A text of before is read so when
-- it is indexed again; what it was found by, it is found by still.
set local lock_timeout = '5s';

-- The text without accents and marks of vowels, with compounds taken apart (KX-4471, returns/exchanges,
-- jo.doe@shop.example), with Han, Kana and Thai, which write no spaces, as overlapping pairs of characters, and each emoji
-- as a word that names its code point (its color and its joints are left out). Quotes, a dash before a word and spaces
-- stay, so that it serves websearch_to_tsquery too.
create or replace function plain_words(words text) returns text
language sql immutable set search_path from current
as $$
    with plain as (
        select regexp_replace(
            translate(
                normalize(regexp_replace(
                    normalize(words, nfkd),
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

-- Compounds of letters written as one word (e-mail: email), separated by spaces. '' where there is none.
create function joined_words(words text) returns text
language sql immutable set search_path from current
as $$
    select coalesce(string_agg(' ' || replace(found.compound[1], '-', ''), ''), '')
    from regexp_matches(words, '[[:alpha:]]+(?:-[[:alpha:]]+)+', 'g') as found (compound)
$$;

-- What the plain form adds to a text's words. Positions are kept only where they serve phrases of paired characters. The
-- last character of a run of pairs begins none, so it stands alone.
create or replace function plain_vector(dictionary text, words text) returns tsvector
language sql stable set search_path from current
as $$
    select case
        when plain.text = words then ''::tsvector
        when words ~ '[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
            then to_tsvector(dictionary::regconfig, plain.text) || strip(to_tsvector(dictionary::regconfig, (
                select coalesce(string_agg(run.part[1], ' '), '') || joined_words(words)
                from regexp_matches(
                    normalize(words, nfkc),
                    '[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]'
                    '(?![\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f])',
                    'g'
                ) as run (part)
            )))
        else strip(to_tsvector(dictionary::regconfig, plain.text || joined_words(words)))
    end
    from (select plain_words(words) as text) plain
$$;

-- A search as people type it, by the words of one dictionary: as it stands, in its plain form, and with its compounds in
-- one word unless it excludes one. One character of Han or Kana, and a word of Hangul, whose endings change, are
-- beginnings of words.
create or replace function words_query(dictionary text, words text) returns tsquery
language plpgsql stable set search_path from current
as $$
declare
    config regconfig := dictionary::regconfig;
    plain text := plain_words(words);
    joined text := regexp_replace(words, '([[:alpha:]])-(?=[[:alpha:]])', '\1', 'g');
    asked tsquery := websearch_to_tsquery(config, plain);
begin
    -- As they stand they have no word for an emoji, so that it would narrow nothing.
    if plain <> words and words !~ '[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]' then
        asked := websearch_to_tsquery(config, words) || asked;
    end if;
    if joined <> words and words !~ '(^|\s)-' then
        asked := asked || websearch_to_tsquery(config, joined);
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
