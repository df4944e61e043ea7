"""A job in a list as the API shows it: its columns and its JSON."""

from typing import Any

from libs.jobs.job import Lane, decode_json
from libs.json_rows import JsonRow, plain_to_json, time_text
from libs.postgres import Record


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


def job_row(service: str, row: Record) -> JobRow:
    """From a record of the columns of libs.jobs.admin.queries."""
    code, result = row["error_code"], row["result"]
    return JobRow(
        row["id"], service, row["kind"], row["queue"], Lane(row["lane"]).name.lower(), row["state"], row["progress"],
        row["attempt"], row["max_attempts"], None if code is None else _Error(code, row["error_message"] or ""),
        None if result is None else plain_to_json(decode_json(result)), row["cancel_requested"], row["stalls"],
        time_text(row["created_at"]), time_text(row["run_at"]), time_text(row["started_at"]),
        time_text(row["finished_at"]),
    )  # fmt: skip
