"""Queues and dead letters of every service, over the services' own JobsService."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from libs.ids import job_owner
from local.ops.services import READ_SECONDS, Answers, Services, ask_each, read_list


class Queues(Services):
    async def all(self) -> Answers[pb.Queue]:
        async def ask(service: str) -> Iterable[pb.Queue]:
            stub = self._stub(service)
            answer: pb.ListQueuesResponse = await stub.ListQueues(pb.ListQueuesRequest(), timeout=READ_SECONDS)
            return answer.queues

        answers = await ask_each(self._stubs, ask)
        return Answers(sorted(answers.found, key=lambda queue: (queue.service, queue.name)), answers.missing)

    async def dead(self, service: str, queue: str, kind: str, limit: int) -> Answers[pb.Job]:
        """The newest dead letters, at most `limit`, of one service or ("") of all; queue and kind "" mean any."""

        async def ask(service: str) -> Iterable[pb.Job]:
            stub = self._stub(service)

            async def fetch(page: common_pb2.PageRequest) -> tuple[Iterable[pb.Job], common_pb2.PageInfo]:
                request = pb.ListDeadLettersRequest(page=page, queue=queue, kind=kind)
                answer: pb.ListDeadLettersResponse = await stub.ListDeadLetters(request, timeout=READ_SECONDS)
                return answer.jobs, answer.page_info

            return await read_list(fetch, limit)

        answers = await ask_each(self._named(service), ask)
        newest = sorted(answers.found, key=lambda job: job.finish_time.ToNanoseconds(), reverse=True)
        return Answers(newest[:limit], answers.missing)

    async def pause(self, service: str, queue: str) -> pb.Queue:
        answer: pb.PauseQueueResponse = await self._stub(service).PauseQueue(pb.PauseQueueRequest(queue=queue))
        return answer.queue

    async def resume(self, service: str, queue: str) -> pb.Queue:
        answer: pb.ResumeQueueResponse = await self._stub(service).ResumeQueue(pb.ResumeQueueRequest(queue=queue))
        return answer.queue

    async def replay(self, service: str, queue: str, kind: str, error_code: str) -> Answers[int]:
        """Requeue dead letters by filter, at most 1,000 of each service at once; how many."""
        request = pb.ReplayDeadLettersRequest(queue=queue, kind=kind, error_code=error_code)
        return await self._replay(dict.fromkeys(self._named(service), request))

    async def replay_ids(self, ids: Iterable[str]) -> Answers[int]:
        """Put exactly these back; how many of them were dead letters."""
        requests: dict[str, pb.ReplayDeadLettersRequest] = {}
        for job_id in ids:
            # An id names its service.
            requests.setdefault(job_owner(job_id) or "", pb.ReplayDeadLettersRequest()).ids.append(job_id)
        return await self._replay(requests)

    async def _replay(self, requests: Mapping[str, pb.ReplayDeadLettersRequest]) -> Answers[int]:
        stubs = {service: self._stub(service) for service in requests}

        async def ask(service: str) -> Iterable[int]:
            answer: pb.ReplayDeadLettersResponse = await stubs[service].ReplayDeadLetters(requests[service])
            return (answer.replayed,)

        return await ask_each(requests, ask)
