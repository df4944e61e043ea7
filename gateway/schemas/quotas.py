"""Quotas as the API shows them."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from echosenseix.common.v1 import common_pb2 as pb
from gateway.http.schema import Answer
from suite.limits import CLASSES, of_plan


class Quota(Answer):
    name: str
    limit: int
    used: Annotated[int, Meta(description="Counted up to the limit; of a quota by the day, since midnight UTC.")]


class RequestLimit(Answer):
    name: Annotated[str, Meta(description="The class of requests: read, write or upload.")]
    window_seconds: Annotated[int, Meta(description="Of any span of so many seconds.")]
    caller: Annotated[int, Meta(description="Requests of one API key, or one user.")]
    organization: Annotated[int, Meta(description="Requests of all callers of the organization together.")]


class Quotas(Answer):
    data: list[Quota]
    request_limits: Annotated[list[RequestLimit], Meta(description="The rate limits of the organization's plan.")]


def quotas_from_protos(messages: Iterable[pb.Quota]) -> list[Quota]:
    """By name; of messages with the same name the fullest."""
    fullest = {message.name: message for message in sorted(messages, key=lambda message: message.used)}
    return [Quota(name=name, limit=one.limit, used=one.used) for name, one in sorted(fullest.items())]


def request_limits_of(percent: int) -> list[RequestLimit]:
    """Of the classes that count callers with a login, for this percentage of the usual limits."""
    rows = []
    for kind in CLASSES.values():
        caller, organization = of_plan(kind, percent)
        if organization:
            rows.append(RequestLimit(kind.name, kind.window_seconds, caller, organization))
    return rows
