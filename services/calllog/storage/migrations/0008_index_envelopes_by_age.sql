-- What the sweep of old webhook bodies walks.
set local lock_timeout = '5s';

create index envelope_by_age on envelope (received_at);
