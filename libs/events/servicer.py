"""The part of JobsService about dead events: list, count, redrive.

It is part of the same gRPC service as the queue's dead letters, because both follow one access rule.
libs.events.dead_letters holds the statements.
"""

import uuid
from typing import Any

from echosenseix.jobs.v1 import jobs_pb2
from libs.errors import InvalidArgument
from libs.events import dead_letters
from libs.ids import dead_event_id, read_dead_event_id
from libs.postgres import Connection, Record
from libs.rpc.access import BackgroundAccess
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.times import from_timestamp, to_timestamp

_UNEXPECTED = "unexpected_error"
_HIDDEN = "The handler failed unexpectedly; its worker's log has the cause."


class DeadEventMethods(BackgroundAccess):
    """JobsService's methods about dead events; libs.runtime.service composes the servicer."""

    async def ListDeadEvents(
        self, request: jobs_pb2.ListDeadEventsRequest, context: object
    ) -> jobs_pb2.ListDeadEventsResponse:
        wanted, choice = page_request_from_proto(request.page, dead_letters.RULES), _choice(request.filter)
        if (org_id := self._seen("read")) is None:
            page = await dead_letters.list_dead_events_of_all(self._db, wanted, self._codec, choice)
        else:
            page = await dead_letters.list_dead_events(self._db, org_id, wanted, self._codec, choice)
        events = [self._dead_event_to_proto(row, of_all=org_id is None) for row in page.items]
        return jobs_pb2.ListDeadEventsResponse(events=events, page_info=page_info_to_proto(page))

    async def ReplayDeadEvents(
        self, request: jobs_pb2.ReplayDeadEventsRequest, context: object
    ) -> jobs_pb2.ReplayDeadEventsResponse:
        org_id, choice = self._seen("write"), _choice(request.filter)
        if len(request.ids) > dead_letters.REPLAY_AT_MOST:
            raise InvalidArgument("invalid_value", "Replay at most 1,000 events at once.")
        if not request.ids and choice.is_empty:
            raise InvalidArgument("invalid_value", "Say which events: by ids, or by a filter.")
        ids = self._numbers(request.ids) if request.ids else None

        async def act(conn: Connection) -> jobs_pb2.ReplayDeadEventsResponse:
            replayed = await dead_letters.ask_for_replay(conn, org_id, choice, ids)
            return jobs_pb2.ReplayDeadEventsResponse(replayed=replayed)

        return await self._write(org_id, act, jobs_pb2.ReplayDeadEventsResponse)

    async def CountDeadEvents(
        self, request: jobs_pb2.CountDeadEventsRequest, context: object
    ) -> jobs_pb2.CountDeadEventsResponse:
        counts = [
            jobs_pb2.DeadEventCount(
                service=self._service, consumer=row["consumer"], dead=row["dead"], replaying=row["replaying"]
            )
            for row in await dead_letters.count_dead_events(self._db, self._seen("read"))
        ]
        return jobs_pb2.CountDeadEventsResponse(counts=counts)

    def _numbers(self, ids: Any) -> list[str]:
        """As the rows have them. An id of another service, or a text that is no id, matches no dead event."""
        read = (read_dead_event_id(text) for text in ids)
        return [found[1].hex for found in read if found is not None and found[0] == self._service]

    def _dead_event_to_proto(self, row: Record, *, of_all: bool) -> jobs_pb2.DeadEvent:
        # As with jobs, customers do not see texts of unknown exceptions, because these can contain data.
        hidden = row["error_code"] == _UNEXPECTED and not of_all
        return jobs_pb2.DeadEvent(
            id=dead_event_id(self._service, uuid.UUID(row["id"])), service=self._service, consumer=row["consumer"],
            event_id=row["event_id"], topic=row["topic"], organization_id=row["org_id"], subject=row["subject"] or "",
            tries=row["tries"], die_time=to_timestamp(row["died_at"]), replaying=row["replay"],
            error=jobs_pb2.JobError(code=row["error_code"], message=_HIDDEN if hidden else row["last_error"]),
        )  # fmt: skip


def _choice(wanted: jobs_pb2.DeadEventFilter) -> dead_letters.Choice:
    return dead_letters.Choice(
        consumer=wanted.consumer, topic=wanted.topic, error=wanted.error, organization_id=wanted.organization_id,
        died_at_ge=from_timestamp(wanted, "died_at_ge"), died_at_lt=from_timestamp(wanted, "died_at_lt"),
    )  # fmt: skip
