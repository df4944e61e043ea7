-- Gateways keep principals in Redis for an hour. Whatever a principal is made of tells the caches when it changes, by the
-- hash of the credential: in triggers, so that no statement can forget it. The relay applies the rows.
set local lock_timeout = '5s';

create function tell_of_credentials(hashes bytea[]) returns void
    language sql set search_path from current as $$
    insert into cache_invalidation (event_id, org_id, topic, key)
    select 'chg_' || replace(gen_random_uuid()::text, '-', ''), '', 'credential.changed', encode(h.hash, 'hex')
    from unnest(hashes) h (hash) where h.hash is not null
$$;

-- All credentials of a user that may still work.
create function credentials_of(of_org text, of_user text) returns bytea[]
    language sql stable set search_path from current as $$
    select array(
        select s.token_hash from session s
        where s.org_id = of_org and s.user_id = of_user and s.revoked_at is null
        union all
        select f.token_hash from session s
        join former_session_token f on f.org_id = s.org_id and f.session_id = s.id
        where s.org_id = of_org and s.user_id = of_user and s.revoked_at is null
        union all
        select h.hash from api_key k cross join lateral (values (k.key_hash), (k.previous_hash)) h (hash)
        where k.org_id = of_org and k.created_by = of_user and k.revoked_at is null)
$$;

create function session_changed() returns trigger language plpgsql set search_path from current as $$
begin
    perform tell_of_credentials(array(
        select f.token_hash from former_session_token f where f.org_id = old.org_id and f.session_id = old.id
        union all select old.token_hash));
    return null;
end
$$;

create function former_token_changed() returns trigger language plpgsql set search_path from current as $$
begin
    perform tell_of_credentials(array[coalesce(old.token_hash, new.token_hash)]);
    return null;
end
$$;

create function key_changed() returns trigger language plpgsql set search_path from current as $$
begin
    perform tell_of_credentials(array[old.key_hash, old.previous_hash]);
    return null;
end
$$;

create function user_changed() returns trigger language plpgsql set search_path from current as $$
begin
    perform tell_of_credentials(credentials_of(old.org_id, old.id));
    return null;
end
$$;

create function grant_changed() returns trigger language plpgsql set search_path from current as $$
declare
    changed agent_grant := coalesce(new, old);
begin
    perform tell_of_credentials(credentials_of(changed.org_id, changed.user_id));
    return null;
end
$$;

-- An organization has too many credentials to name them.
create function organization_changed() returns trigger language plpgsql set search_path from current as $$
begin
    insert into cache_invalidation (event_id, org_id, topic, key)
    values ('chg_' || replace(gen_random_uuid()::text, '-', ''), '', '*', '');
    return null;
end
$$;

create trigger credentials after update on session for each row
    when (old.token_hash is distinct from new.token_hash or old.revoked_at is distinct from new.revoked_at
        or new.expires_at < old.expires_at)
    execute function session_changed();
create trigger credentials_gone after delete on session for each row when (old.revoked_at is null)
    execute function session_changed();
create trigger credentials after insert or update or delete on former_session_token for each row
    execute function former_token_changed();
create trigger credentials after update on api_key for each row
    when ((old.key_hash, old.previous_hash, old.previous_until, old.scopes, old.expires_at, old.revoked_at,
           old.allowed_addresses)
        is distinct from (new.key_hash, new.previous_hash, new.previous_until, new.scopes, new.expires_at,
           new.revoked_at, new.allowed_addresses))
    execute function key_changed();
create trigger credentials_gone after delete on api_key for each row execute function key_changed();
create trigger credentials after update on app_user for each row
    when (old.role is distinct from new.role or old.agent_access is distinct from new.agent_access)
    execute function user_changed();
create trigger credentials_gone after delete on app_user for each row execute function user_changed();
create trigger credentials after insert or update or delete on agent_grant for each row execute function grant_changed();
create trigger credentials after update on organization for each row
    when ((old.status, old.parent_id, old.limit_percent) is distinct from (new.status, new.parent_id, new.limit_percent))
    execute function organization_changed();
create trigger credentials_gone after delete on organization for each row execute function organization_changed();
