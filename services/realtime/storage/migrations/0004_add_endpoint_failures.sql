-- How long an endpoint has failed without a success between, and how many deliveries it let run out in that time.
set lock_timeout = '5s';

alter table webhook_endpoint
    add column failing_since timestamptz,
    add column exhausted integer not null default 0;

create index mail_age on mail (created_at);
