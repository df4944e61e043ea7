-- Sources (addresses that entries follow) and their pages, each of which is an entry.
set local lock_timeout = '5s';

create table source (
    org_id text collate "C" not null,
    id text collate "C" not null,
    kind text not null check (kind in ('url', 'sitemap')),
    url text not null,
    title text not null,                            -- '' where each page names itself
    category text not null,
    tags text[] not null,
    refresh_seconds integer not null,               -- 0: by request alone
    status text not null check (status in ('pending', 'current', 'failed')),
    error_code text not null,
    error_message text not null,
    page_count integer not null,
    stale_since timestamptz,
    checked_at timestamptz,
    changed_at timestamptz,
    next_refresh_at timestamptz,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id)
);
create index source_newest on source (org_id, created_at desc, id desc);
create index source_by_status on source (org_id, status, created_at desc, id desc);
create index source_due on source (next_refresh_at) where next_refresh_at is not null;

create table source_page (
    org_id text collate "C" not null,
    source_id text collate "C" not null,
    url text not null,
    entry_id text collate "C" not null,
    etag text not null,
    last_modified text not null,
    sha256 text not null,
    primary key (org_id, source_id, url),
    foreign key (org_id, source_id) references source (org_id, id) on delete cascade,
    foreign key (org_id, entry_id) references entry (org_id, id) on delete cascade
);
create index source_page_by_entry on source_page (org_id, entry_id);

select enable_tenant_rls('source');
select enable_tenant_rls('source_page');
