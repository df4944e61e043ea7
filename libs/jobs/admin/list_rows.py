"""A job's columns, and a job in a list as the API shows it."""

from typing import Any

from libs.jobs.job import Lane, decode_json
from libs.json_rows import JsonRow, plain_to_json, time_text
from libs.postgres import Record

# A delayed job is queued some seconds before it is due; the API shows it as scheduled until then.
JOB_STATE = "case when j.state = 'queued' and j.run_at > clock_timestamp() then 'scheduled' else j.state end"
JOB_COLUMNS = f"""j.id, j.org_id, j.kind, j.queue, {JOB_STATE} as state, j.lane, j.progress, j.attempt, j.max_attempts,
    j.error_code, j.error_message, j.result::text as result, j.created_at, j.run_at, j.started_at, j.finished_at,
    j.cancel_requested, j.stalls, j.worker"""


class _Error(JsonRow):
    code: str
    message: str


class JobRow(JsonRow):
    id: str
    service: str
    kind: str
    queue: str
    lane: str
    state: str
    progress: int
    attempt: int
    max_attempts: int
    error: _Error | None
    result: dict[str, Any] | None
    cancel_requested: bool
    stalls: int
    created_at: str | None
    run_at: str | None
    started_at: str | None
    finished_at: str | None


# The names of the lanes by their numbers.
_LANES = {lane.value: lane.name.lower() for lane in Lane}


def job_row(service: str, row: Record) -> JobRow:
    """From a record of JOB_COLUMNS, by position."""
    (
        id_, _org, kind, queue, state, lane, progress, attempt, max_attempts, code, message, result, created_at, run_at,
        started_at, finished_at, cancels, stalls, *_,
    ) = row[:]  # fmt: skip
    return JobRow(
        id_, service, kind, queue, _LANES[lane], state, progress, attempt, max_attempts,
        None if code is None else _Error(code, message or ""),
        None if result is None else plain_to_json(decode_json(result)), cancels, stalls, time_text(created_at),
        time_text(run_at), time_text(started_at), time_text(finished_at),
    )  # fmt: skip
