-- The knowledge entries that an agent speaks from. Empty: what releases before this column write.
set local lock_timeout = '5s';

alter table agent add column knowledge_entry_ids text[] not null default '{}';
