-- Words of Hebrew and Arabic are found with and without what is written in one with them: the article, and, in, to. A
-- text of before is read so when it is indexed again; what it was found by, it is found by still.
set local lock_timeout = '5s';

-- Words of Hebrew and Arabic without the prefixes that they may have, separated by spaces. '' where there is none. A
-- word that begins with such a letter of its own is cut as well: a question's words are cut alike. `words` is in its
-- plain form.
create function bare_words(words text) returns text
language sql immutable set search_path from current
as $$
    select case when words !~ '[\u05d0-\u05ea\u0621-\u064a]' then '' else (
        select coalesce(string_agg(' ' || found.word[1], ''), '')
        from unnest(array[
            '(?<![\u05d0-\u05ea])[\u05d5\u05d1\u05d4\u05dc\u05de\u05e9\u05db]([\u05d0-\u05ea]{3,})',
            '(?<![\u05d0-\u05ea])\u05d5[\u05d5\u05d1\u05d4\u05dc\u05de\u05e9\u05db]([\u05d0-\u05ea]{3,})',
            '(?<![\u0621-\u064a])\u0648?(?:[\u0628\u0643\u0641]?\u0627\u0644|\u0644\u0644|\u0648)([\u0621-\u064a]{3,})'
        ]) as prefixed
        cross join lateral regexp_matches(words, prefixed, 'g') as found (word)
    ) end
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
    end
    from (select plain_words(words) as text offset 0) plain  -- by the offset each is computed once
    cross join lateral (select bare_words(plain.text) as text offset 0) bare
$$;

-- A search as people type it, by the words of one dictionary: as it stands, in its plain form, and with its compounds
-- in one word and its words without prefixes unless it excludes one. One character of Han or Kana, and a word of
-- Hangul, whose endings change, are beginnings of words.
create or replace function words_query(dictionary text, words text) returns tsquery
language plpgsql stable set search_path from current
as $$
declare
    config regconfig := dictionary::regconfig;
    plain text := plain_words(words);
    joined text := regexp_replace(words, '([[:alnum:]])[-_/]+(?=[[:alnum:]])', '\1', 'g');
    bare text := regexp_replace(
        regexp_replace(
            plain,
            '(?<![\u05d0-\u05ea])\u05d5?[\u05d5\u05d1\u05d4\u05dc\u05de\u05e9\u05db]([\u05d0-\u05ea]{3,})',
            '\1', 'g'
        ),
        '(?<![\u0621-\u064a])\u0648?(?:[\u0628\u0643\u0641]?\u0627\u0644|\u0644\u0644|\u0648)([\u0621-\u064a]{3,})',
        '\1', 'g'
    );
    asked tsquery := websearch_to_tsquery(config, plain);
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
    if words ~ '[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0002fa1f]' then
        asked := regexp_replace(
            asked::text,
            '''([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]|[\uac00-\ud7a3]+)''', '''\1'':*', 'g'
        )::tsquery;
    end if;
    return asked;
end
$$;
