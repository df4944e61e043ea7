"""Dead events as the API shows them, without their payload, which holds personal data."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from echosenseix.jobs.v1 import jobs_pb2 as pb
from gateway.http.schema import SORT, Answer, Body, PageQuery
from gateway.http.wire import set_time, time_to_json
from gateway.schemas.jobs import JobError
from gateway.schemas.shapes import ServiceName

_Consumer = Annotated[str, Meta(min_length=1, max_length=100, description="The consumer that gave the event up.")]
_Topic = Annotated[str, Meta(min_length=1, max_length=100, description="Such as call.ended.")]
_Error = Annotated[str, Meta(min_length=1, max_length=100, description="The code of the last error.")]
_DiedSince = Annotated[datetime, Meta(tz=True, description="Given up at or after.")]
_DiedBefore = Annotated[datetime, Meta(tz=True, description="Given up before.")]


class DeadEvent(Answer):
    id: str
    service: str
    consumer: str
    event_id: str
    topic: str
    subject: str | None
    tries: int
    error: JobError
    replaying: bool
    died_at: str | None


class DeadEventQuery(PageQuery):
    sort: Annotated[Literal["diedAt"], SORT] | None = None
    consumer: _Consumer | None = None
    topic: _Topic | None = None
    error_code: _Error | None = None
    died_at_ge: _DiedSince | None = None
    died_at_lt: _DiedBefore | None = None


class DeadEventReplayBody(Body):
    """Ids, or a filter of which all given must match; at most 1,000 at once for each service, the oldest first."""

    one_of = (("ids",), ("consumer",), ("topic",), ("errorCode",), ("diedAtGe",), ("diedAtLt",))
    ids: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    service: ServiceName | None = None
    consumer: _Consumer | None = None
    topic: _Topic | None = None
    error_code: _Error | None = None
    died_at_ge: _DiedSince | None = None
    died_at_lt: _DiedBefore | None = None


def dead_event_from_proto(event: pb.DeadEvent) -> DeadEvent:
    return DeadEvent(
        id=event.id,
        service=event.service,
        consumer=event.consumer,
        event_id=event.event_id,
        topic=event.topic,
        subject=event.subject or None,
        tries=event.tries,
        error=JobError(code=event.error.code, message=event.error.message),
        replaying=event.replaying,
        died_at=time_to_json(event.die_time),
    )


def filter_to_proto(wanted: DeadEventQuery | DeadEventReplayBody) -> pb.DeadEventFilter:
    chosen = pb.DeadEventFilter(
        consumer=wanted.consumer or "", topic=wanted.topic or "", error=wanted.error_code or ""
    )  # fmt: skip
    set_time(chosen.died_at_ge, wanted.died_at_ge)
    set_time(chosen.died_at_lt, wanted.died_at_lt)
    return chosen
