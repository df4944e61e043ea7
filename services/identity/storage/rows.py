"""What several repositories share: the columns of a user, and how a transaction goes on as another tenant."""

from __future__ import annotations

from libs.postgres import Connection, Record
from services.identity.domain.people import User
from services.identity.domain.scopes import Role

USER = (
    "u.org_id, u.id, u.email, u.first_name, u.last_name, u.role, u.account_id, u.last_login_at, "
    "u.version as user_version, u.created_at as user_created_at, u.updated_at as user_updated_at"
)


async def enter(conn: Connection, org_id: str) -> None:
    """Continue this transaction as a tenant that it creates, or as the account of a user that it changes."""
    await conn.execute("select set_config('app.org', $1, true)", org_id)


def user_of(row: Record) -> User:
    return User(
        id=row["id"],
        org_id=row["org_id"],
        email=row["email"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        role=Role(row["role"]),
        created_at=row["user_created_at"],
        updated_at=row["user_updated_at"],
        account_id=row["account_id"],
        version=row["user_version"],
        last_login_at=row["last_login_at"],
    )
