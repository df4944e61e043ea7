-- Top-ups and what payment providers told of them; credit that operators granted.
set local lock_timeout = '5s';

create table top_up (
    org_id text collate "C" not null,
    id text collate "C" not null,
    amount_micros bigint not null check (amount_micros > 0),
    currency text not null,
    provider text not null,
    status text not null check (status in ('pending', 'settled', 'failed', 'expired', 'reversed')),
    -- The provider's names of the checkout and of the payment; null until they are known.
    checkout_id text,
    payment_ref text,
    payment_url text not null,
    reversed_micros bigint not null check (reversed_micros between 0 and amount_micros),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id)
);

-- Not led by the organisation: a notice names only the checkout or the payment.
create unique index top_up_checkout on top_up (provider, checkout_id);
create unique index top_up_payment on top_up (provider, payment_ref);
create index top_up_pending on top_up (org_id) where status = 'pending';

-- Refunds and disputes. They may be told before their payment, so they name no organisation.
create table payment_reversal (
    provider text not null,
    id text not null,
    kind text not null check (kind in ('refund', 'refund_total', 'dispute')),
    payment_ref text not null,
    amount_minor bigint not null check (amount_minor >= 0),
    currency text not null,
    stands boolean not null,
    told_at bigint not null,
    received_at timestamptz not null,
    primary key (provider, id)
);

create index payment_reversal_of_payment on payment_reversal (provider, payment_ref);

-- Each notice once. Its effects have ledger keys of their own, so that forgetting old notices credits nothing twice.
create table payment_notice (
    provider text not null,
    id text not null,
    type text not null,
    outcome text not null,
    top_up_id text not null,
    received_at timestamptz not null,
    primary key (provider, id)
);

create index payment_notice_by_time on payment_notice (received_at);

-- The audit of granted credit: who gave it, and why.
create table credit_grant (
    org_id text collate "C" not null,
    id text collate "C" not null,
    amount_micros bigint not null check (amount_micros > 0),
    currency text not null,
    reason text not null,
    granted_by_org text not null,
    granted_by_user text not null,
    granted_by_key text not null,
    request_id text not null,
    ledger_entry_id text collate "C" not null,
    created_at timestamptz not null,
    primary key (org_id, id),
    foreign key (org_id, ledger_entry_id) references ledger_entry (org_id, id)
);

select enable_tenant_rls('top_up');
select enable_tenant_rls('credit_grant');

create trigger credit_grant_append_only before update or delete on credit_grant
    for each row execute function refuse_change();
create trigger credit_grant_no_truncate before truncate on credit_grant
    for each statement execute function refuse_change();
