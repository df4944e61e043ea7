"""The gRPC methods. Each is one use case: check the caller, act, append the event, answer.

Three files for one proto service, one for each thing it is about; `IdentityServicer` is their sum.
"""

from __future__ import annotations

from .accounts import AccountMethods
from .api_keys import ApiKeyMethods
from .parts import Parts
from .sessions import SessionMethods

__all__ = ["IdentityServicer", "Parts"]


class IdentityServicer(AccountMethods, SessionMethods, ApiKeyMethods):
    """IdentityService."""
