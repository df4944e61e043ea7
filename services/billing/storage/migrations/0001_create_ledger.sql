-- Meters and prices, accounts, usage events with their ratings, and the double-entry ledger.
set local lock_timeout = '5s';

-- What can be counted; the same for every organisation, so without row level security.
create table meter (
    name text primary key,
    unit text not null,
    description text not null
);

create table plan (
    id text primary key,
    name text not null,
    currency text not null
);

-- price_micros for `per` units, counted in steps of increment_micros millionths of a unit.
create table plan_rate (
    plan_id text not null references plan (id),
    meter text not null references meter (name),
    effective_from timestamptz not null,
    price_micros bigint not null check (price_micros >= 0),
    per bigint not null check (per > 0),
    increment_micros bigint not null check (increment_micros > 0),
    primary key (plan_id, meter, effective_from)
);

create table account (
    org_id text collate "C" primary key,
    plan_id text not null references plan (id),
    currency text not null,
    posted_micros bigint not null,
    reserved_micros bigint not null check (reserved_micros >= 0),
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- A price agreed with one organisation stands before its plan's.
create table rate_override (
    org_id text collate "C" not null,
    meter text not null references meter (name),
    effective_from timestamptz not null,
    price_micros bigint not null check (price_micros >= 0),
    per bigint not null check (per > 0),
    increment_micros bigint not null check (increment_micros > 0),
    primary key (org_id, meter, effective_from)
);

create table usage_event (
    org_id text collate "C" not null,
    id text collate "C" not null,
    meter text not null references meter (name),
    event_time timestamptz not null,
    quantity_micros bigint not null check (quantity_micros >= 0),
    subject text not null,
    properties jsonb not null,
    agent_id text collate "C" not null,
    provider text not null,
    -- Set when a call of the suite made it; '' when a client sent it.
    call_id text collate "C" not null,
    digest bytea not null,
    created_at timestamptz not null
);

create unique index usage_event_of_call on usage_event (org_id, call_id) where call_id <> '';
create index usage_event_newest on usage_event (org_id, created_at desc, id desc);
create index usage_event_by_meter on usage_event (org_id, meter, created_at desc, id desc);
create index usage_event_by_time on usage_event (org_id, event_time);
-- Primary keys last, because among indexes of equal cost the planner takes the youngest: without statistics it else
-- reads a whole organisation for each foreign key.
alter table usage_event add primary key (org_id, id);

create table ledger_transaction (
    org_id text collate "C" not null,
    id text collate "C" not null,
    type text not null check (type in ('grant', 'top_up', 'usage', 'adjustment', 'refund')),
    -- The same thing is never posted twice: 'usage:<event id>', 'trial_grant', 'top_up:<id>'.
    key text not null,
    created_at timestamptz not null,
    unique (org_id, key)
);
alter table ledger_transaction add primary key (org_id, id);

create table ledger_entry (
    org_id text collate "C" not null,
    id text collate "C" not null,
    transaction_id text collate "C" not null,
    account text not null check (account in ('customer', 'promotions', 'payments', 'revenue')),
    type text not null,
    amount_micros bigint not null,
    currency text not null,
    balance_after_micros bigint,
    call_id text collate "C" not null,
    usage_event_id text collate "C" not null,
    description text not null,
    created_at timestamptz not null,
    foreign key (org_id, transaction_id) references ledger_transaction (org_id, id),
    check ((account = 'customer') = (balance_after_micros is not null))
);

create index ledger_entry_newest on ledger_entry (org_id, created_at desc, id desc) where account = 'customer';
create index ledger_entry_by_type on ledger_entry (org_id, type, created_at desc, id desc) where account = 'customer';
create index ledger_entry_by_call on ledger_entry (org_id, call_id) where account = 'customer' and call_id <> '';
create index ledger_entry_by_usage on ledger_entry (org_id, usage_event_id) where account = 'customer';
alter table ledger_entry add primary key (org_id, id);
create unique index ledger_entry_of_transaction on ledger_entry (org_id, transaction_id, account);

-- What a usage event cost, and the transaction that charged it.
create table usage_rating (
    org_id text collate "C" not null,
    usage_event_id text collate "C" not null,
    amount_micros bigint not null check (amount_micros >= 0),
    currency text not null,
    transaction_id text collate "C" not null,
    rated_at timestamptz not null,
    primary key (org_id, usage_event_id),
    foreign key (org_id, usage_event_id) references usage_event (org_id, id),
    foreign key (org_id, transaction_id) references ledger_transaction (org_id, id)
);

select enable_tenant_rls('account');
select enable_tenant_rls('rate_override');
select enable_tenant_rls('usage_event');
select enable_tenant_rls('ledger_transaction');
select enable_tenant_rls('ledger_entry');
select enable_tenant_rls('usage_rating');

-- Append-only for everybody, the owner of the tables included.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;

create trigger usage_event_append_only before update or delete on usage_event
    for each row execute function refuse_change();
create trigger usage_event_no_truncate before truncate on usage_event
    for each statement execute function refuse_change();
create trigger usage_rating_append_only before update or delete on usage_rating
    for each row execute function refuse_change();
create trigger usage_rating_no_truncate before truncate on usage_rating
    for each statement execute function refuse_change();
create trigger ledger_transaction_append_only before update or delete on ledger_transaction
    for each row execute function refuse_change();
create trigger ledger_transaction_no_truncate before truncate on ledger_transaction
    for each statement execute function refuse_change();
create trigger ledger_entry_append_only before update or delete on ledger_entry
    for each row execute function refuse_change();
create trigger ledger_entry_no_truncate before truncate on ledger_entry
    for each statement execute function refuse_change();

-- Legs that do not sum to zero with the others of their transaction cannot be committed, neither with it nor later.
create function check_balanced() returns trigger language plpgsql as $$
begin
    if (select sum(e.amount_micros) <> 0 or count(*) < 2 from ledger_entry e
        where e.org_id = new.org_id and e.transaction_id = new.transaction_id) then
        raise exception 'ledger transaction is not balanced' using errcode = 'check_violation';
    end if;
    return null;
end
$$;

create constraint trigger ledger_entry_balanced after insert on ledger_entry
    deferrable initially deferred for each row execute function check_balanced();

insert into meter (name, unit, description) values
    ('call_seconds', 'second', 'Length of calls'),
    ('llm_tokens', 'token', 'Tokens of language models, prompt and answer'),
    ('tts_characters', 'character', 'Characters of synthesised speech'),
    ('stt_seconds', 'second', 'Transcribed speech'),
    ('tool_calls', 'call', 'Tools called by agents'),
    ('sms_segments', 'segment', 'Sent and received text message segments'),
    ('knowledge_queries', 'query', 'Searches of the knowledge base'),
    ('storage_gb_hours', 'gigabyte hour', 'Stored recordings and documents');

insert into plan (id, name, currency) values ('plan_standard', 'Standard', 'USD');

-- Calls: 0.10 a minute, counted by the second. The rest: per 1,000 or per piece, counted exactly.
insert into plan_rate (plan_id, meter, effective_from, price_micros, per, increment_micros) values
    ('plan_standard', 'call_seconds', '1970-01-01T00:00:00Z', 100000, 60, 1000000),
    ('plan_standard', 'llm_tokens', '1970-01-01T00:00:00Z', 2000, 1000, 1000000),
    ('plan_standard', 'tts_characters', '1970-01-01T00:00:00Z', 30000, 1000, 1000000),
    ('plan_standard', 'stt_seconds', '1970-01-01T00:00:00Z', 6000, 60, 1000000),
    ('plan_standard', 'tool_calls', '1970-01-01T00:00:00Z', 500, 1, 1000000),
    ('plan_standard', 'sms_segments', '1970-01-01T00:00:00Z', 8000, 1, 1000000),
    ('plan_standard', 'knowledge_queries', '1970-01-01T00:00:00Z', 100, 1, 1000000),
    ('plan_standard', 'storage_gb_hours', '1970-01-01T00:00:00Z', 35, 1, 1);
