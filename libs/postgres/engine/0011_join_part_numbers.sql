-- Part numbers and error codes are found however their parts are joined: E_1042, E-1042, E/1042 and E1042. A text of
-- before is read so when it is indexed again; what it was found by, it is found by still.
set local lock_timeout = '5s';

-- Compounds of letters and digits written as one word (e-mail: email, E_1042: E1042), separated by spaces. '' where
-- there is none. A slash may part two of them (E-1042/E-1043) or belong to one (KX/4471): both are given.
create or replace function joined_words(words text) returns text
language sql immutable set search_path from current
as $$
    select coalesce(string_agg(' ' || regexp_replace(found.compound[1], '[-_/]+', '', 'g'), ''), '')
    from unnest(array['[-_]', '[-_/]']) as joint
    cross join lateral
        regexp_matches(words, '[[:alnum:]]+(?:' || joint || '+[[:alnum:]]+)+', 'g') as found (compound)
$$;

-- A search as people type it, by the words of one dictionary: as it stands, in its plain form, and with its compounds
-- in one word unless it excludes one. One character of Han or Kana, and a word of Hangul, whose endings change, are
-- beginnings of words.
create or replace function words_query(dictionary text, words text) returns tsquery
language plpgsql stable set search_path from current
as $$
declare
    config regconfig := dictionary::regconfig;
    plain text := plain_words(words);
    joined text := regexp_replace(words, '([[:alnum:]])[-_/]+(?=[[:alnum:]])', '\1', 'g');
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
