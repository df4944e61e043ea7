-- Kinds of mails that a user does not want; without a row they are sent.
set lock_timeout = '5s';

create table mail_opt_out (
    org_id text collate "C" not null,
    user_id text collate "C" not null,
    kind text collate "C" not null,
    created_at timestamptz not null default now(),
    primary key (org_id, user_id, kind)
);

select enable_tenant_rls('mail_opt_out');
