-- The checks that 0012 and 0014 left to be looked at. Readers and writers go on beside this.
set local lock_timeout = '5s';

alter table app_user validate constraint app_user_agent_access_check;
alter table organization validate constraint organization_limit_percent_check;
