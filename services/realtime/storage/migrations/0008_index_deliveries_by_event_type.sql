-- The newest deliveries of one type of event to an endpoint. Those of one event are few, and have an index.
set local lock_timeout = '5s';

create index webhook_delivery_type on webhook_delivery (org_id, endpoint_id, event_type, created_at desc, id desc);
