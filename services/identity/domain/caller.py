"""The caller of a session token or an API key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from suite.roles import EVERYTHING, ROLE_SCOPES

from .request_limits import USUAL_PERCENT
from .scopes import Role, effective


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: by a session (session_id) or by a key (api_key_id, scopes as the key was given them). `home_org_id` is
    the organization that it belongs to, where it acts in a customer of that one; else empty. `granted` has the agents
    that it is limited to, each with whether it may change it; None: all."""

    org_id: str
    user_id: str
    role: Role
    expires_at: datetime | None
    session_id: str = ""
    api_key_id: str = ""
    scopes: tuple[str, ...] = (EVERYTHING,)
    allowed_addresses: tuple[str, ...] = ()
    home_org_id: str = ""
    granted: Mapping[str, bool] | None = None
    # Of the organization in which it acts.
    limit_percent: int = USUAL_PERCENT

    @property
    def effective_scopes(self) -> frozenset[str]:
        """The scopes of this caller now."""
        return effective(self.scopes, self.role) if self.api_key_id else ROLE_SCOPES[self.role]
