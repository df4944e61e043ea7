-- Compounds whose first part has three letters are found by their last part (Hörgerät by Gerät), unless they begin like a
-- word with a prefix (Vorstellung) or without a vowel (Schraub-), where three letters are no word. A text of before is read
-- so when it is written again; what it was found by, it is found by still.
set local lock_timeout = '5s';

-- How many letters the first part of a word has at least. In lists, not in one regular expression, which took ten times as
-- long; and without a search path of its own, so that PostgreSQL puts the expression in the place of the call.
create function least_first_part(lexeme text) returns integer
language sql immutable
as $$
    select case
        when left(lexeme, 2) in (
            'ab', 'af', 'an', 'be', 'ge', 'im', 'in', 'om', 'on', 'op', 'ud', 'um', 'un', 'ur', 'ut'
        )
        or left(lexeme, 3) in (
            'ant', 'auf', 'aus', 'bei', 'ein', 'emp', 'ent', 'für', 'fur', 'her', 'hin', 'los', 'mit', 'ver', 'vor', 'weg',
            'wid', 'zer',
            'aan', 'bij', 'dar', 'mee', 'oer', 'toe', 'uit',
            'avs', 'för', 'for', 'fra', 'gen', 'med', 'ned', 'til', 'upp', 'väl', 'vel',
            'com', 'con', 'dis', 'kom', 'kon', 'mis', 'non', 'pre', 'pro'
        )
        -- er- and zu-, but not Erb-, Erd-, Erz- and Zug-.
        or (left(lexeme, 2) in ('er', 'zu') and substr(lexeme, 3, 1) not in ('b', 'd', 'g', 'z'))
        or left(lexeme, 3) = translate(left(lexeme, 3), 'aeiouyäöüåæø', '')
        then 4
        else 3
    end
$$;

-- For each long word its end of four letters or more, written backwards behind a mark, so that the last part of a compound
-- is its beginning.
create or replace function compound_ends(words tsvector) returns tsvector
language sql immutable set search_path from current
as $$
    select coalesce(
        array_to_tsvector(array_agg(distinct '<' || reverse(substr(w.lexeme, least_first_part(w.lexeme) + 1)))),
        ''::tsvector
    )
    from unnest(words) w
    where w.lexeme ~ '^[[:alpha:]]{7,}$' and length(w.lexeme) >= least_first_part(w.lexeme) + 4
$$;
