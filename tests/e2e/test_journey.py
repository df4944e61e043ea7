"""The journey of `make demo`, from a document and a call to a bill and a live event, in the printed organization."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import httpx

from local.demo.api import Api
from local.demo.console import Console
from local.demo.journey import STEPS, Journey
from local.runner.suite import Suite

ROOT = Path(__file__).resolve().parents[2]


async def test_the_customers_journey_goes_well_a_second_time_too(suite: Suite) -> None:
    """Each step checks what it promises and raises StepFailed; the transcript tells that none was left out."""
    for _ in range(2):
        shown = io.StringIO()
        console = Console(shown)
        await Journey(Api(suite.url, console, suite.api_key), console).run()
        transcript = shown.getvalue()
        assert f"\n{len(STEPS)}. " in transcript
        assert "✗" not in transcript
        for step in transcript.split("\n\n")[1:]:
            assert "✓" in step
    assert "POST" not in transcript
    assert len(transcript.splitlines()) < 80


def demo(suite: Suite, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.demo", *arguments, "--var", str(suite.folder.path)]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


def test_an_own_document_whose_path_has_a_space_answers_a_question(suite: Suite, tmp_path: Path) -> None:
    document = tmp_path / "my notes" / "ferry plan.txt"
    document.parent.mkdir()
    document.write_text("The ferry to Ostmar leaves at half past nine from the north quay.", encoding="utf-8")
    answer = demo(suite, DOC=str(document), QUESTION="When does the ferry leave?", V="1")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "best: The ferry to Ostmar leaves at half past nine" in answer.stdout
    assert "POST /api/agents" in answer.stdout
    assert suite.api_key not in answer.stdout
    made = next(line.split()[1] for line in answer.stdout.splitlines() if line.strip().startswith("call "))
    seen = httpx.get(made, headers={"Authorization": f"Bearer {suite.api_key}"})
    assert seen.status_code == 200


def test_credentials_of_the_users_own_are_left_alone(suite: Suite) -> None:
    headers = {"Authorization": f"Bearer {suite.api_key}"}
    sent = {"credentials": {"apiKey": "sk_of_the_user_0123456789", "webhookSecret": "wsec_0123456789abcdef"}}
    assert httpx.put(f"{suite.url}/api/integrations/elevenlabs", json=sent, headers=headers).status_code == 200
    answer = demo(suite)
    assert answer.returncode == 1
    assert "which the demo would replace" in answer.stdout
    assert httpx.delete(f"{suite.url}/api/integrations/elevenlabs", headers=headers).status_code == 204


def test_what_cannot_be_shown_is_told_in_a_sentence(tmp_path: Path) -> None:
    for arguments, word in ((["/nowhere/at all.pdf"], "There is no file"), (["--var", str(tmp_path)], "make up")):
        answer = subprocess.run(
            [sys.executable, "-m", "local.demo", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 1
        assert word in answer.stderr
        assert "Traceback" not in answer.stderr
