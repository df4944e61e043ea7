-- A credential that is made while its user's rights change is either told of or looked up with the new rights: who makes
-- a session, a key, or a new secret holds the user until the end of the transaction, and so does who changes its rights.
-- Both wait for each other, and what comes second sees what came first.
set local lock_timeout = '5s';

create function hold_user_of_session() returns trigger language plpgsql set search_path from current as $$
begin
    perform 1 from app_user u where u.org_id = new.org_id and u.id = new.user_id for share;
    return new;
end
$$;

create function hold_user_of_key() returns trigger language plpgsql set search_path from current as $$
begin
    perform 1 from app_user u where u.org_id = new.org_id and u.id = new.created_by for share;
    return new;
end
$$;

-- An update of the user holds it by itself.
create or replace function grant_changed() returns trigger language plpgsql set search_path from current as $$
declare
    changed agent_grant := coalesce(new, old);
begin
    perform 1 from app_user u where u.org_id = changed.org_id and u.id = changed.user_id for no key update;
    perform tell_of_credentials(credentials_of(changed.org_id, changed.user_id));
    return null;
end
$$;

create trigger credentials_hold before insert or update of token_hash on session for each row
    execute function hold_user_of_session();
create trigger credentials_hold before insert or update of key_hash on api_key for each row
    execute function hold_user_of_key();
