"""What several repositories share: the columns of users and organizations, and what they make."""

from __future__ import annotations

from libs.postgres import Record
from services.identity.domain.agent_grants import AgentAccess
from services.identity.domain.people import Organization, OrganizationStatus, User
from services.identity.domain.scopes import Role

USER = (
    "u.org_id, u.id, u.email, u.first_name, u.last_name, u.role, u.account_id, u.last_login_at, u.agent_access, "
    "u.version as user_version, u.created_at as user_created_at, u.updated_at as user_updated_at"
)
ORGANIZATION = (
    "g.org_id as organization_id, g.name, g.time_zone, g.version, g.created_at, g.updated_at, g.parent_id, g.status"
)


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
        agent_access=AgentAccess(row["agent_access"]),
    )


def organization_of(row: Record) -> Organization:
    return Organization(
        row["organization_id"], row["name"], row["time_zone"], row["created_at"], row["updated_at"], row["version"],
        row["parent_id"] or "", OrganizationStatus(row["status"]),
    )  # fmt: skip
