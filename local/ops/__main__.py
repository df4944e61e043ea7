"""`python -m local.ops [COMMAND]`: without a command the live view; `--once` shows it once."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from libs.errors import AppError
from local.ops import stores
from local.ops.queues import Queues
from local.ops.screen import queue_row, table
from local.state import Folder
from local.stores import StoreFailed

ROOT = Path(__file__).resolve().parent.parent.parent
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
    for name, words in (
        ("pause", "start no more jobs"),
        ("resume", "start jobs again"),
        ("replay", "run dead letters again"),
    ):
        acting = commands.add_parser(name, help=f"{words} of SERVICE QUEUE, for every organisation")
        acting.add_argument("service")
        acting.add_argument("queue")
    commands.add_parser("queues", help="queues with counts, ages and rates")
    commands.add_parser("pool", help="database connections by role and state")
    commands.add_parser("slow", help="statements by mean time (pg_stat_statements)").add_argument(
        "--ms", type=float, default=1000, help="show those slower than this in the mean"
    )
    commands.add_parser("hits", help="buffer hit ratio by schema; should be above 90 %%")
    commands.add_parser("tables", help="the largest tables")
    commands.add_parser("redis", help="Redis memory, evictions, hits")
    return parser


async def _run(options: argparse.Namespace, folder: Folder) -> None:
    if options.command in ("pause", "resume", "replay"):
        await _act(options, folder)
    elif options.command:
        sys.stdout.write(await _one(options, folder))
    else:
        await _watch(folder, once=options.once)


async def _act(options: argparse.Namespace, folder: Folder) -> None:
    async with Queues.connect(folder) as queues:
        if options.command == "replay":
            replayed = await queues.replay(options.service, options.queue)
            sys.stdout.write(f"{replayed} dead letters of {options.service}/{options.queue} run again.\n")
            return
        act = queues.pause if options.command == "pause" else queues.resume
        sys.stdout.write(table([queue_row(await act(options.service, options.queue))]))


async def _one(options: argparse.Namespace, folder: Folder) -> str:
    run = folder.read_run()["stores"]
    dsn = run["postgres"]["adminUrl"]
    if options.command == "queues":
        return await _queues(folder)
    if options.command == "redis":
        return table([stores.redis_figures(run["redis"]["url"])])
    queries = {
        "pool": stores.POOL,
        "slow": stores.SLOW.format(least_ms=getattr(options, "ms", 1000), limit=10),
        "hits": stores.HIT_RATIO,
        "tables": stores.TABLES.format(limit=20),
    }
    return table(stores.rows(dsn, queries[options.command]))


async def _watch(folder: Folder, *, once: bool) -> None:
    while True:
        shown = await _view(folder)
        if once:
            sys.stdout.write(shown)
            return
        sys.stdout.write(
            f"\033[H\033[2J{shown}\n  every {EVERY_SECONDS:.0f} s; Ctrl-C ends. More: python -m local.ops --help\n"
        )
        sys.stdout.flush()
        await asyncio.sleep(EVERY_SECONDS)


async def _view(folder: Folder) -> str:
    run = folder.read_run()["stores"]
    dsn = run["postgres"]["adminUrl"]
    pool = await asyncio.to_thread(stores.rows, dsn, stores.POOL)
    hits = await asyncio.to_thread(stores.rows, dsn, stores.HIT_RATIO)
    slow = await asyncio.to_thread(stores.rows, dsn, stores.SLOW.format(least_ms=100, limit=5))
    redis = await asyncio.to_thread(stores.redis_figures, run["redis"]["url"])
    parts = {
        f"EchoSenseiX  {time.strftime('%H:%M:%S')}": "",
        "Queues": await _queues(folder),
        "Connections": table(pool),
        "Buffer hits": table(hits),
        "Slowest statements (mean above 100 ms)": table(slow),
        "Redis": table([redis]),
    }
    return "\n".join(f"{title}\n{body}" for title, body in parts.items())


async def _queues(folder: Folder) -> str:
    async with Queues.connect(folder) as queues:
        return table([queue_row(queue) for queue in await queues.all()])


if __name__ == "__main__":
    main()
