"""The documents of the ranking bench and the questions that each of their sections answers.

One Markdown file a language, written for this bench: plain facts of invented companies. `#` opens a document, `##` a
section, and a line that begins with `?` is a question which the section above it answers. Questions never reach the
knowledge base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "documents"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the document and section where its answer stands."""

    language: str
    text: str
    title: str
    section: str


@dataclass(frozen=True, slots=True)
class Written:
    """A document as it is uploaded."""

    language: str
    title: str
    text: str


def read() -> tuple[list[Written], list[Asked]]:
    documents: list[Written] = []
    questions: list[Asked] = []
    for path in sorted(_FOLDER.glob("*.md")):
        for part in path.read_text("utf-8").split("\n# "):
            title, _, body = part.removeprefix("# ").partition("\n")
            text, section = [], ""
            for line in body.splitlines():
                section = line.removeprefix("## ") if line.startswith("## ") else section
                if line.startswith("? "):
                    questions.append(Asked(path.stem, line.removeprefix("? "), title, section))
                else:
                    text.append(line)
            documents.append(Written(path.stem, title, "\n".join((f"# {title}", *text))))
    return documents, questions
