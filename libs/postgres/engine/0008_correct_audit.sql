-- Changes for the audit log name the organization of their row, hide secrets of every type, and fail for no value. A
-- table may hide further columns. Counters of quotas are not audited: they are no one's write.
set local lock_timeout = '5s';

create function audit_hides(name text) returns boolean
    language sql immutable as $$
    select name ~* '(hash|secret|password|passphrase|cipher|encrypted|credential|token|authorization|cookie|(api|private)[_-]?key)'
        and name !~ '(_id|Id|_at|At|_count|Count|_prefix|Prefix)$' and name !~* 'max_?tokens$'
$$;

-- A value as the log may show it. Below 16 levels it says "(deep)": the recursion must not exhaust the stack.
create function audit_value(shown jsonb, depth integer) returns jsonb
    language plpgsql immutable as $$
begin
    if jsonb_typeof(shown) in ('object', 'array') and depth > 16 then
        return '"(deep)"';
    elsif jsonb_typeof(shown) = 'object' then
        return (select coalesce(jsonb_object_agg(e.key, case
                    when jsonb_typeof(e.value) <> 'null' and audit_hides(e.key) then '"(hidden)"'::jsonb
                    else audit_value(e.value, depth + 1) end), '{}')
                from jsonb_each(shown) e);
    elsif jsonb_typeof(shown) = 'array' then
        return (select coalesce(jsonb_agg(audit_value(i.value, depth + 1) order by i.number), '[]')
                from jsonb_array_elements(shown) with ordinality i (value, number));
    elsif jsonb_typeof(shown) = 'string' and (shown #>> '{}') like '\\x%' then
        return '"(binary)"';
    elsif jsonb_typeof(shown) = 'string' and length(shown #>> '{}') > 1000 then
        return to_jsonb(left(shown #>> '{}', 1000) || '…');
    end if;
    return shown;
end
$$;

-- A row as the log may show it: no secret, whatever its column and type, no binary value, and long values cut.
create or replace function audit_view(shown jsonb) returns jsonb
    language sql immutable set search_path from current as $$
    select coalesce(jsonb_object_agg(e.key, case
        when jsonb_typeof(e.value) <> 'null' and audit_hides(e.key) then '"(hidden)"'::jsonb
        when jsonb_typeof(e.value) in ('object', 'array') and length(e.value::text) > 8000 then '"(long)"'::jsonb
        else audit_value(e.value, 0) end), '{}')
    from jsonb_each(shown) e
$$;

create function audit_row(shown jsonb, hidden text[]) returns jsonb
    language sql immutable set search_path from current as $$
    select audit_view(coalesce(jsonb_object_agg(e.key, case
        when jsonb_typeof(e.value) <> 'null' and e.key = any (hidden) then '"(hidden)"'::jsonb
        else e.value end), '{}'))
    from jsonb_each(shown) e
$$;

-- Its arguments are the columns that are hidden.
create or replace function audit_change() returns trigger
    language plpgsql set search_path from current as $$
declare
    so_far text := coalesce(current_setting('app.audit_changes', true), '');
    hidden text[] := coalesce(tg_argv::text[], '{}');
    old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    whole jsonb := coalesce(new_row, old_row);
    change jsonb;
begin
    -- A write that changes thousands of rows, such as the deletion of a long entry, keeps the first of them.
    if length(so_far) > 60000 then
        return null;
    end if;
    change := jsonb_build_object('table', tg_table_name, 'operation', lower(tg_op), 'org', whole -> 'org_id',
                                 'id', coalesce(whole ->> 'id', whole ->> 'org_id'));
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key)
        into old_row, new_row
        from jsonb_each(old_row) o where o.value is distinct from new_row -> o.key;
    end if;
    change := change || jsonb_build_object('before', audit_row(coalesce(old_row, '{}'), hidden),
                                           'after', audit_row(coalesce(new_row, '{}'), hidden));
    perform set_config('app.audit_changes', so_far || case when so_far = '' then '' else ',' end || change::text, true);
    return null;
end
$$;

drop function enable_audit(text);
create function enable_audit(target text, hidden text[] default '{}') returns void
    language plpgsql as $$
begin
    if target = 'quota_use' then
        return;
    end if;
    execute format('drop trigger if exists audit on %I.%I', current_schema(), target);
    execute format(
        'create trigger audit after insert or update or delete on %I.%I for each row'
        ' when (current_setting(''app.audited'', true) = ''on'') execute function audit_change(%s)',
        current_schema(), target, (select coalesce(string_agg(quote_literal(h.name), ', '), '') from unnest(hidden) h (name)));
end
$$;
revoke execute on function enable_audit(text, text[]) from public;

drop trigger if exists audit on quota_use;
