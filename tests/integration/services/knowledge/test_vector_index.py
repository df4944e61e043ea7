"""The HNSW index under a tenant filter: a large organization finds its own nearest chunks among everyone's."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

import pytest_asyncio

from libs.clock import utcnow
from libs.ids import new_id
from libs.paging import CursorCodec
from services.knowledge.domain import entry as entries
from services.knowledge.domain.chunking import ChunkDraft
from services.knowledge.domain.entry import BuiltIndex, Described
from services.knowledge.domain.search import Mode, Question
from services.knowledge.embed.models import DEFAULT
from services.knowledge.storage.chunks import Build, Chunks
from services.knowledge.storage.searches import Searches
from services.knowledge.storage.vectors import literal

from .conftest import Service

LARGE, OTHERS, QUERIES = 2_200, 3_000, 10
Vectors = list[list[float]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plain(build_service: Callable[..., Awaitable[Service]]) -> Service:
    return await build_service()


async def test_a_large_organization_finds_its_own_nearest_chunks(plain: Service) -> None:
    chance = random.Random(7)
    org, other = new_id("org"), new_id("org")
    ours = [_unit(chance) for _ in range(LARGE)]
    await _fill(plain, other, [_unit(chance) for _ in range(OTHERS)])
    await _fill(plain, org, ours)
    searches = Searches(plain.database)

    found = 0
    for _ in range(QUERIES):
        query = _unit(chance)
        hits = await searches.by_vector(org, Question("x", Mode.VECTOR, 10), query, "random")
        assert len(hits) == 10
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        nearest = sorted(range(LARGE), key=lambda number: -_dot(ours[number], query))[:10]
        found += len({hit.text for hit in hits} & {f"Chunk {number}." for number in nearest})

    assert found >= 0.8 * 10 * QUERIES


async def test_a_narrow_filter_in_a_large_organization_is_exact(plain: Service) -> None:
    chance = random.Random(8)
    org = new_id("org")
    await _fill(plain, org, [_unit(chance) for _ in range(2_100)])
    narrow = await _fill(plain, org, [_unit(chance) for _ in range(5)])

    hits = await Searches(plain.database).by_vector(
        org, Question("x", Mode.VECTOR, 10, entry_ids=(narrow,)), _unit(chance), "random"
    )

    assert sorted(hit.text for hit in hits) == [f"Chunk {number}." for number in range(5)]


async def _fill(service: Service, org: str, vectors: Vectors) -> str:
    """An entry whose index holds a chunk for each vector; its id."""
    entry = entries.new_entry(org, new_id("kbe"), Described("Random"), utcnow())
    entry = entries.take_content(entry, "Text.", "job_random", utcnow())
    build = Build(org, entry.id, "job_random", "job_random.try_1")
    chunks = Chunks(service.database, CursorCodec(b"c" * 32))
    async with service.database.transaction(org) as conn:
        await service.entries.add(conn, entry)
    for start in range(0, len(vectors), 100):
        part = range(start, min(len(vectors), start + 100))
        drafts = [ChunkDraft(number, f"Chunk {number}.", "", 0, 3, False, 0, 8) for number in part]
        assert await chunks.stage(build, "en", drafts, [literal(vector) for vector in vectors[start : start + 100]])
    built = BuiltIndex(build.index_id, len(vectors), 0, "random", "en", "en")
    async with service.database.transaction(org) as conn:
        await service.entries.save(conn, entries.swap_index(entry, None, built, utcnow()))
    await chunks.learn_of_many(org)
    return entry.id


def _unit(chance: random.Random) -> list[float]:
    """A random direction; the first dimensions carry most of it, as real vectors do."""
    values = [chance.gauss(0, 1 / (1 + position / 8)) for position in range(DEFAULT.dimensions)]
    length = _dot(values, values) ** 0.5
    return [value / length for value in values]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
