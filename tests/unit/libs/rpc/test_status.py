import asyncio
from dataclasses import dataclass

from echosenseix.common.v1 import common_pb2
from libs.config import ServiceSettings
from libs.rpc.status import StatusServicer


@dataclass
class Pool:
    total: int = 20
    idle: int = 3
    active: int = 2


class Database:
    """Counts its pings; answers, refuses or hangs as told."""

    def __init__(self, answer: bool | Exception | None = True) -> None:
        self.answer = answer
        self.pings = 0

    def pool_stats(self) -> Pool:
        return Pool()

    async def ping(self) -> bool:
        self.pings += 1
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return bool(self.answer)


class Bus:
    connected = True


async def _redis() -> bool:
    return False


def _servicer(database: Database) -> StatusServicer:
    settings = ServiceSettings(instance="agent-1", release="1.2.3")
    return StatusServicer(
        settings, "agent", database=database, redis_ping=_redis, bus=Bus(), gauges=lambda: {"cache_hits": 4.0}
    )


async def test_a_service_answers_for_its_parts() -> None:
    status = await _servicer(Database()).GetStatus(common_pb2.GetStatusRequest(), None)
    assert (status.service, status.instance, status.release) == ("agent", "agent-1", "1.2.3")
    assert (status.database_connected, status.redis_connected, status.queue_connected) == (True, False, True)
    assert (status.pool_total, status.pool_idle, status.pool_active) == (20, 3, 2)
    assert status.gauges["cache_hits"] == 4.0


async def test_a_part_that_refuses_or_hangs_is_disconnected() -> None:
    for answer in (False, OSError("gone"), None):
        status = await _servicer(Database(answer)).GetStatus(common_pb2.GetStatusRequest(), None)
        assert not status.database_connected


async def test_many_askers_cost_one_ping() -> None:
    database = Database()
    servicer = _servicer(database)
    await asyncio.gather(*(servicer.GetStatus(common_pb2.GetStatusRequest(), None) for _ in range(20)))
    assert database.pings == 1
