-- Somebody asks for a dead letter to be handled again.
set local lock_timeout = '5s';

alter table inbox_dead add column replay boolean not null default false;
create index inbox_dead_to_replay on inbox_dead (consumer, died_at) where replay;
