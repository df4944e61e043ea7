"""Quotas as the API shows them."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from echosenseix.common.v1 import common_pb2 as pb
from gateway.http.schema import Answer


class Quota(Answer):
    name: str
    limit: int
    used: Annotated[int, Meta(description="Counted up to the limit; of a quota by the day, since midnight UTC.")]


class Quotas(Answer):
    data: list[Quota]


def quotas_from_protos(messages: Iterable[pb.Quota]) -> list[Quota]:
    """By name; of messages with the same name the fullest."""
    fullest = {message.name: message for message in sorted(messages, key=lambda message: message.used)}
    return [Quota(name=name, limit=one.limit, used=one.used) for name, one in sorted(fullest.items())]
