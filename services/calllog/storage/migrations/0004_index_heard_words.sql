-- migrate: as system
-- Words that the local model heard are searched where the provider gave none, those heard earlier too. As system,
-- because forced row security hides the rows from the owner: so the update of 0003, made here again, found none.
set local lock_timeout = '5s';

update recording set transcription_status = 'done' where transcription is not null and transcription_status = '';

insert into call_search (org_id, call_id, document)
select c.org_id, c.id, search_document(c.title, left(c.summary, 200000), left(r.transcription, 200000))
from recording r
join call c on c.org_id = r.org_id and c.provider = r.provider and c.external_call_id = r.external_call_id
where r.transcription is not null
    and not exists (select from call_turn t where t.org_id = c.org_id and t.call_id = c.id and t.text <> '')
on conflict (org_id, call_id) do update set document = excluded.document;
