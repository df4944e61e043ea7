-- A transcript says e-mail where people search for email: the words of a text in ASCII are those of plain_vector again.
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
    return document || strip(to_tsvector(config, plain || joined_words(told)));
end
$$;
