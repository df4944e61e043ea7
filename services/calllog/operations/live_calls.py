"""What a live party does to a call: begin it, tell turns, end it, or go away. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.clock import Clock
from libs.errors import FailedPrecondition
from libs.events.outbox import append_many
from libs.jobs import WAITING, JobKind
from libs.postgres import Connection, Database
from providers.interface.reports import CallStatus, ReportedCall, Turn
from providers.registry import OWN_SYSTEM
from services.calllog.domain.calls import Call, ServedBy
from services.calllog.domain.live import LOST_SECONDS, REPORT_SECONDS, Ending, ended_report, never_reported, new_turns
from services.calllog.mapping import turn_event
from services.calllog.operations import SERVICE
from services.calllog.operations.reported_calls import ReportedCalls
from services.calllog.storage.live_calls import LiveRows

# One waits for each live call and looks at it when it could be lost; beside it one for the report of a lost call.
WATCH = JobKind(
    "call.watch", service=SERVICE, queue="live", max_attempts=20, timeout_seconds=30, backoff=(1, 5, 30, 60),
    unique_by=("callId", "awaits"), unique_states=WAITING,
)  # fmt: skip
# One waits for each command until its time has passed.
EXPIRE = JobKind(
    "command.expire", service=SERVICE, queue="live", max_attempts=20, timeout_seconds=30, backoff=(1, 5, 30, 60),
    unique_by=("commandId",),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What a request of the live party did, and when the call counts as lost without another."""

    accepted: int
    duplicates: int
    next_index: int
    lost_at: datetime


@dataclass(frozen=True, slots=True)
class LiveCalls:
    database: Database
    rows: LiveRows
    reported: ReportedCalls
    clock: Clock

    async def begin(
        self, conn: Connection, org_id: str, report: ReportedCall, served_by: ServedBy
    ) -> tuple[Call, datetime]:
        """The call, and when it counts as lost; FailedPrecondition("call_ended") for one that is over."""
        now = self.clock.now()
        await self.reported.record(conn, org_id, report, served_by, now)
        call = await self.reported.calls.lock(conn, org_id, report.provider, report.external_call_id)
        if call is None:
            raise RuntimeError("the call that was recorded is gone")
        if call.status.ended:
            raise FailedPrecondition("call_ended", "The call of this id has ended. Give another call another id.")
        return call, await self._keep(conn, org_id, call.id, now)

    async def tell(self, conn: Connection, org_id: str, call_id: str, sent: Sequence[Turn]) -> Told:
        """Add what is new of the turns. They are the call's next ones, or repeat what it has."""
        now = self.clock.now()
        call = await self.reported.calls.lock_by_id(conn, org_id, call_id)
        stored = await self.rows.turns_at(conn, org_id, call_id, sent[0].index, sent[-1].index) if sent else {}
        new = new_turns(call, stored, sent)
        if call.status.ended:
            return Told(0, len(sent), call.turn_count, now)
        if new:
            await self.database.quotas.spend(conn, org_id, "live_turns_per_day", len(new))
            await self.rows.add_turns(conn, org_id, call_id, new, now)
            await append_many(conn, [turn_event(call, turn) for turn in new])
        lost_at = await self._keep(conn, org_id, call_id, now)
        return Told(len(new), len(sent) - len(new), call.turn_count + len(new), lost_at)

    async def end(self, conn: Connection, call: Call, ending: Ending) -> None:
        """End the call and the telling of it. A call that has ended stays as it ended."""
        if not call.status.ended:
            await self.reported.change(conn, call, ended_report(call, ending), _server_of(call), ending.ended_at)

    async def check_lost(self, conn: Connection, org_id: str, call_id: str) -> str:
        """Give up a call whose party has gone; what was found: live, lost or over.

        Of a provider's call only the telling ends, because the provider reports the end: a day later another look is
        taken at it. Another call has failed at the last sign of life."""
        call = await self.reported.calls.lock_by_id(conn, org_id, call_id)
        lost_at = await self.rows.lost_at(conn, org_id, call_id)
        if lost_at is None:
            return "over"
        if (left := (lost_at - self.clock.now()).total_seconds()) > 0:
            await WATCH.enqueue(conn, org_id, {"callId": call_id}, delay=left)
            return "live"
        if call.provider == OWN_SYSTEM and not call.status.ended:
            last_sign = lost_at - timedelta(seconds=LOST_SECONDS)
            await self.end(conn, call, Ending(CallStatus.FAILED, last_sign, "connection_lost"))
        else:
            await self.rows.drop(conn, org_id, call_id)
            if not call.status.ended:
                awaited = {"callId": call_id, "awaits": "report"}
                await WATCH.enqueue(conn, org_id, awaited, delay=float(REPORT_SECONDS))
        return "lost"

    async def check_reported(self, conn: Connection, org_id: str, call_id: str) -> str:
        """Give up a provider's call that was lost and that no one has reported since; what was found: over, live (its
        party came back) or never_reported."""
        call = await self.reported.calls.lock_by_id(conn, org_id, call_id)
        if call.status.ended:
            return "over"
        if await self.rows.lost_at(conn, org_id, call_id) is not None:
            return "live"
        call = await self.reported.with_turns(conn, call)
        await self.reported.write(conn, call, never_reported(call), _server_of(call))
        return "never_reported"

    async def _keep(self, conn: Connection, org_id: str, call_id: str, now: datetime) -> datetime:
        lost_at = now + timedelta(seconds=LOST_SECONDS)
        if await self.rows.lost_at(conn, org_id, call_id) is None:
            await self.database.quotas.admit(conn, org_id, "live_calls")
        if await self.rows.keep(conn, org_id, call_id, lost_at):
            await WATCH.enqueue(conn, org_id, {"callId": call_id}, delay=float(LOST_SECONDS))
        return lost_at


def _server_of(call: Call) -> ServedBy:
    return ServedBy(call.agent_id, call.agent_version)
