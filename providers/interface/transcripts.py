"""A transcript that is only text, "Agent: Hello.\\nUser: Hi.", as turns. Pure.

A provider sends it beside the list of turns, and alone where an agent's settings or an older API leave the list out.
"""

import re
from collections.abc import Mapping

from providers.interface.reports import Speaker, Turn

_LABEL = re.compile(r"\s*([A-Za-z][A-Za-z _-]{0,30}):[ \t]*(.*)", re.DOTALL)


def turns_of_text(text: str, speakers: Mapping[str, Speaker]) -> tuple[Turn, ...]:
    """`speakers` are the labels, in lower case. A line without a label goes on with the turn before it, and words
    before the first label are the agent's. Times are unknown, so they are 0."""
    said: list[tuple[Speaker, list[str]]] = []
    for line in text.splitlines():
        label = _LABEL.fullmatch(line)
        speaker = speakers.get(label[1].strip().lower()) if label else None
        if label and speaker:
            said.append((speaker, [label[2].strip()]))
        elif line.strip():
            said = said or [(Speaker.AGENT, [])]
            said[-1][1].append(line.strip())
    words = ((speaker, "\n".join(lines).strip()) for speaker, lines in said)
    return tuple(Turn(index, *spoken, 0.0) for index, spoken in enumerate(turn for turn in words if turn[1]))
