-- From where an API key may be used: networks in CIDR notation; none means from anywhere.
set local lock_timeout = '5s';

alter table api_key add column allowed_addresses text[] not null default '{}';
