-- What the writers acknowledge and what the jobs did about it.
set local lock_timeout = '5s';

create table written (
    operation text collate "C" primary key,
    org_id text collate "C" not null,
    written_at timestamptz not null default clock_timestamp()
);
select enable_tenant_rls('written');

-- No unique key on purpose: a doubled effect must show as two rows.
create table effect (
    id bigint generated always as identity primary key,
    org_id text collate "C" not null,
    operation text collate "C" not null,
    kind text not null,
    worker text not null,
    done_at timestamptz not null default clock_timestamp()
);
select enable_tenant_rls('effect');
create index effect_by_operation on effect (operation, kind);
