"""Chunks as rows: staged under a build, made visible by the entry's swap, dropped when their build is not the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.crypto import sha256_hex
from libs.ids import new_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.knowledge.domain.chunking import Chunk, ChunkDraft, passage

CHUNK_LIST = ListRules(sorts={"position": "c.position"}, default_sort="position", default_descending=False)
_COLUMNS = "c.id, c.entry_id, c.position, c.text, c.heading, c.page, c.token_count, c.start_offset, c.end_offset"
_LISTING = Listing(
    _COLUMNS,
    "chunk c join entry e on e.org_id = c.org_id and e.id = c.entry_id and e.index_id = c.index_id",
    CHUNK_LIST, tie="c.id", org="c.org_id", created="c.created_at",
)  # fmt: skip

# Only while the build is wanted: a superseded one stops at its next batch. The commit does not wait for the disk: rows
# count from the swap on, whose commit does, and the log keeps their order.
_STAGE = """
insert into chunk (
    org_id, entry_id, index_id, id, position, text, heading, page, token_count, start_offset, end_offset,
    passage_sha256, words{column}
)
select $1, $2, $3, v.id, v.position, v.text, v.heading, v.page, v.token_count, v.start_offset, v.end_offset,
    v.passage, words_of_chunk(text_dictionary($5), v.heading, v.text){value}
from unnest($6::text[], $7::int[], $8::text[], $9::text[], $10::int[], $11::int[], $12::int[], $13::int[],
    $14::text[]{array})
    as v(id, position, text, heading, page, token_count, start_offset, end_offset, passage{name})
where exists (select 1 from entry e where e.org_id = $1 and e.id = $2 and e.wanted_build = $4)
    and (select set_config('synchronous_commit', 'off', true)) is not null"""
_STAGE_PLAIN = _STAGE.format(column="", value="", array="", name="")
_STAGE_VECTORS = _STAGE.format(
    column=", embedding, embedding_896",
    value=", case vector_dims(v.embedding::vector) when 384 then v.embedding::vector end"
    ", case vector_dims(v.embedding::vector) when 896 then v.embedding::halfvec end",
    array=", $15::text[]", name=", embedding",
)  # fmt: skip
# Of the entry's index, where the same model made it.
_VECTORS = """
select distinct on (c.passage_sha256) c.passage_sha256, vector
from entry e
join chunk c on c.org_id = e.org_id and c.entry_id = e.id and c.index_id = e.index_id
cross join lateral coalesce(c.embedding::text, c.embedding_896::text) as vector
where e.org_id = o.org and e.id = $2 and e.embedding_model = $3 and c.passage_sha256 = any ($4)
    and vector is not null"""
_DROP_OTHERS = "delete from chunk where org_id = $1 and entry_id = $2 and index_id <> $3"
_DROP_BUILD = """
delete from chunk c where c.org_id = $1 and c.entry_id = $2 and c.index_id like $3 || '.%'
and not exists (select 1 from entry e where e.org_id = $1 and e.id = $2 and e.index_id = c.index_id)"""
_SWEEP = """
delete from chunk c where c.created_at < clock_timestamp() - interval '1 day'
and not exists (select 1 from entry e where e.org_id = c.org_id and e.id = c.entry_id and e.index_id = c.index_id)"""


@dataclass(frozen=True, slots=True)
class Build:
    """One attempt to build an entry's index. `index_id` begins with the build it belongs to."""

    org_id: str
    entry_id: str
    wanted: str
    index_id: str


class Chunks:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, entry_id: str, request: PageRequest) -> Page[Chunk]:
        filters = [("c.entry_id = {}", entry_id)]
        page = await fetch_page(self._database, org_id, _LISTING, request, filters, self._cursors, ("chunks",))
        return page.map(_chunk)

    async def stage(
        self, build: Build, language: str, drafts: Sequence[ChunkDraft], vectors: Sequence[str] | None
    ) -> bool:
        """Adds rows that are invisible before the swap, their words in `language`, their `vectors` as
        pgvector writes them; False when the build is no longer wanted."""
        rows = (
            (d.position, d.text, d.heading, d.page, d.token_count, d.start, d.end, fingerprint(passage(d)))
            for d in drafts
        )
        columns = list(zip(*rows, strict=True))
        ids = [new_id("chk") for _ in drafts]
        values = [build.org_id, build.entry_id, build.index_id, build.wanted, language, ids, *map(list, columns)]
        async with self._database.transaction(build.org_id) as conn:
            if vectors is None:
                staged = await conn.change(_STAGE_PLAIN, *values)
            else:
                staged = await conn.change(_STAGE_VECTORS, *values, list(vectors))
        return staged == len(drafts)

    async def vectors_of(self, build: Build, model: str, fingerprints: Sequence[str]) -> dict[str, str]:
        """The vectors of the entry's index by the fingerprints of their passages, where `model` made them."""
        rows = await self._database.fetch(build.org_id, _VECTORS, build.entry_id, model, list(fingerprints))
        return {row["passage_sha256"]: row["vector"] for row in rows}

    async def learn_of_many(self, org_id: str) -> None:
        """Tells the planner of a bulk load now; autovacuum would within minutes."""
        async with self._database.transaction(org_id) as conn:
            await conn.execute("select analyze_chunks()", timeout=30)

    async def drop_others(self, conn: Connection, build: Build) -> None:
        """In the swap's transaction: every row of the entry that is not of this build."""
        await conn.execute(_DROP_OTHERS, build.org_id, build.entry_id, build.index_id)

    async def drop_attempts(self, build: Build) -> None:
        """What earlier attempts of this build left."""
        async with self._database.transaction(build.org_id) as conn:
            await conn.execute(_DROP_BUILD, build.org_id, build.entry_id, build.wanted)

    async def sweep(self, conn: Connection) -> None:
        """Rows of builds that ended without anybody to clean up. Of every organization."""
        await conn.execute(_SWEEP, timeout=50)


def fingerprint(text: str) -> str:
    """What equal passages have in common."""
    return sha256_hex(text.encode())


def _chunk(row: Record) -> Chunk:
    return Chunk(
        row["id"], row["entry_id"], row["position"], row["text"], row["heading"], row["page"], row["token_count"],
        row["start_offset"], row["end_offset"],
    )  # fmt: skip
