-- The words of a call are indexed in the transaction of its webhook. The plain form costs as much as all else: its regular
-- expressions look at the whole text. A text in ASCII has neither accents nor Han, Kana or Thai, so only its compounds are
-- left to be taken apart. The result is that of 0007.
set local lock_timeout = '5s';

create or replace function search_document(title text, summary text, transcript text, dictionary text) returns tsvector
language plpgsql stable set search_path = calllog, pg_catalog, pg_temp
as $$
declare
    config regconfig := dictionary::regconfig;
    told text := title || ' ' || summary || ' ' || transcript;
    document tsvector := setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', summary), 'B')
        || setweight(to_tsvector('simple', transcript), 'D')
        || to_tsvector(config, title || ' ' || summary) || to_tsvector(config, transcript);
    plain text;
begin
    if octet_length(told) <> length(told) then
        return document || plain_vector(dictionary, told);
    end if;
    plain := regexp_replace(told, '([[:alnum:]])[-/_.@:+#]+(?=[[:alnum:]])', '\1 ', 'g');
    if plain = told then
        return document;
    end if;
    return document || strip(to_tsvector(config, plain));
end
$$;
