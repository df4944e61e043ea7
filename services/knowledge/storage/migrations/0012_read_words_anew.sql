-- What a release changes about words (engine 0010 to 0014) reaches a chunk when its entry is indexed again. This reads the
-- words of all chunks anew, without their documents and vectors.
set local lock_timeout = '5s';

-- For the administrator, beside a running service, and again after an interruption: it commits after each batch, leaves a
-- chunk that another transaction holds to that one, and writes only what changes. No search path of its own: a procedure
-- that has one cannot commit.
create procedure read_words_anew(batch integer default 500)
language plpgsql
as $$
declare
    first text := '';
    last text;
begin
    loop
        select max(b.id) into last
        from (select c.id from knowledge.chunk c where c.id > first order by c.id limit batch) b;
        exit when last is null;
        update knowledge.chunk c set words = n.words
        from (
            select k.id, knowledge.words_of_chunk(e.dictionary, k.heading, k.text) as words
            from knowledge.chunk k
            join knowledge.entry e on e.org_id = k.org_id and e.id = k.entry_id and e.index_id = k.index_id
            where k.id > first and k.id <= last
            for update of k skip locked
        ) n
        where c.id = n.id and c.words <> n.words;
        commit;
        first := last;
    end loop;
end
$$;
