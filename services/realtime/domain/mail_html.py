"""The HTML part of a mail, made of its text: paragraphs, and links that stand alone in their line. Pure.

Everything is escaped, nothing is remote, and the text part says the same.
"""

from __future__ import annotations

import html
import re

_LINK = re.compile(r"https?://\S+")
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 36em; margin: 2em auto; padding: 0 1em">
<h1 style="font-size: 1.3em">{title}</h1>
{paragraphs}
</body>
</html>
"""


def as_html(subject: str, text: str) -> str:
    paragraphs = (part.strip("\n") for part in text.split("\n\n"))
    body = "\n".join(f"<p>{_paragraph(part)}</p>" for part in paragraphs if part)
    return _PAGE.format(title=html.escape(subject), paragraphs=body)


def _paragraph(text: str) -> str:
    return "<br>\n".join(_line(line) for line in text.splitlines())


def _line(line: str) -> str:
    """A line that is an address becomes a link. An address within a sentence stays text: it may be a stranger's, in
    the name of an organization."""
    shown = html.escape(line)
    return f'<a href="{shown}">{shown}</a>' if _LINK.fullmatch(line) else shown
