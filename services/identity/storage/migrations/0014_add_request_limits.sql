-- Rate limits of an organization in percent of the usual ones, set by operators.
set local lock_timeout = '5s';

alter table organization add column limit_percent integer not null default 100;
-- Checked by 0017, beside readers and writers.
alter table organization
    add constraint organization_limit_percent_check check (limit_percent between 1 and 10000) not valid;
alter table organization add column limit_reason text not null default '';
