-- What the sweep of top-ups that were never paid walks.
set local lock_timeout = '5s';

create index top_up_unpaid on top_up (updated_at) where status in ('failed', 'expired');
