"""What each mode finds, how it is narrowed, and what it says when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, Unavailable, Unimplemented
from libs.ids import new_id
from local.stores import Stores, run_sql
from services.knowledge.embed.models import DEFAULT
from services.knowledge.operations.enqueueing import REFRESH

from .conftest import Counting, Service

TEXTS = {
    "Shipping": "Parcels leave the warehouse within two working days and arrive by courier.",
    "Returns": "Customers may send goods back for a full refund during the first month.",
    "Opening hours": "The store opens at nine in the morning and closes at six in the evening.",
    "Warranty": "Broken machines are repaired free of charge for two years after the purchase.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(service: Service) -> str:
    """An organization with four short entries."""
    org = new_id("org")
    for title, text in TEXTS.items():
        made = await service.create(org, title, text, category=title[0], tags=[title.lower(), "all"])
        await service.until_settled(org, made.entry.id)
    return org


async def test_words_are_found_by_keyword_in_any_form(service: Service, shop: str) -> None:
    answer = await service.search(shop, "repair machine", pb.SEARCH_MODE_KEYWORD)

    (hit,) = answer.hits
    assert (hit.title, hit.HasField("keyword_score"), hit.HasField("vector_score")) == ("Warranty", True, False)
    assert [hit.text[span.start : span.end] for span in hit.highlights] == ["machines", "repaired"]
    assert (answer.mode, answer.fallback_reason) == (pb.SEARCH_MODE_KEYWORD, "")


async def test_some_words_are_better_than_none_unless_one_is_excluded(service: Service, shop: str) -> None:
    some = await service.search(shop, "refund for unicorns", pb.SEARCH_MODE_KEYWORD)
    excluded = await service.search(shop, "refund unicorns -goods", pb.SEARCH_MODE_KEYWORD)
    phrase = await service.search(shop, '"full refund"', pb.SEARCH_MODE_KEYWORD)
    either = await service.search(shop, "unicorns or courier", pb.SEARCH_MODE_KEYWORD)

    assert [hit.title for hit in some.hits] == ["Returns"]
    assert list(excluded.hits) == []
    assert [hit.title for hit in phrase.hits] == ["Returns"]
    assert [hit.title for hit in either.hits] == ["Shipping"]


@pytest.mark.parametrize("query", ["the", "!!!", "':* & |", "a & b | !c <-> d", "\\", "'" * 50, "%_", "𝔘𝔫𝔦 code"])
async def test_odd_queries_are_only_queries(service: Service, shop: str, query: str) -> None:
    for mode in (pb.SEARCH_MODE_KEYWORD, pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_HYBRID):
        assert len((await service.search(shop, query, mode)).hits) <= 4


async def test_meaning_is_found_by_vector(service: Service, shop: str) -> None:
    answer = await service.search(shop, "Can I get my money back?", pb.SEARCH_MODE_VECTOR, max_results=1)

    (hit,) = answer.hits
    assert (hit.title, hit.HasField("keyword_score"), hit.HasField("vector_score")) == ("Returns", False, True)


async def test_hybrid_ranks_what_both_find_first(service: Service, shop: str) -> None:
    answer = await service.search(shop, "when does the store close in the evening")

    assert answer.hits[0].title == "Opening hours"
    assert answer.hits[0].score == pytest.approx(1.0)
    assert (answer.hits[0].HasField("keyword_score"), answer.hits[0].HasField("vector_score")) == (True, True)
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)


async def test_filters_narrow_every_mode(service: Service, shop: str) -> None:
    entries = {hit.title: hit.entry_id for hit in (await service.search(shop, "goods", max_results=50)).hits}
    assert set(entries) == set(TEXTS)

    for mode in (pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_HYBRID):
        by_category = await service.search(shop, "goods", mode, filters=pb.SearchFilters(category="W"))
        by_tags = await service.search(shop, "goods", mode, filters=pb.SearchFilters(tags=["all", "returns"]))
        by_entry = await service.search(shop, "goods", mode, filters=pb.SearchFilters(entry_ids=[entries["Shipping"]]))
        assert [hit.title for hit in by_category.hits] == ["Warranty"]
        assert [hit.title for hit in by_tags.hits] == ["Returns"]
        assert [hit.title for hit in by_entry.hits] == ["Shipping"]
    none = await service.search(shop, "goods", pb.SEARCH_MODE_KEYWORD, filters=pb.SearchFilters(category="W"))
    assert list(none.hits) == []


async def test_the_owners_functions_answer_no_one_without_an_organization(service: Service, shop: str) -> None:
    """They run with the owner's rights, past row level security, so they must name the organization themselves."""
    vector = "[" + ",".join(["0.1"] * DEFAULT.dimensions) + "]"
    calls = (
        "find_by_words('goods', '', '{}', '{}', 2000, 10)",
        "find_by_words('unicorns goods', '', '{}', '{}', 2000, 10)",
        f"find_nearest('{vector}', '{DEFAULT.name}', '', '{{}}', '{{}}', 2000, 10)",
        "entry_matching('shipping')",
        "entry_tagged('{all}')",
    )
    for org in (shop, new_id("org")):
        async with service.database.transaction(org) as conn:
            found = [await conn.fetchval(f"select count(*) from {call}") for call in calls]
        assert all(found) if org == shop else not any(found)
    assert not any([await service.database.system_fetchval(f"select count(*) from {call}") for call in calls])


async def test_what_cannot_be_asked_is_refused(service: Service, shop: str) -> None:
    for fields, pointer in (
        ({"query": " "}, "#/query"),
        ({"query": "x" * 1001}, "#/query"),
        ({"query": "a\x00b"}, "#/query"),
        ({"query": "x", "max_results": 51}, "#/maxResults"),
        ({"query": "x", "max_results": -1}, "#/maxResults"),
        ({"query": "x", "filters": pb.SearchFilters(entry_ids=["e"] * 101)}, "#/filters/entryIds"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await service.search(shop, **fields)
        assert [found.pointer for found in refused.value.violations] == [pointer]


async def test_the_same_question_is_embedded_once(build_service: Callable[..., Awaitable[Service]], org: str) -> None:
    counting = Counting()
    counted = await build_service(counting)

    for _ in range(3):
        await counted.search(org, "the same question")

    assert counting.asked == ["the same question"]


async def test_without_pgvector_hybrid_says_that_it_fell_back(
    build_service: Callable[..., Awaitable[Service]], stores: Stores, org: str
) -> None:
    plain = await build_service()
    run_sql(_admin(stores, await _database_of(plain)), "drop extension vector cascade")
    async with plain.work():
        made = await plain.create(org, "Returns", TEXTS["Returns"])
        entry = await plain.until_settled(org, made.entry.id)

        assert entry.status == pb.DOCUMENT_STATUS_COMPLETED
        hybrid = await plain.search(org, "refund")
        assert [hit.title for hit in hybrid.hits] == ["Returns"]
        assert (hybrid.mode, hybrid.fallback_reason) == (pb.SEARCH_MODE_KEYWORD, "vector_search_unavailable")
        with pytest.raises(Unimplemented) as missing:
            await plain.search(org, "refund", pb.SEARCH_MODE_VECTOR)
        assert missing.value.reason == "vector_search_unavailable"


async def test_another_model_asks_for_a_new_index_and_gets_it(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    old = await build_service(Counting())
    async with old.work():
        made = await old.create(org, "Returns", TEXTS["Returns"])
        await old.until_settled(org, made.entry.id)
    new = old.with_embedder(Counting("newer"))

    hybrid = await new.search(org, "refund")
    with pytest.raises(FailedPrecondition) as changed:
        await new.search(org, "refund", pb.SEARCH_MODE_VECTOR)
    assert (hybrid.fallback_reason, changed.value.reason) == ("embedding_model_changed", "embedding_model_changed")
    assert [hit.title for hit in hybrid.hits] == ["Returns"]

    async with new.work():
        await new.run_cron(REFRESH)
        async with asyncio.timeout(60):
            while (await new.entry(org, made.entry.id)).index_version < 2:
                await asyncio.sleep(0.05)
    assert len((await new.search(org, "refund", pb.SEARCH_MODE_VECTOR)).hits) == 1


async def test_an_embedder_that_is_away_delays_and_does_not_lose(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    away = Counting()
    away.down = True
    service = await build_service(away)
    async with service.work():
        made = await service.create(org, "Returns", TEXTS["Returns"])
        hybrid = await service.search(org, "refund")
        with pytest.raises(Unavailable):
            await service.search(org, "refund", pb.SEARCH_MODE_VECTOR)
        async with asyncio.timeout(30):
            while (await service.job(made.job_id))["attempt"] < 2:
                await asyncio.sleep(0.05)
        away.down = False
        entry = await service.until_settled(org, made.entry.id)

    assert hybrid.fallback_reason == "embedder_unavailable"
    assert entry.status == pb.DOCUMENT_STATUS_COMPLETED


async def _database_of(service: Service) -> str:
    return str(await service.database.system_fetchval("select current_database()"))


def _admin(stores: Stores, database: str) -> str:
    base, _, _ = stores.postgres_admin_dsn.rpartition("/")
    return f"{base}/{database}"


@pytest.mark.parametrize(
    ("content", "queries"),
    [
        ("# 退款政策\n\n顾客可以在三十天内申请退款。请联系客服中心。", ("退款", "客服中心", "三十天")),
        ("# \u0627\u0644\u0645\u062a\u062c\u0631\n\nيمكن استرداد المبلغ خلال ثلاثين يوما", ("استرداد",)),
        ("The lamp KX-4471 costs 12 crowns. Write to jo.doe@shop.example.", ("4471", "KX-4471", "kx 4471", "doe")),
        ("Das Cafe\u0301 am Ko\u0308nigshafen ist offen.", ("Café", "Königshafen", "Konigshafen", "cafe")),
        ("Set LAMP_TIMEOUT for C++ and node.js clients.", ("LAMP_TIMEOUT", "C++", "node.js", "timeout")),
        ("Bring returns/exchanges to the desk.", ("returns", "exchanges", "returns/exchanges")),
        ("คืนเงินได้ภายในสามสิบวัน", ("คืนเงิน", "สามสิบวัน")),
        ("Party 🎉 on Friday, 👍🏽 in the hall.", ("🎉", "party 🎉", "🎉 friday", "👍", "👍🏻")),
        ("本店は毎日営業しています。返品は七日以内", ("店", "営業", "返品", "内")),
        ("환불은 삼십일 이내에 가능합니다. 영업시간을 확인하세요.", ("환불", "환불은", "영업시간")),
        ("Send an e-mail or use Wi-Fi.", ("email", "e-mail", "wifi", "Wi-Fi", "E-Mail or email")),
        ("Write an email over wifi.", ("e-mail", "wi-fi", "email")),
        ("Error E_1042 of KX-4471/B.", ("e1042", "E-1042", "E/1042", "E 1042", "kx4471", "kx4471b", "KX-4471-B")),
        ("Errors E-1042/E-1043 of the path/to_file.", ("e1042", "e1043", "E_1043", "tofile")),
        ("Error E1042 of the lamp KX4471.", ("e_1042", "E-1042", "E/1042", "kx-4471", "lamp KX_4471")),
        ("Cena za łódź wynosi sto złotych.", ("lodz", "łódź", "zlotych")),
        ("שָׁלוֹם החנות פתוחה", ("שלום", "החנות", "חנות", "לחנות")),
        ("שירות והחזר בבית המלון", ("בית", "הבית", "מלון", "החזר", "שירות המלון")),
        ("הגן מלון, חזר", ("המלון", "והמלון", "בחזר")),
        ("يمكن الاسترداد في الفندق وللضيوف والفنادق", ("استرداد", "فندق", "بالفندق", "فنادق", "الفنادق")),
        ("لنا فندق وفنادق للضيوف", ("الفندق", "والفندق", "فنادق", "الضيوف", "ضيوف")),
        ("إسترداد المبلغ خلال ثلاثين يومًا", ("استرداد", "يوما")),
        ("Ein Byte hat 2⁸ Werte.", ("2⁸", "Werte 2⁸")),
    ],
)
async def test_words_are_found_as_people_type_them(
    service: Service, org: str, content: str, queries: tuple[str, ...]
) -> None:
    made = await service.create(org, "Entry", content)
    await service.create(org, "Other", "Nothing of the kind stands here.")
    await service.until_settled(org, made.entry.id)
    for query in queries:
        answer = await service.search(org, query, pb.SEARCH_MODE_KEYWORD)
        assert [hit.entry_id for hit in answer.hits] == [made.entry.id], query


async def test_a_compound_is_found_by_its_last_part(service: Service, org: str) -> None:
    """Also where no text has every word; and by no ending of another word."""
    text = "Die Krankenversicherung zahlt die Messgeräte, sobald ihr die Rechnungsnummer der Werkstatt vorliegt."
    made = await service.create(org, "Kasse", text)
    other = await service.create(org, "Theater", "Die Vorstellung beginnt um acht Uhr und dauert lang, 28 Minuten.")
    for entry in (made, other):
        assert (await service.until_settled(org, entry.entry.id)).language == "de"
    for query in (
        "Versicherung",
        "Versicherungen",
        "nummer",
        "Geräte",
        "Gerate",
        "Welche Nummer braucht der Zahnarzt?",
    ):
        answer = await service.search(org, query, pb.SEARCH_MODE_KEYWORD)
        assert [hit.entry_id for hit in answer.hits] == [made.entry.id], query
    for query in ("Stellung", "nummer -krankenversicherung", "2⁸"):
        assert not (await service.search(org, query, pb.SEARCH_MODE_KEYWORD)).hits, query


async def test_a_first_part_has_three_letters_unless_it_is_a_prefix(service: Service) -> None:
    """Found are the ends of words whose first part is long enough, and of no others."""
    long, short = ("Kranken", "Werk", "Streich"), ("Hör", "Bus", "Tür", "Zug", "Erd", "bil", "løn", "snö", "zee")
    prefixes = ("Ver", "vor", "aus", "för", "uit", "Unt", "Abs", "Erw", "Zus", "Sch", "Str", "un", "Ab", "E")
    lasts = ("stellung", "gerät", "arts", "nyckel")
    words = [(first, last) for first in long + short + prefixes for last in lasts]

    rows = await service.database.system_fetch(
        "select compound_ends(to_tsvector('simple', w.first || w.last)) @@ word_query(lower(w.last)) as found"
        " from unnest($1::text[], $2::text[]) with ordinality as w (first, last, place) order by w.place",
        *map(list, zip(*words, strict=True)),
    )

    assert [words[place] for place, row in enumerate(rows) if row["found"] != (words[place][0] in long + short)] == []


async def test_a_compound_with_a_short_first_part_is_found_and_a_prefix_is_none(service: Service, org: str) -> None:
    made = await service.create(org, "Laden", "Wir reparieren Hörgeräte und verkaufen den Türschlüssel dazu.")
    other = await service.create(org, "Verbote", "Der Verbrauch und die Antwort: unmögliche Zustände im Betrieb.")
    for entry in (made, other):
        await service.until_settled(org, entry.entry.id)
    for query in ("Gerät", "Geräte", "Schlüssel"):
        answer = await service.search(org, query, pb.SEARCH_MODE_KEYWORD)
        assert [hit.entry_id for hit in answer.hits] == [made.entry.id], query
    for query in ("Brauch", "Wort", "möglich", "Stände", "Trieb"):
        assert not (await service.search(org, query, pb.SEARCH_MODE_KEYWORD)).hits, query


async def test_the_words_of_chunks_of_before_are_read_anew(service: Service, org: str, stores: Stores) -> None:
    """In batches, without what another transaction holds; a chunk that has its words is not written."""
    made = [await service.create(org, title, f"{title}: das Hörgerät.") for title in ("eins", "zwei", "drei")]
    for entry in made:
        await service.until_settled(org, entry.entry.id)
    database = service.database
    await database.system_fetch("update chunk set words = to_tsvector('german', text) where org_id = $1", org)
    current = "select ctid::text as place from chunk where org_id = $1 order by id"
    admin = _admin(stores, await _database_of(service))

    async with database.transaction(org) as held:
        await held.execute("select 1 from chunk where entry_id = $1 for update", made[0].entry.id)
        await asyncio.to_thread(run_sql, admin, "call knowledge.read_words_anew(2)")
    answer = await service.search(org, "Gerät", pb.SEARCH_MODE_KEYWORD)
    assert {hit.entry_id for hit in answer.hits} == {entry.entry.id for entry in made[1:]}

    await asyncio.to_thread(run_sql, admin, "call knowledge.read_words_anew(2)")
    places = await database.system_fetch(current, org)
    answer = await service.search(org, "Gerät", pb.SEARCH_MODE_KEYWORD)
    assert {hit.entry_id for hit in answer.hits} == {entry.entry.id for entry in made}
    await asyncio.to_thread(run_sql, admin, "call knowledge.read_words_anew()")
    assert await database.system_fetch(current, org) == places


@pytest.mark.parametrize(
    ("language", "text", "query"),
    [
        ("nl", "De ziektekostenverzekering loopt af.", "verzekeringen"),
        ("da", "Sygeforsikringen betaler.", "forsikring"),
        ("nb", "Helseforsikringen betaler.", "forsikringer"),
        ("sv", "Sjukförsäkringen betalar.", "försäkring"),
    ],
)
async def test_other_languages_write_compounds_too(
    service: Service, org: str, language: str, text: str, query: str
) -> None:
    made = await service.create(org, "Entry", text, language=language)
    await service.until_settled(org, made.entry.id)
    answer = await service.search(org, query, pb.SEARCH_MODE_KEYWORD)
    assert [hit.entry_id for hit in answer.hits] == [made.entry.id]


async def test_an_excluded_compound_is_excluded(service: Service, org: str) -> None:
    made = [await service.create(org, name, f"Returns by {name}.") for name in ("e-mail", "letter")]
    for one in made:
        await service.until_settled(org, one.entry.id)
    answer = await service.search(org, "returns -e-mail", pb.SEARCH_MODE_KEYWORD)
    assert [hit.entry_id for hit in answer.hits] == [made[1].entry.id]


async def test_a_query_has_a_bound_before_it_reaches_the_database(service: Service, org: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.search(org, "word " * 65)
    assert [violation.code for violation in refused.value.violations] == ["too_many_words"]


_HOUSES = {
    "de": ("Die Häuser am See werden im Winter geheizt.", "Haus heizen"),
    "fr": ("Les maisons au bord du lac sont chauffées en hiver.", "la maison chauffée"),
    "es": ("Las casas junto al lago se calientan en invierno.", "casa caliente"),
    "it": ("Le case vicino al lago sono riscaldate in inverno.", "casa riscaldata"),
    "pt": ("As casas junto ao lago são aquecidas no inverno.", "casa aquecida"),
    "nl": ("De winkels aan het meer worden in de winter gesloten.", "winkel sluiten"),
    "ru": ("Дома у озера отапливаются зимой.", "дом отапливать"),
    "sv": ("Husen vid sjön värms upp under vintern.", "hus värma"),
}


async def test_each_entry_is_stemmed_in_its_own_language(service: Service, org: str) -> None:
    entries = {}
    for language, (text, _) in _HOUSES.items():
        entries[language] = (await service.create(org, "Houses", text)).entry.id
    for language, entry_id in entries.items():
        entry = await service.until_settled(org, entry_id)
        assert (entry.language, entry.language_given) == (language, False)

    for language, (_, question) in _HOUSES.items():
        answer = await service.search(org, question, pb.SEARCH_MODE_KEYWORD)
        assert [hit.entry_id for hit in answer.hits][:1] == [entries[language]], language
        assert answer.hits[0].highlights, language


async def test_a_stop_word_of_one_language_is_a_word_of_another(service: Service, org: str) -> None:
    german = (await service.create(org, "Versand", "Die Lieferung kostet vier Euro und dauert drei Tage.")).entry.id
    english = (await service.create(org, "Dies", "The die of the press is made of steel, and it lasts long.")).entry.id
    for entry_id in (german, english):
        await service.until_settled(org, entry_id)

    answer = await service.search(org, "Was kosten die Lieferungen?", pb.SEARCH_MODE_KEYWORD)

    assert answer.hits[0].entry_id == german


async def test_a_given_language_is_read_again_and_a_taken_one_detected(service: Service, org: str) -> None:
    made = await service.create(org, "Houses", _HOUSES["de"][0])
    await service.until_settled(org, made.entry.id)

    for language, given, shown, found in (("en", True, "en", 0), ("", False, "de", 1)):
        before = (await service.entry(org, made.entry.id)).index_version
        changed = await service.update(org, made.entry.id, language=language)
        assert changed.language_given is given
        async with asyncio.timeout(60):
            while (entry := await service.entry(org, made.entry.id)).index_version == before:
                await asyncio.sleep(0.05)
        assert (entry.language, entry.language_given) == (shown, given)
        answer = await service.search(org, "Haus", pb.SEARCH_MODE_KEYWORD)
        assert len(answer.hits) == found, language


async def test_a_language_set_while_a_build_runs_is_read_at_its_end(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    later = await build_service()
    made = await later.create(org, "Houses", _HOUSES["de"][0])
    await later.update(org, made.entry.id, language="nl")
    async with later.work():
        entry = await later.until_settled(org, made.entry.id)
    assert (entry.language, entry.language_given) == ("nl", True)


async def test_a_language_that_is_no_tag_is_refused(service: Service, org: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.create(org, "Houses", "Some words.", language="not a tag")
    assert [(found.pointer, found.code) for found in refused.value.violations] == [("#/language", "invalid_format")]


async def test_a_context_holds_the_best_passages_within_its_budget(service: Service, shop: str) -> None:
    all_of_them = await service.context(shop, "When does the store open?", max_tokens=4000)
    two = await service.context(shop, "When does the store open?", max_tokens=50)

    assert all_of_them.passages[0].title == "Opening hours"
    assert all_of_them.token_count == sum(passage.token_count for passage in all_of_them.passages) > 50
    assert all_of_them.context.startswith("[1] Opening hours\nThe store opens at nine")
    assert 0 < len(two.passages) < len(all_of_them.passages)
    assert two.token_count <= 50
    assert list(two.passages) == list(all_of_them.passages[: len(two.passages)])
    with pytest.raises(InvalidArgument) as refused:
        await service.context(shop, "words", max_tokens=49)
    assert [found.pointer for found in refused.value.violations] == ["#/maxTokens"]


async def test_a_hit_cites_where_its_words_stand(service: Service, org: str) -> None:
    text = "# Rules\n\nParcels leave on Monday.\n\n# Prices\n\nA parcel costs four crowns."
    made = await service.upload(org, text.encode(), "rules.md")
    await service.until_settled(org, made.entry_id)

    (hit,) = (await service.search(org, "crowns", pb.SEARCH_MODE_KEYWORD)).hits

    # Of the document's text: its blocks, each followed by two line breaks.
    blocks = "Rules\n\nParcels leave on Monday.\n\nPrices\n\nA parcel costs four crowns.\n\n"
    assert blocks[hit.start_offset : hit.end_offset] == "A parcel costs four crowns."
    assert (hit.source, hit.document_id, hit.index_version) == ("rules.md", made.document_id, 1)
