"""How a delivery of Vapi proves its sender: by the credential that the customer configured there.

Either the secret itself (`Authorization: Bearer <secret>`, or the older `X-Vapi-Secret: <secret>`), or its HMAC
(`X-Vapi-Signature`, or Vapi's default `X-Signature`: hex HMAC-SHA256(secret, raw body)). With `X-Timestamp` the HMAC is
of "<timestamp>.<raw body>", five minutes both ways. Sources: Vapi's page on server authentication, and the official
`vapi-server-sdk` (BearerAuthenticationPlan, HmacAuthenticationPlan).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

from libs.crypto import constant_time_equal, hmac_sha256_hex

PROOF_HEADERS = ("authorization", "x-vapi-secret", "x-vapi-signature", "x-signature", "x-timestamp")
# Seconds between signing and arrival. Longer: a captured delivery can be sent again for longer.
TOLERANCE_SECONDS = 5 * 60
# Seconds or milliseconds; the credential does not say which.
_TIMESTAMP = re.compile(r"(\d{10})(?:\d{3})?", re.ASCII)


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: Iterable[bytes], now: datetime) -> bool:
    # The list is built before any(), so that the time does not depend on which proof matches.
    matches = [_is_shown(secret, headers) | _has_signed(secret, headers, body, now) for secret in secrets]
    return any(matches)


def _is_shown(secret: str, headers: Mapping[str, str]) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return constant_time_equal(secret, bearer) | constant_time_equal(secret, headers.get("x-vapi-secret", ""))


def _has_signed(secret: str, headers: Mapping[str, str], body: Iterable[bytes], now: datetime) -> bool:
    digest = headers.get("x-vapi-signature") or headers.get("x-signature", "")
    stamp = headers.get("x-timestamp", "")
    if stamp:
        seconds = _TIMESTAMP.fullmatch(stamp)
        if seconds is None or abs(now.timestamp() - int(seconds[1])) > TOLERANCE_SECONDS:
            return False
    before = (stamp.encode(), b".") if stamp else ()
    return constant_time_equal(
        hmac_sha256_hex(secret.encode(), chain(before, body)), digest.removeprefix("sha256=").lower()
    )
