-- The longest call of an agent. Null: the provider's own limit; also what releases before this column write.
set local lock_timeout = '5s';

alter table agent add column max_duration_seconds integer;
