"""The HTML report of one run: the verdict, the figures and charts of the suite while it ran. One file, no scripts."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load.criteria import Criterion
from bench.load.samples import Sample

_WIDTH, _HEIGHT = 640, 140
_TOO_SHORT = "<p>The run was too short for charts, which need two samples.</p>"
_STYLE = """
:root{color-scheme:light dark;--ok:#1a7f37;--miss:#cf222e;--line:#0969da}
body{font:15px/1.5 system-ui,sans-serif;max-width:720px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #8884}
.ok{color:var(--ok)}.miss{color:var(--miss)}svg{width:100%;height:auto;background:#8881}
polyline{fill:none;stroke:var(--line);stroke-width:1.5}figure{margin:1.5rem 0}figcaption{color:#888}
"""


@dataclass(frozen=True)
class Chart:
    """One line over the time of the run."""

    title: str
    value: Callable[[Sample], float]


CHARTS = (
    Chart("Requests per second (mean of the last minute)", lambda sample: sample.requests_per_second),
    Chart("Response time p95 of the last minute, ms", lambda sample: sample.p95_ms),
    Chart("Memory of the whole suite (PSS), MiB", lambda sample: sample.memory_mib),
    Chart("CPU of the whole suite, cores", lambda sample: sample.cpu_cores),
    Chart("Database connections in use", lambda sample: sample.connections_active),
)


def render(
    title: str, facts: Sequence[tuple[str, str]], verdict: Sequence[Criterion], samples: Sequence[Sample]
) -> str:
    """The whole document."""
    rows = "".join(
        f'<tr><td class="{"ok" if one.met else "miss"}">{"pass" if one.met else "FAIL"}</td><td>{one.bar}</td>'
        f"<td>{html.escape(one.text)}</td></tr>"
        for one in verdict
    )
    told = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in facts)
    charts = "".join(_figure(chart, samples) for chart in CHARTS) if len(samples) > 1 else _TOO_SHORT
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<h2>Verdict</h2><table>{rows}</table><h2>Run</h2><table>{told}</table>{charts}</html>\n"
    )


def _figure(chart: Chart, samples: Sequence[Sample]) -> str:
    values = [chart.value(sample) for sample in samples]
    top, end = max(*values, 1e-9), samples[-1].at
    points = " ".join(
        f"{sample.at / end * _WIDTH:.1f},{_HEIGHT - value / top * (_HEIGHT - 10):.1f}"
        for sample, value in zip(samples, values, strict=True)
    )
    return (
        f"<figure><figcaption>{html.escape(chart.title)}: highest {top:,.1f}, last {values[-1]:,.1f}, over "
        f'{end:.0f} s</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html.escape(chart.title)}"><polyline points="{points}"/></svg></figure>'
    )
