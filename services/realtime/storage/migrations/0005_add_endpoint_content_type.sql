-- The media type of an endpoint's deliveries, whose bytes are the same.
set lock_timeout = '5s';

alter table webhook_endpoint
    add column content_type text not null default 'application/json'
        check (content_type in ('application/json', 'application/cloudevents+json'));
