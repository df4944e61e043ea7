-- What the sweep of ended API keys walks, and the newest sessions of a user whatever their state.
set local lock_timeout = '5s';

create index api_key_by_end on api_key (least(revoked_at, expires_at)) where revoked_at is not null or expires_at is not null;
create index session_of_user on session (org_id, user_id, created_at desc, id desc);
