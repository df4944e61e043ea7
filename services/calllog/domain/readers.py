"""Which provider's envelope is read by whom."""

from libs.errors import InvalidArgument
from services.calllog.domain import elevenlabs
from services.calllog.domain.calls import ReportedCall
from services.calllog.domain.envelopes import INITIATION_FAILURE, Envelope


def read_report(envelope: Envelope) -> ReportedCall:
    """What the envelope says of its call; InvalidArgument for a provider that nobody reads."""
    if envelope.provider != elevenlabs.PROVIDER:
        raise InvalidArgument("webhook_payload_invalid", "Calls of this provider are not read.")
    if envelope.event_type == INITIATION_FAILURE:
        return elevenlabs.read_initiation_failure(envelope)
    return elevenlabs.read_conversation(envelope.data)


def read_audio(envelope: Envelope) -> bytes:
    return elevenlabs.read_audio(envelope.data)
