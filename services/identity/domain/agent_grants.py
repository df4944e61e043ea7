"""Which agents a user reaches: all of its organization's, or those that it was granted. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from libs.ids import is_id
from suite.roles import EVERYTHING, ROLE_SCOPES
from suite.tables import AGENT_GRANTS_PER_USER

from .scopes import Role


class AgentAccess(enum.StrEnum):
    ALL = "all"
    GRANTED = "granted"


@dataclass(frozen=True, slots=True)
class AgentGrant:
    """`granted_by` is the user who gave it last."""

    agent_id: str
    writable: bool
    granted_by: str = ""
    created_at: datetime | None = None


def is_limited(access: AgentAccess, role: Role) -> bool:
    """Whether a user of this role is held to its grants. Who may lift the limit is not."""
    return access is AgentAccess.GRANTED and EVERYTHING not in ROLE_SCOPES[role]


def check_grants(access: AgentAccess, grants: Sequence[AgentGrant], role: Role) -> None:
    """Raises where a user of this role cannot have this access and these grants. Whether an agent exists is not asked:
    the id of none opens nothing."""
    if access is AgentAccess.GRANTED and not is_limited(access, role):
        raise FailedPrecondition(
            "role_reaches_all_agents", "Owners and admins reach all agents. Change the role first."
        )
    found = []
    if access is AgentAccess.ALL and grants:
        found.append(Violation("#/grants", "must_be_empty", "Name no agents where all are reached."))
    if len(grants) > AGENT_GRANTS_PER_USER:
        found.append(Violation("#/grants", "too_many", f"At most {AGENT_GRANTS_PER_USER} agents."))
    known: set[str] = set()
    for index, grant in enumerate(grants[:AGENT_GRANTS_PER_USER]):
        if not is_id(grant.agent_id, "agt"):
            found.append(Violation(f"#/grants/{index}/agentId", "invalid_format", "Must be the id of an agent."))
        elif grant.agent_id in known:
            found.append(Violation(f"#/grants/{index}/agentId", "duplicate", "This agent is named twice."))
        known.add(grant.agent_id)
    if found:
        raise InvalidArgument("validation_failed", "The grants are not valid.", violations=found)
