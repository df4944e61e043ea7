-- Entries (what a customer manages), their documents (files as uploaded) and chunks (passages, what a search finds).
set local lock_timeout = '5s';

create table entry (
    org_id text collate "C" not null,
    id text collate "C" not null,
    title text not null,
    category text not null,
    tags text[] not null,
    status text not null check (status in ('processing', 'completed', 'failed')),
    document_id text collate "C" not null,          -- '' for a text entry
    content text,                                   -- only of a text entry; never read by lists
    source text not null,
    media_type text not null,
    byte_size bigint not null,
    page_count integer not null,
    chunk_count integer not null,
    error_code text not null,
    error_message text not null,
    wanted_build text collate "C" not null,         -- the build whose result may become the index
    index_id text collate "C" not null,             -- the build that searches read; '' before the first
    index_version integer not null,
    embedding_model text collate "C" not null,      -- of index_id; '' where it has no vectors
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Letters and digits only, so that the words of a title and the words of a search are cut alike.
    search tsvector not null generated always as (
        to_tsvector('simple', regexp_replace(title || ' ' || category || ' ' || source, '[^[:alnum:]]+', ' ', 'g'))
    ) stored,
    primary key (org_id, id)
);

create index entry_newest on entry (org_id, created_at desc, id desc);
create index entry_by_update on entry (org_id, updated_at desc, id desc);
create index entry_by_title on entry (org_id, title, id);
create index entry_by_status on entry (org_id, status, created_at desc, id desc);
create index entry_by_category on entry (org_id, category, created_at desc, id desc);
create index entry_by_model on entry (org_id, embedding_model) where index_id <> '';
create index entry_search on entry using gin (org_id, search);
create index entry_tags on entry using gin (org_id, tags);

create table document (
    org_id text collate "C" not null,
    id text collate "C" not null,
    entry_id text collate "C" not null,
    status text not null check (status in ('processing', 'completed', 'failed')),
    progress integer not null check (progress between 0 and 100),
    total_pages integer not null,
    processed_pages integer not null,
    chunk_count integer not null,
    error_code text not null,
    error_message text not null,
    job_id text not null,
    file_name text not null,
    media_type text not null,
    byte_size bigint not null,
    sha256 text not null,
    blob_key text not null,                         -- '' once a newer document took this one's place
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id),
    foreign key (org_id, entry_id) references entry (org_id, id) on delete cascade
);

create index document_by_entry on document (org_id, entry_id);

-- Rows of a build are written before the build becomes its entry's index; readers join on entry.index_id, so they see
-- one whole build or another.
create table chunk (
    org_id text collate "C" not null,
    id text collate "C" not null primary key,
    entry_id text collate "C" not null,
    index_id text collate "C" not null,
    position integer not null,
    text text not null,
    heading text not null,
    page integer not null,
    token_count integer not null,
    created_at timestamptz not null default clock_timestamp(),
    words tsvector not null generated always as (
        setweight(to_tsvector('english', heading), 'B') || to_tsvector('english', text)
    ) stored,
    foreign key (org_id, entry_id) references entry (org_id, id) on delete cascade
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

create unique index chunk_in_order on chunk (org_id, entry_id, index_id, position);
create index chunk_words on chunk using gin (org_id, words);

-- Not forced on the owner: the search functions run as the owner and name the organisation themselves.
select enable_tenant_rls('entry', false);
select enable_tenant_rls('document');
select enable_tenant_rls('chunk', false);

-- Row level security keeps the planner from using the GIN indexes (@@ and @> are not leakproof), hence the owner's rights.
create function entry_matching(asked text) returns setof text
language sql stable security definer set search_path = knowledge, pg_temp
as $$
    select e.id
    from entry e
    where e.org_id = current_setting('app.org', true)
      and e.search @@ (
          select string_agg(quote_literal(t.lexeme) || ':*', ' & ')::tsquery
          from unnest(to_tsvector('simple', regexp_replace(asked, '[^[:alnum:]]+', ' ', 'g'))) t
      )
$$;

create function entry_tagged(wanted text[]) returns setof text
language sql stable security definer set search_path = knowledge, pg_temp
as $$
    select e.id from entry e where e.org_id = current_setting('app.org', true) and e.tags @> wanted
$$;
