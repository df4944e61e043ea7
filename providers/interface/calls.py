"""What a provider's API can be asked about calls: plain values and a protocol that a provider's module implements.

Errors of every function are RemoteApi's: Unauthenticated, NotFound, ResourceExhausted, Unavailable.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.http.api import RemoteApi


@dataclass(frozen=True, slots=True)
class EndedCalls:
    """One page of calls that have ended, as the provider's ids. `next_cursor` is empty on the last page."""

    ids: tuple[str, ...]
    next_cursor: str


class CallSource(Protocol):
    async def list_ended(self, api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
        """Calls that began after `since` and have ended."""

    async def fetch_report(self, api: RemoteApi, call_id: str) -> bytes:
        """A call in the envelope that its webhook would have carried."""
