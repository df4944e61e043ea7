-- Rate limits of an organization in percent of the usual ones, set by operators.
set local lock_timeout = '5s';

alter table organization add column limit_percent integer not null default 100 check (limit_percent between 1 and 10000);
alter table organization add column limit_reason text not null default '';
