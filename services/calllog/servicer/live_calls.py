"""LiveCallService: calls told while they run, and commands to the party that runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from echosenseix.calllog.v1 import calllog_pb2 as pb
from echosenseix.calllog.v1 import calllog_pb2_grpc
from libs.clock import Clock
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Violation
from libs.events.outbox import append
from libs.ids import is_id, new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from libs.rpc.times import from_timestamp, to_timestamp
from libs.untrusted_json import storable
from providers.interface.reports import CallStatus, ReportedCall
from providers.registry import OWN_SYSTEM, PROVIDERS
from services.calllog.domain.calls import Call, ServedBy
from services.calllog.domain.commands import (
    DEFAULT_SECONDS,
    PENDING,
    Command,
    acknowledged,
    checked,
    command_not_found,
    shown,
)
from services.calllog.domain.live import LIVE_COMPLETENESS, Ending, check_moment, check_turns
from services.calllog.mapping import (
    call_to_proto,
    command_event,
    command_to_proto,
    direction_from_proto,
    status_from_proto,
    turn_from_proto,
)
from services.calllog.operations.commands import settle
from services.calllog.operations.live_calls import EXPIRE, LiveCalls
from services.calllog.storage.calls import Calls, call_not_found
from services.calllog.storage.commands import COMMAND_LIST, Commands

# Asks for an agent of an organization by its own id; raises NotFound.
ResolveOwn = Callable[[str, str], Awaitable[ServedBy]]


class LiveCallServicer(calllog_pb2_grpc.LiveCallServiceServicer):
    def __init__(
        self, database: Database, calls: Calls, live: LiveCalls, commands: Commands, resolve_own: ResolveOwn,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._calls = calls
        self._live = live
        self._commands = commands
        self._resolve_own = resolve_own
        self._clock = clock

    async def BeginCall(self, request: pb.BeginCallRequest, context: object) -> pb.BeginCallResponse:
        principal = require_scope("calls:write")
        org_id, report = principal.org_id, _begun(request, self._clock.now())
        served_by = await self._served_by(org_id, request, report)
        principal.require_writable(served_by.agent_id or "", _unknown_agent())

        async def act(conn: Connection) -> pb.BeginCallResponse:
            if principal.grants is not None:
                await self._require_own(conn, principal, report)
            call, lost_at = await self._live.begin(conn, org_id, report, served_by)
            return pb.BeginCallResponse(call=call_to_proto(call), lost_time=to_timestamp(lost_at))

        return await run_write(self._database, org_id, act, pb.BeginCallResponse)

    async def AppendTurns(self, request: pb.AppendTurnsRequest, context: object) -> pb.AppendTurnsResponse:
        principal = require_scope("calls:write")
        org_id, call = principal.org_id, await self._known(principal, request.call_id)
        principal.require_writable(call.agent_id or "", call_not_found())
        elapsed = (self._clock.now() - (call.started_at or call.created_at)).total_seconds()
        sent = [turn_from_proto(turn, max(0.0, elapsed)) for turn in request.turns]
        check_turns(sent, [turn.tool_calls.ByteSize() for turn in request.turns])

        async def act(conn: Connection) -> pb.AppendTurnsResponse:
            told = await self._live.tell(conn, org_id, call.id, sent)
            return pb.AppendTurnsResponse(
                accepted=told.accepted, duplicates=told.duplicates, next_index=told.next_index,
                lost_time=to_timestamp(told.lost_at),
            )  # fmt: skip

        return await run_write(self._database, org_id, act, pb.AppendTurnsResponse)

    async def EndCall(self, request: pb.EndCallRequest, context: object) -> pb.EndCallResponse:
        principal, now = require_scope("calls:write"), self._clock.now()
        org_id = principal.org_id
        ended_at = from_timestamp(request, "end_time") or now
        status = status_from_proto(request.status) or CallStatus.COMPLETED
        if not status.ended:
            raise _invalid("#/status", "An ended call is not in progress.")

        async def act(conn: Connection) -> pb.EndCallResponse:
            call = await self._locked(conn, principal, _call_id(request.call_id))
            moment = check_moment(ended_at, "#/endedAt", now, (call.started_at or call.created_at))
            successful = request.successful if request.HasField("successful") else None
            reason, summary = storable(request.termination_reason), storable(request.summary)
            await self._live.end(conn, call, Ending(status, moment, reason, summary, successful))
            return pb.EndCallResponse()

        answer = await run_write(self._database, org_id, act, pb.EndCallResponse)
        answer.call.CopyFrom(call_to_proto(await self._calls.head(org_id, request.call_id)))
        return answer

    async def CreateCallCommand(
        self, request: pb.CreateCallCommandRequest, context: object
    ) -> pb.CreateCallCommandResponse:
        principal, now = require_scope("calls:write"), self._clock.now()
        org_id = principal.org_id
        seconds = request.timeout_seconds or DEFAULT_SECONDS
        asked = Command(
            id=new_id("cmd"), org_id=org_id, call_id=_call_id(request.call_id), agent_id="", type=request.type,
            to=storable(request.to), context=storable(request.context), reason=storable(request.reason),
            status=PENDING, detail="", created_at=now, expires_at=now + timedelta(seconds=seconds),
        )  # fmt: skip
        asked = checked(asked, seconds)

        async def act(conn: Connection) -> pb.CreateCallCommandResponse:
            call = await self._locked(conn, principal, asked.call_id)
            await self._require_live(conn, call)
            await self._database.quotas.admit(conn, org_id, "pending_call_commands", within=call.id)
            command = replace(asked, agent_id=call.agent_id or "")
            await self._commands.add(conn, command)
            await append(conn, command_event("call.command_requested", command))
            await EXPIRE.enqueue(conn, org_id, {"callId": call.id, "commandId": command.id}, run_at=command.expires_at)
            return pb.CreateCallCommandResponse(command=command_to_proto(command))

        return await run_write(self._database, org_id, act, pb.CreateCallCommandResponse)

    async def GetCallCommand(self, request: pb.GetCallCommandRequest, context: object) -> pb.GetCallCommandResponse:
        principal = require_scope("calls:read")
        call_id, command_id = _command_ids(request)
        if principal.grants is not None:
            await self._known(principal, call_id)
        command = await self._commands.get(principal.org_id, call_id, command_id)
        return pb.GetCallCommandResponse(command=command_to_proto(shown(command, self._clock.now())))

    async def ListCallCommands(
        self, request: pb.ListCallCommandsRequest, context: object
    ) -> pb.ListCallCommandsResponse:
        principal, now = require_scope("calls:read"), self._clock.now()
        org_id = principal.org_id
        await self._known(principal, request.call_id)
        wanted = page_request_from_proto(request.page, COMMAND_LIST)
        page = await self._commands.page(org_id, request.call_id, wanted, request.status)
        rows = [command_to_proto(shown(command, now)) for command in page.items]
        return pb.ListCallCommandsResponse(commands=rows, page_info=page_info_to_proto(page))

    async def AcknowledgeCallCommand(
        self, request: pb.AcknowledgeCallCommandRequest, context: object
    ) -> pb.AcknowledgeCallCommandResponse:
        principal, now = require_scope("calls:write"), self._clock.now()
        org_id, (call_id, command_id) = principal.org_id, _command_ids(request)
        if principal.grants is not None:
            call = await self._known(principal, call_id)
            principal.require_writable(call.agent_id or "", call_not_found())

        async def act(conn: Connection) -> pb.AcknowledgeCallCommandResponse:
            command = await self._commands.lock(conn, org_id, call_id, command_id)
            settled = acknowledged(command, request.status, storable(request.detail), now)
            if settled is not command:
                await settle(conn, self._commands, settled)
            return pb.AcknowledgeCallCommandResponse(command=command_to_proto(settled))

        return await run_write(self._database, org_id, act, pb.AcknowledgeCallCommandResponse)

    async def _known(self, principal: Principal, call_id: str) -> Call:
        """A call that the caller may read."""
        call = await self._calls.head(principal.org_id, _call_id(call_id))
        principal.require_readable(call.agent_id or "", call_not_found())
        return call

    async def _require_own(self, conn: Connection, principal: Principal, report: ReportedCall) -> None:
        """The conversation has no call yet, or one that the caller may change. Before anything is written, because a
        call of no agent would become one of the named agent."""
        call = await self._calls.lock(conn, principal.org_id, report.provider, report.external_call_id)
        if call is not None:
            principal.require_writable(call.agent_id or "", call_not_found())

    async def _locked(self, conn: Connection, principal: Principal, call_id: str) -> Call:
        """A call that the caller may change, held until the transaction ends."""
        call = await self._calls.lock_by_id(conn, principal.org_id, call_id)
        principal.require_writable(call.agent_id or "", call_not_found())
        return call

    async def _require_live(self, conn: Connection, call: Call) -> None:
        if call.status.ended:
            raise FailedPrecondition("call_ended", "This call has ended.")
        if await self._live.rows.lost_at(conn, call.org_id, call.id) is None:
            raise FailedPrecondition(
                "call_not_served", "The party that runs this call does not tell of it, so it would not hear a command."
            )

    async def _served_by(self, org_id: str, request: pb.BeginCallRequest, report: ReportedCall) -> ServedBy:
        if not request.agent_id:
            return await self._live.reported.served_by(org_id, report)
        try:
            return await self._resolve_own(org_id, request.agent_id)
        except NotFound:
            raise _unknown_agent() from None


def _begun(request: pb.BeginCallRequest, now: datetime) -> ReportedCall:
    provider = request.provider or OWN_SYSTEM
    if provider != OWN_SYSTEM and provider not in PROVIDERS:
        raise _invalid("#/provider", f"Use {OWN_SYSTEM} or one of {', '.join(PROVIDERS)}.")
    if not request.external_call_id.strip():
        raise _invalid("#/externalCallId", "Name the call by the id that your system gives it.", "required")
    started_at = from_timestamp(request, "start_time")
    return ReportedCall(
        provider=provider,
        external_call_id=storable(request.external_call_id),
        external_agent_id=storable(request.external_agent_id),
        status=CallStatus.IN_PROGRESS,
        completeness=LIVE_COMPLETENESS,
        direction=direction_from_proto(request.direction),
        from_number=storable(request.from_number),
        to_number=storable(request.to_number),
        language=storable(request.language),
        started_at=now if started_at is None else check_moment(started_at, "#/startedAt", now),
    )


def _call_id(text: str) -> str:
    if not is_id(text, "call"):
        raise call_not_found()
    return text


def _command_ids(request: pb.GetCallCommandRequest | pb.AcknowledgeCallCommandRequest) -> tuple[str, str]:
    call_id = _call_id(request.call_id)
    if not is_id(request.id, "cmd"):
        raise command_not_found()
    return call_id, request.id


def _unknown_agent() -> InvalidArgument:
    return _invalid("#/agentId", "No such agent.", "not_found")


def _invalid(pointer: str, detail: str, code: str = "unknown_value") -> InvalidArgument:
    return InvalidArgument("validation_failed", detail, violations=[Violation(pointer, code, detail)])
