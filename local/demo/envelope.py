"""A post-call webhook as ElevenLabs sends and signs it (its documentation, and the models of its official SDK)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from typing import Any

# (role, words, second of the call). "quadrille" is the word by which the demo finds the call.
TURNS: list[tuple[str, str, int]] = [
    ("agent", "Good afternoon, Wonderland Tours. How may I help you?", 0),
    ("user", "Hello, I would like to visit the Mock Turtle by the seaside next Tuesday.", 3),
    ("agent", "With pleasure. The lobster quadrille begins at three. For how many people?", 9),
    ("user", "For two, and my marmalade cat.", 15),
    ("agent", "That is two guests and one cat, booked for Tuesday at three. Goodbye!", 19),
]


def post_call(external_agent_id: str, conversation_id: str | None = None, seconds: int = 83) -> dict[str, Any]:
    """The envelope of a finished conversation; `seconds` is its billed duration."""
    now = int(time.time())
    transcript: list[dict[str, Any]] = [
        {"role": role, "message": message, "time_in_call_secs": at} for role, message, at in TURNS
    ]
    data: dict[str, Any] = {
        "agent_id": external_agent_id,
        "conversation_id": conversation_id or f"conv_{uuid.uuid4().hex}",
        "status": "done",
        "user_id": None,
        "transcript": transcript,
        "metadata": {
            "start_time_unix_secs": now - seconds,
            "call_duration_secs": seconds,
            "cost": 412,
            "termination_reason": "end_call tool was called.",
            "main_language": "en",
            "phone_call": {
                "type": "twilio",
                "direction": "inbound",
                "phone_number_id": "phnum_1",
                "agent_number": "+4930111111",
                "external_number": "+4930222222",
                "stream_sid": "MZ1",
                "call_sid": "CA1",
            },
        },
        "analysis": {
            "evaluation_criteria_results": {},
            "data_collection_results": {},
            "call_successful": "success",
            "transcript_summary": "The caller books a visit to the Mock Turtle for two guests and a cat.",
            "call_summary_title": "Booking a seaside visit",
        },
        "conversation_initiation_client_data": {"dynamic_variables": {}},
        # No recording follows, so the call is complete with this envelope.
        "has_audio": False,
        "has_user_audio": False,
        "has_response_audio": False,
    }
    return {"type": "post_call_transcription", "event_timestamp": now, "data": data}


def signed(envelope: object, secret: str, at: int | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers; the signature is over the raw bytes: hmac-sha256 of "<t>.<body>"."""
    body = json.dumps(envelope).encode()
    when = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{when}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "ElevenLabs-Signature": f"t={when},v0={digest}"}
