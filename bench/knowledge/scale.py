"""Searches in a large installation: 1,000,000 passages of 1,000 organizations in PostgreSQL alone.

Rows are made in the database from a pool of passages with real words and random vectors: the load takes minutes.
What is timed is `Searches`: the statement of a search with its transaction, without the gateway and the model. The HNSW
index is left out: it serves organizations of 2,000 passages and more.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import tempfile
import time
from pathlib import Path

import asyncpg

from libs.config import ServiceSettings, load
from libs.ids import new_id
from libs.postgres import Database
from libs.postgres.migrate import migrate
from local.runner.keys import Keys
from local.stores import Stores
from services.knowledge.__main__ import MIGRATIONS
from services.knowledge.domain.search import Mode, Question
from services.knowledge.storage.searches import Searches

_SERVICE = "knowledge"
_SAMPLE = Path(__file__).resolve().parents[2] / "services" / "knowledge" / "samples" / "americas.md"
# Distinct passages; organizations draw from them.
_POOL = 20_000
# Words of a passage, and passages of an entry.
_WORDS, _IN_ENTRY = 60, 100
# Searches that are timed in each mode, after as many to warm the caches of the connection.
_SEARCHES = 400
_MODEL = "random"
# Seconds for the rows and their index. Fewer: a busy machine does not finish.
_FILL_SECONDS = 1_800

_FILL = """
set session_replication_role = replica;  -- no triggers: the rows are right by how they are made
drop index if exists chunk_embedding, chunk_embedding_896, chunk_words;
create unlogged table pool as
    select n, words_of_chunk('english', '', text) as words, text, vector::vector(896)::halfvec(896) as embedding
    from (
        select n,
            (select string_agg((array[{vocabulary}])[1 + floor(power(random(), 2) * {size})::int], ' ')
             from generate_series(1, {words}) where n = n) as text,
            (select array_agg(random() - 0.5) from generate_series(1, 896) where n = n) as vector
        from generate_series(1, {pool}) n
    ) made;
create unique index on pool (n);
insert into entry (org_id, id, title, category, tags, status, document_id, content, source, media_type, byte_size,
    page_count, chunk_count, error_code, error_message, wanted_build, index_id, index_version, embedding_model,
    index_language, version, created_at, updated_at)
select o.org, 'kbe_' || o.number || '_' || e, 'Entry ' || e, '', '{{}}', 'completed', '', '', '', 'text/plain', 0, 0,
    {in_entry}, '', '', 'b', 'i', 1, '{model}', 'en', 1, now(), now()
from unnest(array[{orgs}]) with ordinality as o (org, number) cross join generate_series(0, {entries} - 1) e;
insert into chunk (org_id, entry_id, index_id, id, position, text, heading, page, token_count, start_offset, end_offset,
    passage_sha256, words, embedding_896)
select o.org, 'kbe_' || o.number || '_' || c / {in_entry}, 'i', 'chk_' || o.number || '_' || c, c % {in_entry}, p.text,
    '', 0, {words}, 0, 0, '', p.words, p.embedding
from unnest(array[{orgs}]) with ordinality as o (org, number) cross join generate_series(0, {per_org} - 1) c
join pool p on p.n = 1 + (o.number * 7919 + c * 104729) % {pool};
set maintenance_work_mem = '1GB';
create index chunk_words on chunk using gin (org_id, words);
drop table pool;
"""


def measure(chunks: int, organizations: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Stores(Path(folder), parts=("postgres",)) as stores:
        asyncio.run(_measure(stores, chunks, organizations))


async def _measure(stores: Stores, chunks: int, organizations: int) -> None:
    keys = Keys.ephemeral((_SERVICE,))
    settings = load(ServiceSettings, _environment(stores, keys))
    await migrate(settings, _SERVICE, MIGRATIONS)
    chance = random.Random(12)
    vocabulary = sorted(set(re.findall(r"[a-z]{4,12}", _SAMPLE.read_text("utf-8"))))
    orgs = [new_id("org") for _ in range(organizations)]
    per_org = chunks // organizations
    started = time.perf_counter()
    admin = await asyncpg.connect(stores.postgres_admin_dsn)
    try:
        await admin.execute(f"set search_path = {_SERVICE}, extensions, public")
        await admin.execute(
            _FILL.format(
                vocabulary=_quoted(vocabulary), size=len(vocabulary) - 1, words=_WORDS, pool=_POOL, orgs=_quoted(orgs),
                in_entry=_IN_ENTRY, entries=-(-per_org // _IN_ENTRY), per_org=per_org, model=_MODEL,
            ),
            timeout=_FILL_SECONDS,
        )  # fmt: skip
        for table in ("entry", "chunk"):
            await admin.execute(f"vacuum analyze {table}", timeout=_FILL_SECONDS)
        size = await admin.fetchval("select pg_size_pretty(pg_total_relation_size('chunk'))")
    finally:
        await admin.close()
    took = time.perf_counter() - started
    print(f"passages              {chunks:,} of {organizations:,} organizations, {size}, made in {took:.0f} s")
    database = await Database.open(settings, application_name="bench")
    try:
        for mode in Mode:
            await _time(Searches(database), mode, orgs, vocabulary, chance)
    finally:
        await database.close()


async def _time(searches: Searches, mode: Mode, orgs: list[str], vocabulary: list[str], chance: random.Random) -> None:
    took = []
    for _ in range(2 * _SEARCHES):
        question = Question(" ".join(chance.choices(vocabulary, k=5)), mode, 10)
        vector = [chance.random() - 0.5 for _ in range(896)]
        org, started = chance.choice(orgs), time.perf_counter()
        match mode:
            case Mode.KEYWORD:
                hits = await searches.by_keyword(org, question)
            case Mode.VECTOR:
                hits = await searches.by_vector(org, question, vector, _MODEL)
            case Mode.HYBRID:
                hits = await searches.by_both(org, question, vector, _MODEL, frozenset(("en",)))
        took.append((time.perf_counter() - started) * 1000)
        if not hits:
            raise SystemExit(f"a {mode} search found nothing")
    timed = took[_SEARCHES:]
    p50, p95 = statistics.median(timed), statistics.quantiles(timed, n=20)[-1]
    print(f"search, {mode:8}      p50 {p50:.1f} ms, p95 {p95:.1f} ms in the database, each in another organization")


def _environment(stores: Stores, keys: Keys) -> dict[str, str]:
    place = stores.postgres_admin_dsn.partition("@")[2]
    environment = keys.service_environment(_SERVICE) | {
        "DATABASE_ADMIN_URL": stores.postgres_admin_dsn,
        "NATS_URL": "nats://127.0.0.1:4222",  # not called
    }
    for name, role in (("DATABASE_URL", "app"), ("DATABASE_SYSTEM_URL", "system")):
        environment[name] = f"postgresql://{_SERVICE}_{role}:{keys.role_password(_SERVICE, role)}@{place}"
    return environment


def _quoted(texts: list[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)
