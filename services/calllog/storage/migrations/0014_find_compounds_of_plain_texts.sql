-- A call in German or Dutch is found by the last part of a compound also where all it says is ASCII: the shorter way of
-- 0013 left the ends of compounds out. A call of before is read so when it is written again.
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
    if octet_length(told) <> length(told) or writes_compounds(dictionary) then
        return document || plain_vector(dictionary, told);
    end if;
    plain := regexp_replace(told, '([[:alnum:]])[-/_.@:+#]+(?=[[:alnum:]])', '\1 ', 'g');
    if plain = told then
        return document;
    end if;
    return document || strip(to_tsvector(config, plain || joined_words(told)));
end
$$;
