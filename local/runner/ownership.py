"""Whose database is it? One that another checkout migrated holds roles with that checkout's passwords, and values that
only its keys decrypt. It is noticed before migrations would change the passwords under the other one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from local.runner.external import place
from local.runner.keys import Keys
from local.runner.topology import with_login
from local.stores import StoreFailed, run_sql
from suite.services import SERVICES


def require_own(admin_dsn: str, keys: Keys, keys_file: Path, given: Mapping[str, str]) -> None:
    """Raises StoreFailed when a role of the suite is there and does not know this installation's password."""
    passwords = {
        f"{service}_{use}": keys.role_password(service, use) for service in SERVICES for use in ("app", "system")
    }
    # Names of our own table, so quoting is safe without parameters, which psql -c does not have.
    quoted = ", ".join(f"'{role}'" for role in passwords)
    known = run_sql(admin_dsn, f"select rolname from pg_roles where rolname in ({quoted}) order by 1").split()  # noqa: S608
    # One role is enough: all passwords come from the same file.
    if not known or not _is_refused(admin_dsn, known[0], passwords[known[0]]):
        return
    if given.get("DATABASE_URL"):
        raise StoreFailed(
            f"The database at {place(admin_dsn)} belongs to another checkout (its role {known[0]} has another password "
            f"than {keys_file}): name that checkout's secrets with ECHOSENSEIX_SECRETS, or name another database."
        )
    raise StoreFailed(
        f"The local database was made with other secrets than {keys_file}: put those back, or begin anew with "
        "`make reset`."
    )


def _is_refused(dsn: str, role: str, password: str) -> bool:
    """Whether the password is wrong: the server says the same to one that must be. Another refusal, such as a database
    that the role may not enter, comes after the password was right."""
    said = _login_error(dsn, role, password)
    return bool(said) and said == _login_error(dsn, role, secrets.token_hex(16))


def _login_error(dsn: str, role: str, password: str) -> str:
    try:
        run_sql(with_login(dsn, role, password), "select 1")
    except StoreFailed as error:
        return str(error)
    return ""
