-- What a user's write changed, row by row, for the audit log. A transaction that sets app.audited to 'on' finds the
-- changes of all tenant tables in app.audit_changes before it commits; every other pays one comparison a row.
set local lock_timeout = '5s';

-- A row as the log may show it: no secret, whatever its column, no binary value, and long texts cut.
create function audit_view(shown jsonb) returns jsonb
    language sql immutable set search_path from current as $$
    select coalesce(jsonb_object_agg(e.key, case
        when e.value = 'null'::jsonb then e.value
        when e.key ~* '(hash|secret|password|cipher|encrypted|credential|token|api_?key$)' and e.key !~* '_(id|at|count)$'
            then '"(hidden)"'::jsonb
        when jsonb_typeof(e.value) = 'string' and (e.value #>> '{}') like '\\x%' then '"(binary)"'::jsonb
        when jsonb_typeof(e.value) = 'string' and length(e.value #>> '{}') > 1000
            then to_jsonb(left(e.value #>> '{}', 1000) || '…')
        when jsonb_typeof(e.value) in ('object', 'array') then
            case when length(e.value::text) > 8000 then '"(long)"'::jsonb
            else regexp_replace(e.value::text,
                '("[^"]*(?:secret|password|token|api_?key|credential)[^"]*": )"(?:[^"\\]|\\.)*"', '\1"(hidden)"', 'gi')::jsonb end
        else e.value end), '{}')
    from jsonb_each(shown) e
$$;

create function audit_change() returns trigger
    language plpgsql set search_path from current as $$
declare
    so_far text := coalesce(current_setting('app.audit_changes', true), '');
    old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    change jsonb;
begin
    -- A write that changes thousands of rows, such as the deletion of a long entry, keeps the first of them.
    if length(so_far) > 60000 then
        return null;
    end if;
    change := jsonb_build_object('table', tg_table_name, 'operation', lower(tg_op),
                                 'id', coalesce(new_row ->> 'id', old_row ->> 'id', new_row ->> 'org_id', old_row ->> 'org_id'));
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key)
        into old_row, new_row
        from jsonb_each(old_row) o where o.value is distinct from new_row -> o.key;
    end if;
    change := change || jsonb_build_object('before', audit_view(coalesce(old_row, '{}')), 'after', audit_view(coalesce(new_row, '{}')));
    perform set_config('app.audit_changes', so_far || case when so_far = '' then '' else ',' end || change::text, true);
    return null;
end
$$;

create function enable_audit(target text) returns void
    language plpgsql as $$
begin
    execute format('drop trigger if exists audit on %I.%I', current_schema(), target);
    execute format(
        'create trigger audit after insert or update or delete on %I.%I for each row'
        ' when (current_setting(''app.audited'', true) = ''on'') execute function audit_change()',
        current_schema(), target);
end
$$;
revoke execute on function enable_audit(text) from public;

-- As before, and every tenant table is audited.
create or replace function enable_tenant_rls(target text, force boolean default true) returns void
    language plpgsql as $$
declare
    schema_name text := current_schema();
begin
    execute format('alter table %I.%I enable row level security', schema_name, target);
    execute format('alter table %I.%I %s row level security', schema_name, target,
                   case when force then 'force' else 'no force' end);
    execute format('drop policy if exists tenant on %I.%I', schema_name, target);
    execute format('drop policy if exists system on %I.%I', schema_name, target);
    execute format(
        'create policy tenant on %I.%I to %I using (org_id = nullif(current_setting(''app.org'', true), ''''))'
        ' with check (org_id = nullif(current_setting(''app.org'', true), ''''))',
        schema_name, target, schema_name || '_app');
    execute format('create policy system on %I.%I to %I using (true) with check (true)',
                   schema_name, target, schema_name || '_system');
    perform enable_audit(target);
end
$$;

do $$
declare
    known text;
begin
    for known in select p.tablename from pg_policies p where p.schemaname = current_schema() and p.policyname = 'tenant'
    loop
        perform enable_audit(known);
    end loop;
end
$$;
