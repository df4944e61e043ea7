"""Dead letters from the terminal: list those of every organization, run chosen ones again."""

from __future__ import annotations

import argparse
import sys

from libs.ids import job_owner
from local.ops.queues import Queues
from local.ops.screen import dead_row, table
from local.ops.view import finish
from local.runner.folder import Folder


async def show(folder: Folder, options: argparse.Namespace) -> None:
    async with Queues.connect(folder) as reached:
        answers = await reached.dead(options.service, options.queue, options.kind, options.limit)
    sys.stdout.write(table([dead_row(job) for job in answers.found]))
    if len(answers.found) == options.limit:
        sys.stdout.write(
            f"  The newest {options.limit}; see more by --limit, others by --service, --queue or --kind.\n"
        )
    finish(answers)


async def replay(folder: Folder, options: argparse.Namespace) -> None:
    ids, service, queue = _chosen(options)
    async with Queues.connect(folder) as reached:
        answers = await (
            reached.replay_ids(ids) if ids else reached.replay(service, queue, options.kind, options.error)
        )  # fmt: skip
    named = f" of {service}/{queue}" if service and queue else ""
    sys.stdout.write(f"{sum(answers.found)} dead letters{named} run again.\n")
    finish(answers)


def _chosen(options: argparse.Namespace) -> tuple[list[str], str, str]:
    """Ids, or service and queue: by position or by name."""
    what, filters = list(options.what), any((options.queue, options.kind, options.error))
    # Ids have a form of their own, so positions need no flag.
    if what and all(job_owner(word) for word in what):
        if filters or options.service:
            raise SystemExit("Give ids or a filter, not both.")
        return what, "", ""
    if len(what) == 2 and not (options.service or options.queue):
        return [], what[0], what[1]
    if what or not filters:
        raise SystemExit(
            "Say which: ID…, SERVICE QUEUE, or --queue, --kind or --error (with --service for one service)."
        )
    return [], options.service, options.queue
