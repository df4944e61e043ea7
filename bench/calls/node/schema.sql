-- What the monolith stores of a call: the same facts as the suite, in one schema, without row level security.
create table integration (token text primary key, org_id text not null, secret text not null);
create table agent (id text primary key, org_id text not null, external_id text not null, version int not null,
    unique (org_id, external_id));
create table envelope (id bigint generated always as identity primary key, org_id text not null, key text not null,
    body bytea not null, received_at timestamptz not null default now(), unique (org_id, key));
create table call (id text primary key, org_id text not null, external_id text not null, agent_id text,
    agent_version int, status text not null, direction text, from_number text, to_number text, successful boolean,
    duration_seconds double precision, started_at timestamptz, ended_at timestamptz, title text, summary text,
    language text, termination_reason text, cost_units bigint, cost_micros bigint, document tsvector,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    unique (org_id, external_id));
create index on call (org_id, created_at desc, id desc);
create index on call (org_id, started_at desc, id desc);
create index on call (org_id, agent_id, created_at desc, id desc);
create index on call (org_id, status, created_at desc, id desc);
create index on call using gin (document);
create table turn (call_id text not null references call, index int not null, role text not null, text text not null,
    time_seconds double precision not null, primary key (call_id, index));
create table facet (org_id text not null, kind text not null, value text not null, call_id text not null references call,
    primary key (org_id, kind, value, call_id));
create table account (org_id text primary key, balance_micros bigint not null);
create table usage_event (id text primary key, org_id text not null, meter text not null, quantity bigint not null,
    event_time timestamptz not null, call_id text not null, created_at timestamptz not null default now());
create index on usage_event (org_id, event_time, id);
create table ledger_transaction (id text primary key, org_id text not null, key text not null,
    created_at timestamptz not null default now(), unique (org_id, key));
create table ledger_entry (id text primary key, org_id text not null, transaction_id text not null
    references ledger_transaction, account text not null, amount_micros bigint not null, balance_after_micros bigint,
    call_id text not null, created_at timestamptz not null default now(), unique (transaction_id, account));
create index on ledger_entry (org_id, created_at desc, id desc);
create index on ledger_entry (org_id, call_id);
create table usage_rating (usage_event_id text primary key references usage_event, amount_micros bigint not null,
    transaction_id text not null references ledger_transaction, rated_at timestamptz not null default now());
create table rollup (org_id text not null, period text not null, bucket timestamptz not null, agent_id text not null,
    calls bigint not null, successful bigint not null, seconds double precision not null, cost_micros bigint not null,
    primary key (org_id, period, bucket, agent_id));
