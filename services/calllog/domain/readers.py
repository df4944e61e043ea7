"""Which provider's envelopes are read by whom. A provider that nobody reads is kept and left alone."""

from collections.abc import Mapping

from libs.errors import InvalidArgument
from services.calllog.domain import elevenlabs, envelopes, retell, vapi
from services.calllog.domain.calls import ReportedCall
from services.calllog.domain.envelopes import Envelope, Shape

_UNREAD = Shape("type", "data", "id", makes={}, completeness=lambda event_type, data: 0)
_SHAPES: Mapping[str, Shape] = {
    elevenlabs.PROVIDER: elevenlabs.SHAPE,
    retell.PROVIDER: retell.SHAPE,
    vapi.PROVIDER: vapi.SHAPE,
}
_REPORTS = {
    elevenlabs.PROVIDER: elevenlabs.read_report,
    retell.PROVIDER: retell.read_report,
    vapi.PROVIDER: vapi.read_report,
}


def parse_envelope(provider: str, body: bytes) -> Envelope:
    """The envelope in these bytes; InvalidArgument("webhook_payload_invalid") when they hold none."""
    return envelopes.parse_envelope(provider, _SHAPES.get(provider, _UNREAD), body)


def read_report(envelope: Envelope) -> ReportedCall:
    """What an envelope that makes a call says of it."""
    return _REPORTS[envelope.provider](envelope)


def read_audio(envelope: Envelope) -> bytes:
    """The recording in an envelope that makes one; InvalidArgument when it holds none."""
    if envelope.provider != elevenlabs.PROVIDER:
        raise InvalidArgument("webhook_payload_invalid", "Recordings of this provider are not read.")
    return elevenlabs.read_audio(envelope)
