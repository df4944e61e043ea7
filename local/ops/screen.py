"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from echosenseix.jobs.v1 import jobs_pb2 as pb

# Characters of an error in a row, about the width of a wide terminal.
_ERROR_LENGTH = 160


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns as wide as their widest cell; numbers to the right."""
    if not rows:
        return "  (none)\n"
    names = list(rows[0])
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[index]) for line in cells)) for index, name in enumerate(names)]
    right = [all(isinstance(row.get(name), int | float) for row in rows) for name in names]
    lines = [_line([name.upper() for name in names], widths, right), *(_line(line, widths, right) for line in cells)]
    return "\n".join(lines) + "\n"


def queue_row(queue: pb.Queue) -> dict[str, Any]:
    return {
        "queue": f"{queue.service}/{queue.name}" + (" (paused)" if queue.paused else ""),
        "waiting": queue.waiting,
        "active": queue.active,
        "delayed": queue.delayed,
        "failed": queue.failed,
        "completed": queue.completed,
        "oldest": _seconds(queue.oldest_age_seconds),
        "per_s": round(queue.finished_per_second, 1),
        "wait_p95": _seconds(queue.wait_p95_seconds),
        "run_p95": _seconds(queue.run_p95_seconds),
    }


def dead_row(job: pb.Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "queue": f"{job.service}/{job.queue}",
        "kind": job.kind,
        "organization": job.organization_id or "-",
        "error": job.error.code,
        "failed_at": _moment(job.finish_time),
    }


def dead_event_row(event: pb.DeadEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "consumer": f"{event.service}/{event.consumer}" + (" (replaying)" if event.replaying else ""),
        "topic": event.topic,
        "organization": event.organization_id or "-",
        "event": event.event_id,
        "about": event.subject or "-",
        "tries": event.tries,
        "died_at": _moment(event.die_time),
        "error": _error(event.error),
    }


def dead_count_row(count: pb.DeadEventCount) -> dict[str, Any]:
    return {"consumer": f"{count.service}/{count.consumer}", "dead": count.dead, "replaying": count.replaying}


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    )
    return "  " + "  ".join(padded).rstrip()


def _moment(stamp: Timestamp) -> str:
    return stamp.ToDatetime().isoformat(sep=" ", timespec="seconds")


def _error(error: pb.JobError) -> str:
    """One line of it, as a terminal is wide."""
    line = " ".join(f"{error.code}: {error.message}".split())
    return line if len(line) <= _ERROR_LENGTH else f"{line[: _ERROR_LENGTH - 1]}…"


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _seconds(value: float) -> str:
    return "-" if value == 0 else f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
