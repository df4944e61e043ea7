"""Which keys stored values still need is read from the database itself, on a real PostgreSQL."""

from __future__ import annotations

import base64

from libs.crypto import Envelope
from libs.postgres.sealed import kids_in_use
from local.stores import Stores, run_sql


async def test_a_key_is_in_use_while_one_value_of_any_column_names_it(stores: Stores) -> None:
    raw = base64.b64encode(bytes(32)).decode()
    blobs = {kid: Envelope([f"{kid}={raw}"]).encrypt(b"secret", ()).hex() for kid in ("old", "older", "new")}
    admin = stores.postgres_admin_dsn.rpartition("/")[0] + "/sealed"
    run_sql(stores.postgres_admin_dsn, "create database sealed")
    run_sql(
        admin,
        f"""create schema one; create schema two;
        create table one.account (id int, name text, secret bytea, gone bytea);
        alter table one.account drop column gone;
        create table one."Odd Name" (id int, "the Key" bytea) partition by range (id);
        create table one.part partition of one."Odd Name" for values from (0) to (9);
        create table two.account (secret bytea);
        insert into one.account values (1, 'a', '\\x{blobs["new"]}'), (2, 'b', null), (3, 'old', '\\x6f6c64');
        insert into one."Odd Name" values (1, '\\x{blobs["old"]}');
        insert into two.account values ('\\x{blobs["older"]}')""",
    )
    assert await kids_in_use(admin, "one", ["old", "older"]) == {"old": 'one."Odd Name"."the Key"'}
    assert await kids_in_use(admin, "two", ["old", "older"]) == {"older": "two.account.secret"}
    assert await kids_in_use(admin, "one", []) == {}
    run_sql(admin, 'delete from one."Odd Name"')
    assert await kids_in_use(admin, "one", ["old", "older"]) == {}
