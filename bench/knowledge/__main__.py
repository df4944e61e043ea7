"""The knowledge base, measured against suites of its own on free ports.

python -m bench.knowledge [--only ranking|speed] [--model multilingual-e5-small] [--pages 100] [--searches 200]
python -m bench.knowledge --only memory [--documents FOLDER]: the peak of each process that reads documents
python -m bench.knowledge --only scale [--chunks 1000000] [--organizations 1000]: PostgreSQL alone, 6 GB of disk
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.knowledge import memory, ranking, scale, speed
from local.runner.suite import Suite


@contextmanager
def _suite(model: str) -> Iterator[tuple[Suite, httpx.Client]]:
    environment = {"LIMITS": "bench", "EMBEDDINGS_MODEL": model}
    with tempfile.TemporaryDirectory() as folder, Suite(Path(folder) / "var", environment=environment) as suite:
        headers = {"authorization": f"Bearer {suite.credentials['apiKey']}"}
        with httpx.Client(base_url=suite.url, headers=headers, timeout=60) as client:
            yield suite, client


def main(only: str, model: str, pages: int, searches: int) -> None:
    if only != "speed":
        with _suite(model) as (_, client):
            ranking.measure(client)
    if only != "ranking":
        with _suite(model) as (suite, client):
            speed.measure(suite, client, pages, searches)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("", "ranking", "speed", "memory", "scale"), default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--documents", type=Path, default=memory.CASES)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--organizations", type=int, default=1_000)
    options = parser.parse_args()
    if options.only == "scale":
        scale.measure(options.chunks, options.organizations)
        raise SystemExit
    if options.only == "memory":
        with _suite(options.model) as (suite, client):
            memory.measure(suite, client, options.documents)
        raise SystemExit
    main(options.only, options.model, options.pages, options.searches)
