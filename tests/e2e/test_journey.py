"""The journey of `make demo`, from a document and a call to a bill and a live event, on a suite of its own."""

from __future__ import annotations

import io

from local.demo.api import Api
from local.demo.console import Console
from local.demo.journey import STEPS, Journey
from local.runner.suite import Suite


async def test_the_customers_journey(suite: Suite) -> None:
    """Each step checks what it promises and raises StepFailed; the transcript tells that none was left out."""
    shown = io.StringIO()
    console = Console(shown)
    await Journey(Api(suite.url, console), console).run()
    transcript = shown.getvalue()
    assert f"\n{len(STEPS)}. " in transcript
    assert "✗" not in transcript
    for step in transcript.split("\n\n")[1:]:
        assert "✓" in step
