-- Agencies and their customers: an organization may have a parent. There is one level, so a customer has no customers.
set local lock_timeout = '5s';

alter table organization add column parent_id text collate "C" references organization (org_id);
alter table organization add column status text not null default 'active'
    check (status in ('active', 'suspended', 'archived'));

create index organization_child_newest on organization (parent_id, created_at desc, org_id desc)
    where parent_id is not null;
create index organization_child_by_name on organization (parent_id, name, org_id) where parent_id is not null;

-- A parent reads the rows of its customers, and writes one only as the customer. A customer does not see its parent.
do $$
begin
    execute format(
        'create policy parent on organization for select to %I using (parent_id = nullif(current_setting(''app.org'', true), ''''))',
        current_schema() || '_app');
end
$$;
