-- How an organization shows itself, and the hosts that it has proved to be its own.
set local lock_timeout = '5s';

create table white_label (
    org_id text collate "C" primary key references organization (org_id),
    product_name text not null,
    logo bytea,
    logo_type text not null,
    logo_digest text collate "C" not null,
    primary_color text not null,
    primary_text_color text not null,
    background_color text not null,
    text_color text not null,
    support_email text not null,
    support_url text not null,
    version bigint not null,
    updated_at timestamptz not null
);

-- Not led by the organization: a page names only the digest.
create index white_label_logo on white_label (logo_digest) where logo_digest <> '';

create table white_label_host (
    org_id text collate "C" not null references organization (org_id),
    id text collate "C" not null,
    host text collate "C" not null,
    proof text collate "C" not null,
    verified_at timestamptz,
    created_at timestamptz not null
);

create unique index white_label_host_once on white_label_host (org_id, host);
-- Not led by the organization: a host is one organization's.
create unique index white_label_host_verified on white_label_host (host) where verified_at is not null;
create index white_label_host_newest on white_label_host (org_id, created_at desc, id desc);
alter table white_label_host add primary key (org_id, id);

select enable_tenant_rls('white_label');
select enable_tenant_rls('white_label_host');
