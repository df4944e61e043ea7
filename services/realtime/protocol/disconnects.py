"""Close codes of the Centrifugo client protocol. 3500-3999 are terminal, the others make the SDK reconnect. Pure.

A reason is never empty and never JSON: SDKs read both wrongly.
"""

from __future__ import annotations

from typing import NamedTuple


class Disconnect(NamedTuple):
    code: int
    reason: str


SHUTDOWN = Disconnect(3001, "shutdown")
INTERNAL = Disconnect(3004, "internal server error")
EXPIRED = Disconnect(3005, "connection expired")
SLOW = Disconnect(3008, "slow")
INSUFFICIENT_STATE = Disconnect(3010, "insufficient state")
NO_PONG = Disconnect(3012, "no pong")
INVALID_TOKEN = Disconnect(3500, "invalid token")
BAD_REQUEST = Disconnect(3501, "bad request")
STALE = Disconnect(3502, "stale")
FORCED = Disconnect(3503, "force disconnect")
CHANNEL_LIMIT = Disconnect(3505, "channel limit")
PERMISSION_DENIED = Disconnect(3507, "permission denied")
NOT_AVAILABLE = Disconnect(3508, "not available")
TOO_LARGE = Disconnect(1009, "message too big")
