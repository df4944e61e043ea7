"""Commands to a call that runs: what may be asked, and how a command is settled. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Violation
from providers.interface.reports import CallStatus

TYPES = ("end_call", "transfer", "inject_context")
PENDING, ACKNOWLEDGED, FAILED, TIMED_OUT = "pending", "acknowledged", "failed", "timed_out"
STATUSES = (PENDING, ACKNOWLEDGED, FAILED, TIMED_OUT)
# Seconds that the party that runs the call has: at least, at most, and unless the request says otherwise.
MIN_SECONDS, MAX_SECONDS, DEFAULT_SECONDS = 1, 300, 30
# Characters of the context that an agent is given, of a target, and of the short texts.
MAX_CONTEXT, MAX_TARGET, MAX_TEXT = 8_000, 256, 500
# The argument that a type needs; others may not be given, except for the reason.
_NEEDS = {"end_call": "", "transfer": "to", "inject_context": "context"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Its status is settled once."""

    id: str
    org_id: str
    call_id: str
    agent_id: str
    type: str
    to: str
    context: str
    reason: str
    status: str
    detail: str
    created_at: datetime
    expires_at: datetime
    settled_at: datetime | None = None


def checked(command: Command, seconds: int) -> Command:
    """The command, if it can be carried out. Raises InvalidArgument("validation_failed") with every violation."""
    found = []
    if command.type not in TYPES:
        found.append(Violation("#/type", "unknown_value", f"Use one of {', '.join(TYPES)}."))
    needed = _NEEDS.get(command.type, "")
    for name, limit in (("to", MAX_TARGET), ("context", MAX_CONTEXT), ("reason", MAX_TEXT)):
        value = getattr(command, name)
        if name == needed and not value.strip():
            found.append(Violation(f"#/{name}", "required", f"{command.type} needs it."))
        elif value and name not in (needed, "reason"):
            found.append(Violation(f"#/{name}", "not_allowed", f"{command.type} does not take it."))
        elif len(value) > limit:
            found.append(Violation(f"#/{name}", "too_long", f"Use at most {limit:,} characters."))
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        found.append(Violation("#/timeoutSeconds", "out_of_range", f"Use {MIN_SECONDS} to {MAX_SECONDS}."))
    if found:
        raise InvalidArgument("validation_failed", "This command cannot be carried out.", violations=found)
    return command


def acknowledged(command: Command, status: str, detail: str, now: datetime) -> Command:
    """The command with the outcome that the party which runs the call tells; the same command when it was told before.

    Raises FailedPrecondition("command_timed_out") after its time, ("command_settled") for another outcome."""
    if status not in (ACKNOWLEDGED, FAILED):
        raise InvalidArgument(
            "validation_failed", "An outcome is acknowledged or failed.",
            violations=[Violation("#/status", "unknown_value", "Use acknowledged or failed.")],
        )  # fmt: skip
    if command.status == status:
        return command
    if command.status == TIMED_OUT or (command.status == PENDING and now >= command.expires_at):
        raise FailedPrecondition("command_timed_out", "The time for this command has passed. Do not carry it out.")
    if command.status != PENDING:
        raise FailedPrecondition("command_settled", f"This command has {command.status}. {command.detail}".strip())
    return replace(command, status=status, detail=detail[:MAX_TEXT], settled_at=now)


def timed_out(command: Command) -> Command:
    return replace(command, status=TIMED_OUT, settled_at=command.expires_at)


def settled_by_end(command: Command, status: CallStatus, now: datetime) -> Command:
    """The outcome of a command that waits when its call ends. The end is what end_call asks for; of a call that failed
    no one knows whether the command was heard."""
    if now >= command.expires_at:
        return timed_out(command)
    done = command.type == "end_call" and status is not CallStatus.FAILED
    return replace(command, status=ACKNOWLEDGED if done else FAILED, detail="The call ended.", settled_at=now)


def shown(command: Command, now: datetime) -> Command:
    """The command as it is to be read: one whose time has passed has timed out, though its job did not write it yet."""
    overdue = command.status == PENDING and now >= command.expires_at
    return timed_out(command) if overdue else command


def command_not_found() -> NotFound:
    return NotFound("call_command_not_found", "No such command of this call.")
