"""From an upload to an answer: how long a document takes to become searchable, and what a search costs.

Uploads a PDF of that many pages through the gateway, waits until a search finds its last page, then asks questions one
after another; then short texts, one by one and four at once; then reads of another service beside an upload. Prints
a table.
"""

import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from bench.typeset import typeset
from local.runner.suite import Suite

_SAMPLE = Path(__file__).resolve().parents[2] / "services" / "knowledge" / "samples" / "americas.md"
# Short texts of each kind that are timed.
_TEXTS = 20
# Seconds between searches for a text: of one alone its delay is measured, of four at once what the suite gets done,
# from which their searches take.
_ALONE_SECONDS, _TOGETHER_SECONDS = 0.01, 0.1
# Reads that are timed while nothing is indexed, and seconds between them.
_READS, _PAUSE_SECONDS = 200, 0.01
_QUESTIONS = (
    "Which country has more lakes than the rest of the world put together?",
    "Why did the huge icy island leave the European Community?",
    "What does the economy of the smallest territory depend on?",
    "unmistakable final words",
)


def measure(suite: Suite, client: httpx.Client, pages: int, searches: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "book.pdf"
        made = _write(document, pages)
        cold, status = _upload(client, document)
        spent = _worker_seconds(suite)
        again, status = _upload(client, document)
        spent = _worker_seconds(suite) - spent
        print(f"document              {made} pages, {document.stat().st_size // 1024} KB, {status['chunks']} chunks")
        print(f"upload to searchable  {cold:.1f} s with the model's load, {again:.1f} s without")
        print(f"rate                  {made / again:.1f} pages/s, {status['chunks'] / again:.1f} chunks/s")
        print(f"worker                {spent:.1f} s of one processor, {status['chunks'] / spent:.1f} chunks/s of it")
        for mode in ("keyword", "vector", "hybrid"):
            _measure(client, mode, searches)
        _contexts(client, searches)
        for process, mebibytes in _memory(suite).items():
            print(f"memory (PSS)          {process} {mebibytes} MB")
        _texts(client)
        _beside(client, document)
        print(f"summary: {made} pages searchable in {again:.1f} s ({cold:.1f} s cold)")


def _write(target: Path, pages: int) -> int:
    """A book of about `pages` pages: the sample's chapters again and again, each time under other numbers."""
    chapters = _SAMPLE.read_text("utf-8").split("\n# ")[1:]
    text, number = [], 0
    while number < pages * len(chapters) / 51:  # the sample itself has 51 pages
        text.append(f"# {number + 1}. {chapters[number % len(chapters)]}")
        number += 1
    text.append("The unmistakable final words stand here.")
    typeset("A Book of Chapters", "bench", "\n\n".join(text), target)
    from liteparse import LiteParse

    made: int = LiteParse(ocr_enabled=False, quiet=True, target_pages="1").parse(target.read_bytes()).total_pages
    return made


def _upload(client: httpx.Client, document: Path) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    with document.open("rb") as file:
        answer = client.post("/api/documents/upload", files={"document": ("book.pdf", file, "application/pdf")})
    answer.raise_for_status()
    location = f"/api/documents/{answer.json()['documentId']}/status"
    while (status := client.get(location).json())["status"] == "processing":
        time.sleep(0.05)
    found = _search(client, "unmistakable final words", "keyword")
    if status["status"] != "completed" or not found["results"]:
        raise SystemExit(f"the document was not indexed: {status}")
    return time.perf_counter() - started, status


def _texts(client: httpx.Client) -> None:
    """Short texts from the upload to the first search that finds them."""
    _text(client, "warm")
    alone = [_text(client, f"alone{number}") for number in range(_TEXTS)]
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: _text(client, f"together{number}", _TOGETHER_SECONDS), range(_TEXTS)))
    rate = _TEXTS / (time.perf_counter() - started)
    p50, p95 = statistics.median(alone), statistics.quantiles(alone, n=20)[-1]
    print(f"short text            p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms to searchable")
    print(f"short texts           {rate:.1f}/s, four at once")


def _beside(client: httpx.Client, document: Path) -> None:
    """Reads that ask their service while nothing is indexed, and while a book is."""
    alone = [_read(client, number) for number in range(_READS)]
    with ThreadPoolExecutor(1) as pool:
        indexing, busy = pool.submit(_upload, client, document), list[float]()
        while not indexing.done():
            busy.append(_read(client, len(busy)))
        indexing.result()
    for name, took in (("alone", alone), ("beside indexing", busy)):
        p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
        print(f"page of agents        p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms {name}, {len(took)} reads")


def _read(client: httpx.Client, number: int) -> float:
    """Seconds of a page that no cache has."""
    started = time.perf_counter()
    client.get("/api/agents", params={"search": f"bench {number} {time.time_ns()}"}).raise_for_status()
    took = time.perf_counter() - started
    time.sleep(_PAUSE_SECONDS)
    return took


def _text(client: httpx.Client, word: str, pause: float = _ALONE_SECONDS) -> float:
    """Seconds until a text that alone holds `word` is found by it, looked for after each `pause`."""
    started = time.perf_counter()
    text = f"The {word} notice says that parcels leave the warehouse within two working days.".encode()
    answer = client.post("/api/documents/upload", files={"document": (f"{word}.txt", text, "text/plain")})
    answer.raise_for_status()
    attempt = 0
    while not _search(client, f"{word} or nothing{attempt}", "keyword")["results"]:
        time.sleep(pause)
        attempt += 1  # another question each time: answers are cached
    return time.perf_counter() - started


def _search(client: httpx.Client, query: str, mode: str) -> dict[str, Any]:
    answer = client.post("/api/knowledge-base/search", json={"query": query, "mode": mode, "maxResults": 10})
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _measure(client: httpx.Client, mode: str, searches: int) -> None:
    _search(client, "warm up", mode)
    through, inside = [], []
    for number in range(searches):
        started = time.perf_counter()
        answer = _search(client, f"{_QUESTIONS[number % len(_QUESTIONS)]} {number}", mode)
        through.append((time.perf_counter() - started) * 1000)
        inside.append(answer["tookMs"])
    p50, p95, own = statistics.median(through), statistics.quantiles(through, n=20)[-1], statistics.median(inside)
    print(f"search, {mode:8}      p50 {p50:.1f} ms, p95 {p95:.1f} ms through the gateway; {own} ms inside")


def _contexts(client: httpx.Client, calls: int) -> None:
    """One question again and again, as calls repeat it, and questions that none asked before."""
    for name, query in (("cached", "{question}"), ("new", "{question} {number}")):
        took = []
        for number in range(calls + 1):
            question = query.format(question=_QUESTIONS[0], number=number)
            started = time.perf_counter()
            client.post("/api/knowledge-base/answer-context", json={"query": question}).raise_for_status()
            took.append((time.perf_counter() - started) * 1000)
        p50, p95 = statistics.median(took[1:]), statistics.quantiles(took[1:], n=20)[-1]
        print(f"answer-context, {name:6} p50 {p50:.1f} ms, p95 {p95:.1f} ms through the gateway")


def _worker_seconds(suite: Suite) -> float:
    """Processor time that the knowledge worker has used; that of its extraction children is not in it."""
    pid = next(
        part["pid"] for part in suite.run["processes"] if (part["service"], part["role"]) == ("knowledge", "work")
    )
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _memory(suite: Suite) -> dict[str, int]:
    found = {}
    for process in suite.run["processes"]:
        if process["service"] == "knowledge":
            rollup = Path(f"/proc/{process['pid']}/smaps_rollup").read_text()
            found[f"knowledge {process['role']}"] = int(rollup.split("Pss:")[1].split()[0]) // 1024
    return found
