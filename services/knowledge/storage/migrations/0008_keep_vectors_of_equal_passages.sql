-- Re-indexing an entry takes the vectors of passages that did not change from its index of before.
set local lock_timeout = '5s';

alter table chunk add column passage_sha256 text collate "C" not null default '';
create index chunk_by_passage on chunk (org_id, entry_id, passage_sha256);

-- The list of documents.
create index document_newest on document (org_id, created_at desc, id desc);
create index document_by_status on document (org_id, status, created_at desc, id desc);
