-- The legs of a ledger transaction are written by one statement, so the balance is checked once a statement and not once
-- a leg. The rule is stricter than before: the legs of each statement must balance among themselves.
set local lock_timeout = '5s';

create function check_added_legs() returns trigger language plpgsql as $$
begin
    if exists (
        select from added a group by a.org_id, a.transaction_id having sum(a.amount_micros) <> 0 or count(*) < 2
    ) then
        raise exception 'ledger transaction is not balanced' using errcode = 'check_violation';
    end if;
    return null;
end
$$;

drop trigger ledger_entry_balanced on ledger_entry;
drop function check_balanced();
create trigger ledger_entry_balanced after insert on ledger_entry referencing new table as added
    for each statement execute function check_added_legs();
