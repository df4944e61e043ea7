"""Dead events from the terminal: list those of every organization, have chosen ones handled again."""

from __future__ import annotations

import argparse
import sys

from echosenseix.jobs.v1 import jobs_pb2 as pb
from libs.clock import parse_rfc3339
from libs.ids import read_dead_event_id
from libs.rpc.times import to_timestamp
from local.ops.dead_events import DeadEvents
from local.ops.screen import dead_event_row, table
from local.ops.view import finish
from local.runner.folder import Folder


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    listing = commands.add_parser(
        "dead-events",
        help="events that a consumer gave up, of every organization, newest first",
        description="Events that a consumer gave up after its last try, newest first. What an event carries is not "
        "shown, because it names people: `select payload from <service>.inbox_dead` has it.",
    )
    listing.add_argument("--limit", type=int, default=50, help="at most this many (50)")
    replaying = commands.add_parser(
        "replay-events",
        help="have dead events handled again: ID…, or by filter",
        description="Have the consumers handle dead events again, after the cause is corrected: those with these "
        "ids (of dead-events), or those that a filter chooses, the oldest 1,000 of each service. They are handled "
        "within seconds, outside the order of their keys. One that fails again stays dead, with a try more.",
    )
    replaying.add_argument("ids", nargs="*", metavar="ID")
    for choosing in (listing, replaying):
        choosing.add_argument("--service", default="", help="only of this service")
        choosing.add_argument("--consumer", default="", help="only given up by this consumer")
        choosing.add_argument("--topic", default="", help="only of this topic, such as call.ended")
        choosing.add_argument("--error", default="", help="only with this code, or these words, in the last error")
        choosing.add_argument("--organization", default="", help="only of the organization with this id")
        choosing.add_argument("--since", default="", metavar="TIME", help="given up at or after (2026-01-31T00:00:00Z)")
        choosing.add_argument("--until", default="", metavar="TIME", help="given up before")


async def show(folder: Folder, options: argparse.Namespace) -> None:
    async with DeadEvents.connect(folder) as reached:
        answers = await reached.list(options.service, _chosen(options), options.limit)
    sys.stdout.write(table([dead_event_row(event) for event in answers.found]))
    if len(answers.found) == options.limit:
        sys.stdout.write(f"  The newest {options.limit}; see more by --limit, others by a filter (--help).\n")
    finish(answers)


async def replay(folder: Folder, options: argparse.Namespace) -> None:
    chosen = _chosen(options)
    if options.ids and (options.service or chosen != pb.DeadEventFilter()):
        raise SystemExit("Give ids or a filter, not both.")
    if not options.ids and chosen == pb.DeadEventFilter():
        raise SystemExit("Say which: ID…, or --consumer, --topic, --error, --organization, --since or --until.")
    for event_id in options.ids:
        if read_dead_event_id(event_id) is None:
            raise SystemExit(f"{event_id} is no id of a dead event: `dead-events` shows them.")
    async with DeadEvents.connect(folder) as reached:
        answers = await (reached.replay_ids(options.ids) if options.ids else reached.replay(options.service, chosen))
    sys.stdout.write(f"{sum(answers.found)} dead events will be handled again.\n")
    finish(answers)


def _chosen(options: argparse.Namespace) -> pb.DeadEventFilter:
    try:
        since, until = (parse_rfc3339(text) if text else None for text in (options.since, options.until))
    except ValueError:
        raise SystemExit("Write a time with its zone, as in 2026-01-31T00:00:00Z.") from None
    return pb.DeadEventFilter(
        consumer=options.consumer, topic=options.topic, error=options.error, organization_id=options.organization,
        died_at_ge=to_timestamp(since), died_at_lt=to_timestamp(until),
    )  # fmt: skip
