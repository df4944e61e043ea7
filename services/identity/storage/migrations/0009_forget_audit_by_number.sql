-- The chain is by number, so the retention deletes by number too: an old entry after a younger one stays until that one
-- goes. Seals go in their order for the same reason.
set local lock_timeout = '5s';

create or replace function forget_audit(before timestamptz, most integer) returns bigint
    language plpgsql security definer set search_path from current as $$
declare
    gone bigint := 0;
    deleted bigint;
    kept bigint;
    org text;
begin
    if before > clock_timestamp() - interval '90 days' then
        raise exception 'the audit log keeps 90 days at least';
    end if;
    for org in select distinct l.org_id from audit_log l where l.created_at < before
    loop
        -- The smallest number that is kept: the first that is young, or that no seal covers.
        kept := least(
            (select l.number from audit_log l where l.org_id = org and l.created_at >= before order by l.number limit 1),
            1 + coalesce((select max(s.last_number) from audit_seal s where s.org_id = org), 0));
        delete from audit_log a where a.org_id = org and a.number in (
            select l.number from audit_log l where l.org_id = org and l.number < kept order by l.number limit most - gone);
        get diagnostics deleted = row_count;
        gone := gone + deleted;
        exit when gone >= most;
    end loop;
    if gone >= most then
        return gone;
    end if;
    delete from audit_seal s using (
        select n.org_id, max(n.number) as last, min(n.number) filter (where n.created_at >= before or exists (
            select from audit_log l where l.org_id = n.org_id and l.number <= n.last_number)) as kept
        from audit_seal n group by n.org_id
    ) k where s.org_id = k.org_id and s.number < coalesce(k.kept, k.last);
    return gone;
end
$$;
