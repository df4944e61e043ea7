-- A unique key may be held by a job that has ended too, in the ends that are named here (space-separated).
set local lock_timeout = '5s';

alter table job add column unique_ends text;
drop index job_unique;
create unique index job_unique on job (queue, org_id, unique_key)
    where unique_key is not null and (finished_at is null or position(state in unique_ends) > 0);
