"""What goes on beside a fault run: it ends with the run, and never hides why the run failed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def beside(acting: Coroutine[Any, Any, object]) -> AsyncIterator[asyncio.Task[object]]:
    """Run the coroutine as a task during the block and wait for its end after it, so the block lets it end.

    When the block fails the task is cancelled at once: what it uses goes away with the block. The block's error is the
    one that is raised; an earlier error of the task is noted at it."""
    task = asyncio.create_task(acting)
    try:
        yield task
    except BaseException as error:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            error.add_note(f"what went on beside it had failed: {ended!r}")
        raise
    await task
