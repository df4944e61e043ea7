"""Signatures against the providers' own SDKs."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from retell.lib import webhook_auth

from services.agent.domain.integration import Credentials
from services.agent.providers import SIGNATURES, elevenlabs, retell

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = '{"type": "post_call_transcription", "text": "Grüße"}'.encode()
CREDENTIALS = Credentials("key-0123456789", "wsec_1")


def signed(at: datetime = NOW, body: bytes = BODY, secret: str = "wsec_1") -> str:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v0={digest}"


def verified(header: str, body: bytes = BODY, now: datetime = NOW) -> bool | None:
    return elevenlabs.verify_signature(CREDENTIALS, header, body, now)


def test_what_the_official_sdk_accepts_is_accepted() -> None:
    from elevenlabs import ElevenLabs

    now = datetime.now(UTC)
    header = signed(now)
    assert ElevenLabs(api_key="x").webhooks.construct_event(BODY.decode(), header, "wsec_1")["text"] == "Grüße"
    assert verified(header, now=now) is True


@pytest.mark.parametrize("minutes", [-30, 0, 30])
def test_half_an_hour_both_ways_is_accepted(minutes: int) -> None:
    assert verified(signed(NOW + timedelta(minutes=minutes))) is True


@pytest.mark.parametrize("seconds", [-1801, 1801])
def test_beyond_half_an_hour_is_refused(seconds: int) -> None:
    assert verified(signed(NOW + timedelta(seconds=seconds))) is False


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v0=" + "0" * 64,
        signed(secret="other"),
        signed(body=BODY + b" "),
        signed().replace("v0=", "v1="),
        signed().upper(),
        signed() + ",t=1",
        signed()[:-1],
        signed().replace("t=", "t=-"),
        "t=99999999999999999999,v0=" + "0" * 64,
        "t=٣,v0=" + "0" * 64,
    ],
)
def test_anything_else_is_refused(header: str) -> None:
    assert verified(header) is False


def test_every_flipped_bit_of_the_body_is_noticed() -> None:
    header = signed()
    for position in range(len(BODY)):
        flipped = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert verified(header, flipped) is False


def test_one_fitting_digest_of_several_is_enough() -> None:
    stamp, digest = signed().split(",")
    assert verified(f"{stamp}, v0={'0' * 64}, {digest}") is True


def test_the_secret_before_a_rotation_is_honoured_for_a_while() -> None:
    rotated = Credentials("k", "wsec_2", "", "wsec_1", NOW + timedelta(minutes=10))
    assert elevenlabs.verify_signature(rotated, signed(), BODY, NOW) is True
    assert elevenlabs.verify_signature(rotated, signed(secret="wsec_2"), BODY, NOW) is True
    late = NOW + timedelta(minutes=11)
    assert elevenlabs.verify_signature(rotated, signed(late), BODY, late) is False


def test_without_a_secret_there_is_no_verdict() -> None:
    assert elevenlabs.verify_signature(Credentials("key"), signed(), BODY, NOW) is None
    assert retell.verify_signature(Credentials(), "v=1,d=" + "0" * 64, BODY, NOW) is None


def test_what_the_official_retell_sdk_signs_is_accepted() -> None:
    stamp = int(NOW.timestamp() * 1000)
    header = webhook_auth.symmetric["sign"](BODY.decode(), "key-0123456789", stamp)
    assert retell.verify_signature(CREDENTIALS, header, BODY, NOW) is True
    assert retell.verify_signature(CREDENTIALS, header, BODY + b" ", NOW) is False
    assert retell.verify_signature(CREDENTIALS, header, BODY, NOW + timedelta(minutes=5, seconds=1)) is False
    assert retell.verify_signature(CREDENTIALS, header, BODY, NOW - timedelta(minutes=5, seconds=1)) is False
    assert retell.verify_signature(CREDENTIALS, header.replace("d=", "d=0"), BODY, NOW) is False


def test_a_provider_without_signatures_has_no_check() -> None:
    assert set(SIGNATURES) == {"elevenlabs", "retell"}
