"""The process that reads one document: `python -m services.knowledge.extract.child '<order as JSON>'`.

Bounds itself (memory, CPU time, file size) before it opens anything, writes blocks as JSON lines to the output file and
tells its progress on standard output: `pages <read> <total>`, at the end `done <blocks>` or `refused <reason>`.
It gets no secrets: its parent gives it an empty environment.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import BY_NAME
from services.knowledge.extract.reading import read_blocks
from services.knowledge.extract.refusal import Refusal

_SECONDS_BETWEEN_REPORTS = 0.1
_PR_SET_PDEATHSIG = 1


def main(order_text: str) -> int:
    order = json.loads(order_text)
    _die_with_parent()
    _bound(order["memory_bytes"], order["cpu_seconds"], order["output_bytes"])
    try:
        blocks = _read(Path(order["input"]), order["media"], Path(order["output"]))
    except Refusal as refusal:
        return _end(f"refused {refusal.reason}")
    except (MemoryError, RecursionError):
        return _end("refused extraction_memory")
    except OSError as error:
        if error.errno == errno.EFBIG:
            return _end("refused document_text_too_long")
        if error.errno == errno.ENOMEM:
            return _end("refused extraction_memory")
        raise
    return _end(f"done {blocks}" if blocks else "refused no_text_found")


def _read(source: Path, media: str, target: Path) -> int:
    count = 0
    with target.open("w", encoding="utf-8") as out:
        for block in _with_text(read_blocks(source, BY_NAME[media], _Reporter(sys.stdout))):
            out.write(json.dumps((block.text, block.page, block.level), ensure_ascii=False) + "\n")
            count += 1
    return count


def _with_text(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks that carry at least a letter or a digit: a document of rules and bullets has nothing to find."""
    return (block for block in blocks if any(map(str.isalnum, block.text)))


class _Reporter:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def __call__(self, read: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next or read == total:
            self._next = now + _SECONDS_BETWEEN_REPORTS
            self._out.write(f"pages {read} {total}\n")
            self._out.flush()


def _end(line: str) -> int:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return 0


def _bound(memory_bytes: int, cpu_seconds: int, output_bytes: int) -> None:
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
