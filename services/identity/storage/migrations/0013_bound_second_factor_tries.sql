-- How people sign in: subjects of a provider can be turned off, and codes of the second factor have a bound in all.
set local lock_timeout = '5s';

alter table account_link add column disabled_at timestamptz;
-- Codes that were tried since the last right one. Not in Redis, which may forget.
alter table account add column factor_tries integer not null default 0;
