"""Runs the extraction child and turns whatever happens to it into blocks on disk or a Refusal.

The parent never parses the document: a hostile file can at worst end its own process.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.knowledge.config import KnowledgeSettings
from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import MediaType
from services.knowledge.extract.refusal import SENTENCES, Refusal

OnPages = Callable[[int, int], Awaitable[None]]

_PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """What one document may cost. Wall time bounds the whole child, however busy the machine is."""

    memory_bytes: int = 256 << 20
    cpu_seconds: int = 20
    wall_seconds: float = 25.0
    output_bytes: int = 32 << 20

    @classmethod
    def of(cls, settings: KnowledgeSettings) -> "ExtractionLimits":
        return cls(
            settings.extract_memory_mib << 20,
            settings.extract_cpu_seconds,
            settings.extract_wall_seconds,
            settings.extract_output_mib << 20,
        )


class Interrupted(Exception):
    """The caller no longer wants the document."""


async def extract(
    source: Path,
    media: MediaType,
    target: Path,
    limits: ExtractionLimits,
    on_pages: OnPages,
    unwanted: Callable[[], bool] = lambda: False,
) -> int:
    """Reads `source` in a child process and leaves its blocks in `target`; answers the number of pages (0 where the
    format has none). Raises Refusal for what the document is, Interrupted when `unwanted()` turns true."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.knowledge.extract.child",
        _order(source, media, target, limits),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        cwd=_PROJECT,
        start_new_session=True,
    )
    report = _Report()
    try:
        async with asyncio.timeout(limits.wall_seconds):
            await _follow(child, report, on_pages, unwanted)
            code = await child.wait()
    except TimeoutError:
        raise Refusal("extraction_timeout") from None
    finally:
        await _end(child)
    return _outcome(report, code)


def read_extracted(target: Path) -> Iterator[Block]:
    """The blocks that `extract` left, one at a time."""
    with target.open(encoding="utf-8") as lines:
        for line in lines:
            text, page, level = json.loads(line)
            yield Block(text, page, level)


@dataclass(slots=True)
class _Report:
    pages: int = 0
    done: bool = False
    reason: str | None = None


def _order(source: Path, media: MediaType, target: Path, limits: ExtractionLimits) -> str:
    return json.dumps(
        {
            "input": str(source),
            "output": str(target),
            "media": media.name,
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds,
            "output_bytes": limits.output_bytes,
        }
    )


def _environment() -> dict[str, str]:
    """No settings and no secrets; one malloc arena, because address space is what the limit counts."""
    return {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
    }


async def _follow(
    child: asyncio.subprocess.Process, report: _Report, on_pages: OnPages, unwanted: Callable[[], bool]
) -> None:
    assert child.stdout is not None  # noqa: S101 - asked for as a pipe above
    while True:
        line: bytes | None = None
        with suppress(TimeoutError):
            line = await asyncio.wait_for(child.stdout.readline(), 0.25)
        if unwanted():
            raise Interrupted
        if line == b"":
            return
        if line is not None:
            await _take(line.decode("ascii", "replace").split(), report, on_pages)


async def _take(words: list[str], report: _Report, on_pages: OnPages) -> None:
    match words:
        case ["pages", read, total] if read.isdigit() and total.isdigit():
            report.pages = int(total)
            await on_pages(int(read), int(total))
        case ["done", _]:
            report.done = True
        case ["refused", reason] if reason in SENTENCES:
            report.reason = reason
        case _:
            pass


def _outcome(report: _Report, code: int) -> int:
    if report.reason:
        raise Refusal(report.reason)
    if report.done and code == 0:
        return report.pages
    if code == -signal.SIGXCPU:
        raise Refusal("extraction_timeout")
    # Native libraries end themselves when an allocation fails.
    out_of_memory = code in (-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL)
    raise Refusal("extraction_memory" if out_of_memory else "extraction_crashed")


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
