-- The record of a changed row in one statement. Every function with a search path of its own, and every SQL function in
-- another one, costs a start of the executor: an update with four changed columns took 0.3 ms. What is shown is the same.
set local lock_timeout = '5s';

-- A column as the log may show it.
create function audit_column(name text, shown jsonb, hidden text[]) returns jsonb
    language plpgsql immutable set search_path from current as $$
declare
    kind text := jsonb_typeof(shown);
begin
    if kind = 'null' then
        return shown;
    elsif name = any (hidden) or audit_hides(name) then
        return '"(hidden)"';
    elsif kind in ('number', 'boolean') then
        return shown;
    elsif kind = 'string' then
        if (shown #>> '{}') like '\\x%' then
            return '"(binary)"';
        elsif length(shown #>> '{}') > 1000 then
            return to_jsonb(left(shown #>> '{}', 1000) || '…');
        end if;
        return shown;
    elsif length(shown::text) > 8000 then
        return '"(long)"';
    end if;
    return audit_value(shown, 0);
end
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
    before jsonb;
    after jsonb;
begin
    -- A write that changes thousands of rows, such as the deletion of a long entry, keeps the first of them.
    if length(so_far) > 60000 then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(o.key, audit_column(o.key, o.value, hidden)),
            jsonb_object_agg(o.key, audit_column(o.key, new_row -> o.key, hidden))
        into before, after
        from jsonb_each(old_row) o where o.value is distinct from new_row -> o.key;
    else
        select jsonb_object_agg(w.key, audit_column(w.key, w.value, hidden)) into after from jsonb_each(whole) w;
        if tg_op = 'DELETE' then
            before := after;
            after := null;
        end if;
    end if;
    perform set_config('app.audit_changes', so_far || case when so_far = '' then '' else ',' end || jsonb_build_object(
        'table', tg_table_name, 'operation', lower(tg_op), 'org', whole -> 'org_id',
        'id', coalesce(whole ->> 'id', whole ->> 'org_id'), 'before', coalesce(before, '{}'),
        'after', coalesce(after, '{}'))::text, true);
    return null;
end
$$;

drop function audit_row(jsonb, text[]);
drop function audit_view(jsonb);
