"""The scopes of each role. identity grants by this table; gateways keep its fingerprint beside what it granted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from suite.services import AREAS

EVERYTHING = "*"
"""The scope that contains all others."""

_READ = frozenset(f"{area}:read" for area in AREAS)
_MEMBER_WRITES = frozenset(f"{area}:write" for area in ("agents", "knowledge", "calls", "realtime"))

ROLE_SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "owner": frozenset({EVERYTHING}),
        "admin": frozenset({EVERYTHING}),
        "member": _READ | _MEMBER_WRITES,
        "viewer": _READ,
    }
)
"""Role -> scopes."""


def fingerprint(table: Mapping[str, frozenset[str]]) -> str:
    """The same text for the same scopes of the same roles, in any process."""
    rows = {role: sorted(scopes) for role, scopes in table.items()}
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]


FINGERPRINT = fingerprint(ROLE_SCOPES)
"""Of this release's table. A release that takes a right away has another one."""
