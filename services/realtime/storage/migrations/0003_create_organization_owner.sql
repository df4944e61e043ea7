-- Whom the suite's own mails go to, as identity's events tell it: one row for each owner of an organisation.
set lock_timeout = '5s';

create table organization_owner (
    org_id text collate "C" not null,
    user_id text collate "C" not null,
    email text not null,
    primary key (org_id, user_id)
);

-- Owners who registered before this table was there: the log still has their events. Forced row security would hide
-- them from the table's owner, who runs migrations.
alter table event no force row level security;
insert into organization_owner (org_id, user_id, email)
select org_id, envelope -> 'data' ->> 'userId', envelope -> 'data' ->> 'email'
from event
where type = 'user.created' and envelope -> 'data' ->> 'role' = 'owner'
  and envelope -> 'data' ->> 'userId' is not null and envelope -> 'data' ->> 'email' is not null
on conflict do nothing;
alter table event force row level security;

select enable_tenant_rls('organization_owner');
