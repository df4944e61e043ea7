"""A provider's report becomes a call: its rows, its event and what follows from it, in the caller's transaction.

Done twice, it changes nothing the second time: a call is known by organization, provider and the provider's id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.events import Event
from libs.events.outbox import append, append_many
from libs.ids import new_id
from libs.languages import detect
from libs.postgres import Connection
from libs.telemetry import current_traceparent, use_traceparent
from providers.interface.reports import ReportedCall
from services.calllog.domain.calls import Call, ServedBy
from services.calllog.domain.merging import change_topic, supersede
from services.calllog.mapping import call_event
from services.calllog.operations import AUDIO
from services.calllog.operations.commands import settle_at_end
from services.calllog.storage import new_calls
from services.calllog.storage.calls import Calls
from services.calllog.storage.commands import Commands
from services.calllog.storage.live_calls import LiveRows
from services.calllog.storage.new_calls import Conversation, Known, NewCall
from services.calllog.storage.recordings import Recordings


@dataclass(frozen=True, slots=True)
class Told:
    """A report of a call, who served it, and the trace that brought it; an empty one is the current trace."""

    report: ReportedCall
    served_by: ServedBy
    received_at: datetime
    traceparent: str = ""

    @property
    def conversation(self) -> Conversation:
        return self.report.provider, self.report.external_call_id


# Takes organization, provider and the provider's id of an agent. Returns the agent, or an empty one if there is none;
# raises when the agent service cannot be asked.
Resolve = Callable[[str, str, str], Awaitable[ServedBy]]


@dataclass(frozen=True, slots=True)
class ReportedCalls:
    calls: Calls
    recordings: Recordings
    live: LiveRows
    commands: Commands
    resolve: Resolve
    clock: Clock

    async def served_by(self, org_id: str, report: ReportedCall) -> ServedBy:
        """Ask this before the transaction of `record` begins."""
        if not report.external_agent_id:
            return ServedBy()
        return await self.resolve(org_id, report.provider, report.external_agent_id)

    async def record(
        self, conn: Connection, org_id: str, report: ReportedCall, served_by: ServedBy, received_at: datetime
    ) -> str:
        """Write the report's facts; returns the call's id, or empty when the report has no new fact."""
        return (await self.record_together(conn, org_id, [Told(report, served_by, received_at)]))[0]

    async def record_together(self, conn: Connection, org_id: str, told: Sequence[Told]) -> list[str]:
        """What `record` does for each, in the same statements for all; no two are of one conversation."""
        conversations = [one.conversation for one in told]
        await new_calls.hold(conn, org_id, conversations)
        known = await new_calls.lock(conn, org_id, conversations)
        ids = []
        new: list[tuple[Told, NewCall]] = []
        for one in told:
            there = known[one.conversation]
            if there.call is not None:
                with _trace_of(one):
                    ids.append(await self.change(conn, there.call, one.report, one.served_by, one.received_at))
                continue
            report = _with_end(one.report, one.received_at)
            call = NewCall(new_id("call"), report, one.served_by, bool(there.recording_status))
            new.append((one, call))
            ids.append(call.id)
        if new:
            await self._add(conn, org_id, new, known)
        return ids

    async def _add(
        self, conn: Connection, org_id: str, new: Sequence[tuple[Told, NewCall]], known: Mapping[Conversation, Known]
    ) -> None:
        now = self.clock.now()
        await new_calls.add(conn, org_id, [call for _, call in new], now)
        await append_many(conn, [_ended_event(org_id, one, call) for one, call in new])
        for one, call in new:
            report = call.report
            if call.has_recording:
                detected = "" if report.language else detect(" ".join(turn.text for turn in report.turns))
                await self.calls.index_words(conn, org_id, call.id, detected)
            with _trace_of(one):
                await self._bring_recording(conn, org_id, call.id, report, now)
                if known[one.conversation].recording_status == "available":
                    # It arrived before its call, so it was not announced yet.
                    await append(conn, call_event("call.recording_ready", org_id, call.id, 1, one.served_by, report))

    async def change(
        self, conn: Connection, known: Call, report: ReportedCall, served_by: ServedBy, received_at: datetime
    ) -> str:
        """What `record` does, for a call that is held. The conversation must not be locked after its call: reports lock
        the conversation first."""
        if not report.status.ended and report.turns and await self._is_live(conn, known):
            # Its party numbers the turns; those of the provider would take the places of the ones that it tells next.
            report = replace(report, turns=())
        known = await self.with_turns(conn, known)
        facts = supersede(known, report)
        if facts is None:
            return ""
        return await self.write(conn, known, _with_end(facts, received_at), served_by)

    async def with_turns(self, conn: Connection, known: Call) -> Call:
        if not known.turn_count:
            return known
        return replace(known, turns=await self.calls.turns(conn, known.org_id, known.id))

    async def write(self, conn: Connection, known: Call, facts: ReportedCall, served_by: ServedBy) -> str:
        """Replace the facts of a call that is held and announce them. A call that ends is told no longer, and the
        commands that it did not acknowledge are settled."""
        now = self.clock.now()
        if facts.status.ended and not known.status.ended:
            await self.live.drop(conn, known.org_id, known.id)
            await settle_at_end(conn, self.commands, known.org_id, known.id, facts.status, now)
        if known.agent_id:
            # A call keeps the version that served it, also when a newer one is published.
            served_by = ServedBy(known.agent_id, known.agent_version)
        await self.calls.update(conn, known.org_id, known.id, facts, served_by, now)
        topic = change_topic(known, facts)
        await append(conn, call_event(topic, known.org_id, known.id, known.version + 1, served_by, facts))
        await self._bring_recording(conn, known.org_id, known.id, facts, now)
        return known.id

    async def _is_live(self, conn: Connection, known: Call) -> bool:
        return await self.live.lost_at(conn, known.org_id, known.id) is not None

    async def _bring_recording(
        self, conn: Connection, org_id: str, call_id: str, report: ReportedCall, now: datetime
    ) -> None:
        """Enqueue the fetch of an ended call's recording, unless it is stored already."""
        if not (report.has_audio and report.status.ended):
            return
        recording = await self.recordings.expect(conn, org_id, report.provider, report.external_call_id, now)
        if recording.status == "pending":
            await AUDIO.enqueue(conn, org_id, {"recordingId": recording.id, "callId": call_id})


def _trace_of(one: Told) -> use_traceparent:
    """What one report causes belongs to its trace, not to that of the first one of its transaction."""
    return use_traceparent(one.traceparent or current_traceparent())


def _ended_event(org_id: str, one: Told, call: NewCall) -> Event:
    event = call_event(change_topic(None, call.report), org_id, call.id, 1, one.served_by, call.report)
    return replace(event, traceparent=one.traceparent)


def _with_end(report: ReportedCall, received_at: datetime) -> ReportedCall:
    """The end of a call whose report has no end time: the time of the report."""
    if not report.status.ended or report.ended_at is not None:
        return report
    return replace(report, ended_at=received_at)
