-- Proved hosts are looked at again: a zone that changes hands must not show another organization's look.
set local lock_timeout = '5s';

alter table white_label_host add column checked_at timestamptz;
-- Since when the record is not what it should be; null while it is.
alter table white_label_host add column missing_since timestamptz;

create index white_label_host_unchecked on white_label_host (checked_at nulls first) where verified_at is not null;
