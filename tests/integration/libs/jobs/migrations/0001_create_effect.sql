-- What the test handlers do: one row an effect.
set local lock_timeout = '5s';

create table effect (
    id bigint generated always as identity primary key,
    org_id text collate "C" not null,
    job_id text collate "C" not null,
    worker text not null default '',
    note text not null default ''
);
select enable_tenant_rls('effect');
