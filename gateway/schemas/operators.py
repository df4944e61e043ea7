"""What operators set for an organization, as the API shows it."""

from typing import Annotated

from msgspec import Meta

from echosenseix.identity.v1 import operators_pb2
from gateway.http.derived import reader
from gateway.http.schema import Answer, Body, limits

_PERCENT = "Of the usual limits of every class; 100 is usual."
_REASON = "Why the limits are not the usual ones."


class RequestLimits(Answer):
    organization_id: str
    percent: Annotated[int, Meta(description=_PERCENT)]
    reason: Annotated[str | None, Meta(description=_REASON)]


class RequestLimitsBody(Body):
    percent: Annotated[int, limits(minimum=1, maximum=10_000), Meta(description=_PERCENT)]
    reason: Annotated[str, limits(maxLength=500), Meta(description=_REASON + " Required unless percent is 100.")] = ""


request_limits_from_proto = reader(RequestLimits, operators_pb2.RequestLimits)
