"""`python -m local.ops [COMMAND]`: without a command the live view; `--once` shows it once."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from libs.errors import AppError
from local import terminal
from local.ops import events, letters, stores, view
from local.ops.queues import Queues
from local.ops.screen import queue_row, table
from local.paths import ROOT
from local.runner.folder import Folder
from local.stores import StoreFailed

# Seconds between two refreshes: each asks all services and runs five statements.
EVERY_SECONDS = 2.0


def main() -> None:
    options = _parser().parse_args()
    folder = Folder(options.var)
    if not folder.is_running():
        sys.exit("The suite is not up: run `make up` first.")
    try:
        asyncio.run(_run(options, folder))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    except (AppError, StoreFailed, OSError) as error:
        sys.exit(f"{error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.ops", description="What an operator asks of the suite.")
    parser.add_argument("--var", type=Path, default=ROOT / "var")
    parser.add_argument("--once", action="store_true", help="show the view once instead of refreshing it")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, words in (("pause", "start no more jobs"), ("resume", "start jobs again")):
        acting = commands.add_parser(name, help=f"{words} of SERVICE QUEUE, for every organization")
        acting.add_argument("service")
        acting.add_argument("queue")
    dead = commands.add_parser("dead", help="jobs that failed for good, of every organization, newest first")
    dead.add_argument("--limit", type=int, default=50, help="at most this many (50)")
    replay = commands.add_parser("replay", help="run dead jobs again: ID…, SERVICE QUEUE, or by filter")
    replay.add_argument("what", nargs="*", metavar="ID | SERVICE QUEUE")
    replay.add_argument("--error", default="", help="only those that failed with this code")
    for choosing in (dead, replay):
        for name in ("service", "queue", "kind"):
            choosing.add_argument(f"--{name}", default="", help=f"only of this {name}")
    events.add_commands(commands)
    commands.add_parser("queues", help="queues with counts, ages and rates")
    commands.add_parser("pool", help="database connections by role and state")
    commands.add_parser("slow", help="statements by mean time (pg_stat_statements)").add_argument(
        "--ms", type=float, default=1000, help="show those slower than this in the mean"
    )
    commands.add_parser("hits", help="buffer hit ratio by schema; should be above 90 %%")
    commands.add_parser("tables", help="the largest tables")
    commands.add_parser("redis", help="Redis memory, evictions, hits")
    commands.add_parser("keys", help="keys of every service: id, age, state")
    commands.add_parser("load", help="places of each gateway, refusals, event loop, open breakers")
    commands.add_parser("caches", help="hits, loads and stale answers of each class of cached values")
    return parser


async def _run(options: argparse.Namespace, folder: Folder) -> None:
    if options.command in ("pause", "resume"):
        async with Queues.connect(folder) as reached:
            act = reached.pause if options.command == "pause" else reached.resume
            sys.stdout.write(table([queue_row(await act(options.service, options.queue))]))
    elif options.command == "dead":
        await letters.show(folder, options)
    elif options.command == "replay":
        await letters.replay(folder, options)
    elif options.command == "dead-events":
        await events.show(folder, options)
    elif options.command == "replay-events":
        await events.replay(folder, options)
    elif options.command:
        sys.stdout.write(await _one(options, folder))
    else:
        await _watch(folder, once=options.once)


async def _one(options: argparse.Namespace, folder: Folder) -> str:
    if options.command == "queues":
        return await view.queues(folder)
    if options.command == "redis":
        return await view.redis(folder)
    if options.command == "keys":
        return await view.keys(folder)
    if options.command == "load":
        return await view.load(folder)
    if options.command == "caches":
        return await view.caches(folder)
    queries = {
        "pool": stores.POOL,
        "slow": stores.SLOW.format(least_ms=getattr(options, "ms", 1000), limit=10),
        "hits": stores.HIT_RATIO,
        "tables": stores.TABLES.format(limit=20),
    }
    return await view.rows(folder, queries[options.command])


async def _watch(folder: Folder, *, once: bool) -> None:
    while True:
        shown = await view.view(folder)
        if once:
            sys.stdout.write(shown)
            return
        sys.stdout.write(
            f"\033[H\033[2J{shown}\n  every {EVERY_SECONDS:.0f} s; Ctrl-C ends. More: python -m local.ops --help\n"
        )
        sys.stdout.flush()
        await asyncio.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    terminal.run(main)
