"""Search in one statement: both rankings, their fusion and the rows of the hits share a snapshot, so that a search
during a re-index sees the old index or the new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from libs.postgres import Database, Record
from libs.text import search_words
from services.knowledge.domain.highlights import CLOSE, OPEN, offsets
from services.knowledge.domain.search import Hit, Mode, Question
from services.knowledge.storage.vectors import literal

# Of a chunk in a language that the model knows: the share of the words in its hybrid score, and the part of the
# question's weight from which words are evidence (bench/knowledge/ranking.py; 0.3 to 0.5 and 0.2 to 0.3 do not differ).
_KNOWN_SHARE, _KNOWN_FLOOR = 0.4, 0.25
# The same of a chunk in another language, where similarity says little.
_OTHER_SHARE, _OTHER_FLOOR = 0.8, 0.0
# Keyword hits that are ranked. More: slower common words.
_CANDIDATES = 2_000
# Chunks of an organization below which every vector is compared. HNSW with a filter would miss some.
_EXACT_BELOW = 2_000
# Hits of each ranking that are fused.
_RANKED = 60

_KEYWORD = f"""
select k.chunk_id, k.score as keyword_score, null::real as vector_score, k.score as score
from find_by_words($2, $3, $4, $5, {_CANDIDATES}, $6) k
order by score desc, chunk_id limit $6"""
_VECTOR = f"""
select v.chunk_id, null::real as keyword_score, v.score as vector_score, v.score as score
from find_nearest($7::text::vector, $8, $3, $4, $5, {_EXACT_BELOW}, $6) v"""
# Similarities count by their place between the least and the greatest of the ranking: models differ in their range.
_FUSED = f"""
select f.chunk_id, f.keyword_score, f.vector_score,
    (1 - w.share) * f.similarity + w.share * greatest(0, f.coverage - w.floor) / (1 - w.floor) as score
from (
    select coalesce(k.chunk_id, v.chunk_id) as chunk_id, k.score as keyword_score, v.score as vector_score,
        coalesce(k.coverage, 0) as coverage, coalesce(v.similarity, 0) as similarity
    from find_by_words($2, $3, $4, $5, {_CANDIDATES}, {_RANKED}) k
    full join (
        select n.chunk_id, n.score,
            coalesce((n.score - min(n.score) over ()) / nullif(max(n.score) over () - min(n.score) over (), 0), 1)
                as similarity
        from find_nearest($7::text::vector, $8, $3, $4, $5, {_EXACT_BELOW}, {_RANKED}) n
    ) v on v.chunk_id = k.chunk_id
) f
join chunk c on c.org_id = o.org and c.id = f.chunk_id
join entry e on e.org_id = c.org_id and e.id = c.entry_id
cross join lateral (
    select case when known.language then {_KNOWN_SHARE} else {_OTHER_SHARE} end as share,
        case when known.language then {_KNOWN_FLOOR} else {_OTHER_FLOOR} end as floor
    from (select $9::text[] is null or split_part(e.index_language, '-', 1) = any ($9) as language) known
) w
order by score desc, f.vector_score desc nulls last, f.keyword_score desc nulls last, f.chunk_id limit $6"""
_HITS = """
select c.id, c.entry_id, c.text, c.heading, c.page, c.start_offset, c.end_offset, c.token_count,
    e.document_id, e.title, e.source, e.index_version,
    f.score::float8 as score, f.keyword_score::float8 as keyword_score, f.vector_score::float8 as vector_score,
    ts_headline(e.dictionary::regconfig, c.text, any_word(e.dictionary, $2::text),
        'HighlightAll=true,StartSel={open},StopSel={close}') as marked
from ({ranking}) f
join chunk c on c.id = f.chunk_id and c.org_id = o.org
join entry e on e.org_id = c.org_id and e.id = c.entry_id
order by f.score desc, f.vector_score desc nulls last, f.keyword_score desc nulls last, c.id"""
_SQL = {
    mode: _HITS.format(ranking=ranking, open=OPEN, close=CLOSE)
    for mode, ranking in ((Mode.KEYWORD, _KEYWORD), (Mode.VECTOR, _VECTOR), (Mode.HYBRID, _FUSED))
}
_OTHER_MODELS = """
select min(e.embedding_model) <> $2 or max(e.embedding_model) <> $2 as other
from entry e where e.org_id = o.org and e.index_id <> ''"""


class Searches:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_keyword(self, org_id: str, question: Question) -> list[Hit]:
        return await self._hits(org_id, Mode.KEYWORD, question, ())

    async def by_vector(self, org_id: str, question: Question, vector: Sequence[float], model: str) -> list[Hit]:
        return await self._hits(org_id, Mode.VECTOR, question, (literal(vector), model))

    async def by_both(
        self, org_id: str, question: Question, vector: Sequence[float], model: str, languages: frozenset[str] | None
    ) -> list[Hit]:
        """`languages` are those that the model knows, None for all."""
        known = None if languages is None else sorted(languages)
        return await self._hits(org_id, Mode.HYBRID, question, (literal(vector), model, known))

    async def has_other_models(self, org_id: str, model: str) -> bool:
        """Whether some entry's index was made by another model, or without vectors."""
        return bool(await self._database.fetchval(org_id, _OTHER_MODELS, model))

    async def _hits(self, org_id: str, mode: Mode, question: Question, more: tuple[Any, ...]) -> list[Hit]:
        filters = (question.category, list(question.tags), list(question.entry_ids))
        words = search_words(question.text)
        rows = await self._database.fetch(org_id, _SQL[mode], words, *filters, question.most, *more)
        return [_hit(row) for row in rows]


def _hit(row: Record) -> Hit:
    return Hit(
        entry_id=row["entry_id"],
        chunk_id=row["id"],
        document_id=row["document_id"],
        title=row["title"],
        text=row["text"],
        heading=row["heading"],
        page=row["page"],
        token_count=row["token_count"],
        start=row["start_offset"],
        end=row["end_offset"],
        source=row["source"],
        index_version=row["index_version"],
        score=row["score"],
        keyword_score=row["keyword_score"],
        vector_score=row["vector_score"],
        highlights=tuple(offsets(row["marked"], row["text"])),
    )
