-- migrate: as system
-- The new reading of 0005 for the calls that are there. As system, because forced row security hides rows from the owner.
set local lock_timeout = '5s';

update call_search s
set document = s.document || to_tsvector('pg_catalog.simple', words_apart(
    c.title || ' ' || left(c.summary, 200000) || ' ' || left(coalesce(told.words, r.transcription, ''), 200000)))
from call c
left join recording r on r.org_id = c.org_id and r.provider = c.provider and r.external_call_id = c.external_call_id
cross join lateral (select string_agg(t.text, ' ' order by t.index) as words from call_turn t
    where t.org_id = c.org_id and t.call_id = c.id and t.text <> '') told
where c.org_id = s.org_id and c.id = s.call_id;
