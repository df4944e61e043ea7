"""The gRPC methods. Each is one use case: check the caller, act, append the event, answer.

One file for each thing that the proto service is about; `IdentityServicer` is their sum.
"""

from __future__ import annotations

from .accounts import AccountMethods
from .api_keys import ApiKeyMethods
from .children import ChildServicer
from .members import MemberMethods
from .operators import OperatorServicer
from .own_account import OwnAccountMethods
from .parts import Parts
from .registration import RegistrationMethods
from .sessions import SessionMethods

__all__ = ["AccountServicer", "ChildServicer", "IdentityServicer", "MemberServicer", "OperatorServicer", "Parts"]


class IdentityServicer(RegistrationMethods, AccountMethods, SessionMethods, ApiKeyMethods):
    """IdentityService."""


class MemberServicer(MemberMethods):
    """MemberService."""


class AccountServicer(OwnAccountMethods):
    """AccountService."""
