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
