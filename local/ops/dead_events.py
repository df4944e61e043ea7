"""Events that consumers gave up, of every service, over the services' own JobsService."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from libs.ids import read_dead_event_id
from local.ops.services import READ_SECONDS, Answers, Services, ask_each, read_list


class DeadEvents(Services):
    async def counts(self) -> Answers[pb.DeadEventCount]:
        """For each consumer that gave any up."""

        async def ask(service: str) -> Iterable[pb.DeadEventCount]:
            request, stub = pb.CountDeadEventsRequest(), self._stub(service)
            answer: pb.CountDeadEventsResponse = await stub.CountDeadEvents(request, timeout=READ_SECONDS)
            return answer.counts

        answers = await ask_each(self._stubs, ask)
        return Answers(sorted(answers.found, key=lambda count: (count.service, count.consumer)), answers.missing)

    async def list(self, service: str, chosen: pb.DeadEventFilter, limit: int) -> Answers[pb.DeadEvent]:
        """Those given up last, at most `limit`, of one service or ("") of all."""

        async def ask(service: str) -> Iterable[pb.DeadEvent]:
            stub = self._stub(service)

            async def fetch(page: common_pb2.PageRequest) -> tuple[Iterable[pb.DeadEvent], common_pb2.PageInfo]:
                request = pb.ListDeadEventsRequest(page=page, filter=chosen)
                answer: pb.ListDeadEventsResponse = await stub.ListDeadEvents(request, timeout=READ_SECONDS)
                return answer.events, answer.page_info

            return await read_list(fetch, limit)

        answers = await ask_each(self._named(service), ask)
        newest = sorted(answers.found, key=lambda event: event.die_time.ToNanoseconds(), reverse=True)
        return Answers(newest[:limit], answers.missing)

    async def replay(self, service: str, chosen: pb.DeadEventFilter) -> Answers[int]:
        """Have them handled again by filter, at most 1,000 of each service at once; how many."""
        return await self._replay(dict.fromkeys(self._named(service), pb.ReplayDeadEventsRequest(filter=chosen)))

    async def replay_ids(self, ids: Iterable[str]) -> Answers[int]:
        """Redrive exactly these; how many of them were dead events that were not marked yet."""
        # An id names its service, so ids of several services take one request each.
        requests: dict[str, pb.ReplayDeadEventsRequest] = {}
        for event_id in ids:
            service, _ = read_dead_event_id(event_id) or ("", None)
            requests.setdefault(service, pb.ReplayDeadEventsRequest()).ids.append(event_id)
        return await self._replay(requests)

    async def _replay(self, requests: Mapping[str, pb.ReplayDeadEventsRequest]) -> Answers[int]:
        stubs = {service: self._stub(service) for service in requests}

        async def ask(service: str) -> Iterable[int]:
            answer: pb.ReplayDeadEventsResponse = await stubs[service].ReplayDeadEvents(requests[service])
            return (answer.replayed,)

        return await ask_each(requests, ask)
