"""`ElevenLabs-Signature: t=<unix s>,v0=<hex HMAC-SHA256(webhook secret, "<t>.<raw body>")>`, 30 minutes both ways.

Source: the official `elevenlabs` SDK (webhooks_custom). Unlike the SDK this compares in constant time and refuses a
time in the future.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

from libs.crypto import constant_time_equal, hmac_sha256_hex

SIGNATURE = "elevenlabs-signature"
# Seconds between signing and arrival: the tolerance of the official SDK.
TOLERANCE_SECONDS = 30 * 60
_TIMESTAMP = re.compile(r"t=(\d{1,12})", re.ASCII)
_DIGEST = re.compile(r"v0=([0-9a-fA-F]{64})", re.ASCII)
_HEADER_MAX = 1_000  # bounds the number of digests that are compared


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: Iterable[bytes], now: datetime) -> bool:
    parts = [part.strip() for part in headers.get(SIGNATURE, "")[:_HEADER_MAX].split(",")]
    stamps = [match[1] for part in parts if (match := _TIMESTAMP.fullmatch(part))]
    digests = [match[1].lower() for part in parts if (match := _DIGEST.fullmatch(part))]
    if len(stamps) != 1 or not digests or abs(now.timestamp() - int(stamps[0])) > TOLERANCE_SECONDS:
        return False
    expected = [hmac_sha256_hex(secret.encode(), chain((stamps[0].encode(), b"."), body)) for secret in secrets]
    # The list is built before any(), so that the time does not depend on which pair matches.
    matches = [constant_time_equal(ours, theirs) for ours in expected for theirs in digests]
    return any(matches)
