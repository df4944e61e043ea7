"""The list of calls: every filter, both paging modes, words of the transcript, and what lists never carry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.common.v1 import common_pb2
from gateway.schemas.calls import call_row_from_proto
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from libs.postgres import count_statements
from libs.postgres.connection import StatementCounter
from libs.rpc.times import to_timestamp

from .conftest import CallLog, Organization, as_org, failure, transcription

AGENT = "agent_7101k5zvyjhmfg983brhmhkd98n6"
START = 1_767_344_600


def metadata(start: int = START, seconds: int = 37, **phone: Any) -> dict[str, Any]:
    call = {"direction": "inbound", "agent_number": "+1", "external_number": "+2", **phone} if phone else None
    return {"start_time_unix_secs": start, "call_duration_secs": seconds, "phone_call": call}


def analysis(success: str = "success", summary: str = "A talk.", title: str = "Talk") -> dict[str, Any]:
    return {"call_successful": success, "transcript_summary": summary, "call_summary_title": title}


def turns(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "message": text, "time_in_call_secs": 0} for text in texts]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def org(calllog: CallLog) -> Organization:
    """Six calls, each with something of its own."""
    org = await calllog.organization(AGENT)
    prefix = org.id
    envelopes = [
        transcription(f"{prefix}-1", metadata=metadata(START, 10), transcript=turns("Where is my parcel?")),
        transcription(f"{prefix}-2", metadata=metadata(START + 3_600, 20, direction="outbound"), agent_id="other",
                      transcript=turns("About refunds for the parcel")),
        transcription(f"{prefix}-3", metadata=metadata(START + 7_200, 30, external_number="+99"),
                      analysis=analysis("failure", "Wrong Grüße nummer."), transcript=turns("Hola mañana")),
        transcription(f"{prefix}-4", status="failed", metadata=metadata(START + 10_800, 40),
                      analysis=analysis("unknown", title="Zebra crossing"), transcript=[]),
        failure(f"{prefix}-5", "no-answer"),
        transcription(f"{prefix}-6", status="in-progress", metadata={}, analysis=None, transcript=turns("hello")),
    ]  # fmt: skip
    for envelope in envelopes:
        await calllog.deliver(org, envelope)
        await calllog.settled(org.id)
    return org


async def found(calllog: CallLog, org: Organization, **filters: Any) -> str:
    """The numbers of the calls that match, newest first."""
    answer = await calllog.list(org.id, **filters)
    assert answer.page_info.total == len(answer.calls)
    return "".join(call.external_call_id.rpartition("-")[2] for call in answer.calls)


async def test_rows_in_json_are_what_the_api_makes_of_the_messages(calllog: CallLog, org: Organization) -> None:
    call = (await calllog.list(org.id)).calls[0].id
    async with calllog.database.transaction(org.id) as conn:
        await conn.execute("update call set cost_micros = 12345, cost_currency = 'USD' where id = $1", call)
    messages = await calllog.list(org.id, page=common_pb2.PageRequest(limit=4))
    in_json = await calllog.list(org.id, page=common_pb2.PageRequest(limit=4, json_rows=True))
    rows = [call_row_from_proto(message) for message in messages.calls]
    assert in_json.page_info.json_rows == msgspec.json.encode(rows)
    in_json.page_info.ClearField("json_rows")
    assert in_json.page_info == messages.page_info
    words = common_pb2.PageRequest(json_rows=True)
    assert msgspec.json.decode((await calllog.list(org.id, page=words, search="parcel")).page_info.json_rows)[1:]


async def test_all_newest_first(calllog: CallLog, org: Organization) -> None:
    assert await found(calllog, org) == "654321"
    assert (await calllog.list(org.id)).page_info.limit == 100


async def test_each_filter(calllog: CallLog, org: Organization) -> None:
    first = (await calllog.list(org.id, external_call_id=f"{org.id}-1")).calls[0]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"agent_id": first.agent_id}, "65431"),
        ({"agent_version": 1}, "65431"),
        ({"agent_version": 2}, ""),
        ({"status": calllog_pb2.CALL_STATUS_COMPLETED}, "321"),
        ({"status": calllog_pb2.CALL_STATUS_NO_ANSWER}, "5"),
        ({"status": calllog_pb2.CALL_STATUS_IN_PROGRESS}, "6"),
        ({"direction": calllog_pb2.CALL_DIRECTION_OUTBOUND}, "52"),
        ({"direction": calllog_pb2.CALL_DIRECTION_WEB}, "641"),
        ({"phone_number": "+99"}, "3"),
        ({"phone_number": "+1"}, "32"),
        ({"phone_number": "+2"}, "2"),
        ({"successful": True}, "21"),
        ({"successful": False}, "53"),
        ({"duration_ge": 20.0}, "432"),
        ({"duration_ge": 20.0, "duration_lt": 40.0}, "32"),
        ({"started_at_ge": to_timestamp(datetime.fromtimestamp(START + 3_600, UTC)),
          "started_at_lt": to_timestamp(datetime.fromtimestamp(START + 10_800, UTC))}, "32"),
        ({"provider": "elevenlabs"}, "654321"),
        ({"provider": "retell"}, ""),
        ({"external_call_id": f"{org.id}-4"}, "4"),
        ({"external_call_id": "nul \x00"}, ""),
        ({"status": calllog_pb2.CALL_STATUS_COMPLETED, "successful": False, "search": "mañana"}, "3"),
    ]  # fmt: skip
    for filters, expected in cases:
        assert await found(calllog, org, **filters) == expected, filters


async def test_words_of_transcript_summary_and_title(calllog: CallLog, org: Organization) -> None:
    for words, expected in [
        ("parcel", "21"), ("PARCEL", "21"), ("refund", "2"), ("parcel refunds", "2"), ("parcel -refunds", "1"),
        ('"my parcel"', "1"), ("grüße", "3"), ("zebra", "4"), ("pistachio", ""), ("!!!", ""), ("' or 1=1 --", ""),
        ("nul\x00", ""), ("about", "2"),
    ]:  # fmt: skip
        assert await found(calllog, org, search=words) == expected, words


async def test_words_are_stemmed_in_the_language_of_the_call(calllog: CallLog) -> None:
    """The provider's language where it names one, else the language of the words."""
    org = await calllog.organization(AGENT)
    spoken = {
        "1": ("de", "Können Sie die Häuser heizen?"), "2": ("", "Nous voulons réserver deux chambres pour demain."),
        "3": ("", "请问退款什么时候到账"), "4": ("", "The two boxes of the KX-4471 arrived broken."),
        "5": ("en", "Please send me an e-mail."), "6": ("en", "We had a party 🎉 with e-mail."),
    }  # fmt: skip
    for number, (language, words) in spoken.items():
        about = metadata() | ({"main_language": language} if language else {})
        await calllog.deliver(org, transcription(f"{org.id}-{number}", metadata=about, transcript=turns(words)))
        await calllog.settled(org.id)
    for words, expected in [
        ("Haus", "1"), ("hauser", "1"), ("chambre", "2"), ("reserver", "2"), ("退款", "3"), ("到账", "3"), ("账", "3"),
        ("box arrive", "4"), ("4471", "4"), ("email", "65"), ("🎉", "6"), ("email 🎉", "6"),
        ('"退款"', "3"), ('"die Häuser"', "1"), ("kx4471", "4"), ("kx_4471", "4"),
    ]:  # fmt: skip
        assert await found(calllog, org, search=words) == expected, words


# The document by plain_vector alone, whose searches are those of today.
_WHOLE_READING = """
select search_document($1, $2, $3, $4) = setweight(to_tsvector('simple', $1), 'A')
    || setweight(to_tsvector('simple', $2), 'B') || setweight(to_tsvector('simple', $3), 'D')
    || to_tsvector($4::text::regconfig, $1 || ' ' || $2) || to_tsvector($4::text::regconfig, $3)
    || plain_vector($4, $1 || ' ' || $2 || ' ' || $3)"""


async def test_a_document_is_the_same_whichever_way_its_plain_form_is_made(calllog: CallLog) -> None:
    for texts in [
        ("", "", ""), ("A parcel", "It's about my parcel - again.", "Hello! Two boxes, please."),
        ("KX-4471", "returns/exchanges", "Write to jo.doe@shop.example; a-b-c, ends- here"), ("", "", "x\ty\n-z"),
        ("Krankenversicherung", "", "Die Lieferzeit ist lang."),
        ("Grüße", "Können Sie", "naïve café-bar"), ("退款", "请问", "KX-4471 退款什么时候到账"), ("a", "b", "สวัสดี-ok"),
        ("", "המלון", "والفنادق KX-4471"),
    ]:  # fmt: skip
        for dictionary in ("english", "german", "simple"):
            assert await calllog.database.system_fetchval(_WHOLE_READING, *texts, dictionary), (texts, dictionary)


async def test_words_of_others_are_not_found(calllog: CallLog, org: Organization) -> None:
    other = await calllog.organization()
    await calllog.deliver(other, transcription(f"{other.id}-1", transcript=turns("parcel secret")))
    await calllog.settled(other.id)
    assert await found(calllog, org, search="secret") == ""
    assert await found(calllog, other, search="parcel") == "1"
    matching = "select count(*) from calls_matching($2, 10) where o.org is not null"
    assert await calllog.database.fetchval(other.id, matching, "secret") == 1
    assert await calllog.database.fetchval(org.id, matching, "secret") == 0
    matches = "select call_matches($2, 'secret') from (select o.org) q"
    call = (await calllog.list(other.id)).calls[0].id
    assert await calllog.database.fetchval(other.id, matches, call) is True
    assert await calllog.database.fetchval(org.id, matches, call) is False


async def test_pages_and_cursors_agree(calllog: CallLog, org: Organization) -> None:
    for sort in ("createdAt", "startedAt", "durationSeconds"):
        for order in ("asc", "desc"):
            whole = (await calllog.list(org.id, page=common_pb2.PageRequest(sort=sort, order=order))).calls
            walked: list[Any] = []
            cursor = ""
            while True:
                wanted = common_pb2.PageRequest(limit=2, cursor_mode=True, cursor=cursor, sort=sort, order=order)
                answer = await calllog.list(org.id, page=wanted)
                walked += answer.calls
                cursor = answer.page_info.next_cursor
                if not cursor:
                    break
            assert [call.id for call in walked] == [call.id for call in whole]
            assert len(whole) == 6


async def test_a_search_cursor_outlives_new_calls(calllog: CallLog, org: Organization) -> None:
    first = await calllog.list(org.id, search="parcel", page=common_pb2.PageRequest(limit=1, cursor_mode=True))
    other = await calllog.organization()
    await calllog.deliver(other, transcription(f"{other.id}-1", transcript=turns("parcel")))
    await calllog.settled(other.id)
    wanted = common_pb2.PageRequest(limit=1, cursor=first.page_info.next_cursor)
    rest = await calllog.list(org.id, search="parcel", page=wanted)
    assert [call.external_call_id for call in rest.calls] == [f"{org.id}-1"]
    with pytest.raises(InvalidArgument, match="invalid_cursor"):
        await calllog.list(org.id, search="refund", page=wanted)


async def test_lists_carry_no_transcript_and_few_statements(calllog: CallLog, org: Organization) -> None:
    with count_statements() as counter:
        answer = await calllog.list(org.id)
    assert len(tenants(counter)) <= 2
    assert all(not call.transcript for call in answer.calls)
    assert not any("call_turn" in statement for statement in tenants(counter))
    with count_statements() as counter:
        await calllog.list(org.id, search="parcel")
    assert len(tenants(counter)) <= 3
    with count_statements() as counter:
        await calllog.get(org.id, answer.calls[-1].id)
    assert len(tenants(counter)) <= 3


def tenants(counter: StatementCounter) -> list[str]:
    """Reads of tenants alone: the worker of this process looks for jobs meanwhile."""
    return [statement for statement in counter.statements if "set_config('app.org'" in statement]


async def test_a_call_of_others_is_unknown(calllog: CallLog, org: Organization) -> None:
    call = (await calllog.list(org.id)).calls[0]
    refusals = []
    for org_id, call_id in ((new_id("org"), call.id), (org.id, new_id("call")), (org.id, "call_x"), (org.id, "\x00")):
        with pytest.raises(NotFound) as refusal:
            await calllog.get(org_id, call_id)
        refusals.append((refusal.value.reason, refusal.value.detail))
    assert len(set(refusals)) == 1


async def tag(calllog: CallLog, org: str, call_id: str, *tags: str, version: int | None = None) -> calllog_pb2.Call:
    request = calllog_pb2.UpdateCallRequest(call=calllog_pb2.Call(id=call_id, tags=tags), expected_version=version)
    request.update_mask.paths.append("tags")
    with as_org(org):
        return (await calllog.servicer.UpdateCall(request, None)).call


async def test_tags_are_the_customers_own(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(f"{org.id}-1"))
    call = await calllog.call_of(org.id, f"{org.id}-1")
    tagged = await tag(calllog, org.id, call.id, " vip ", "angry", "vip")
    assert (list(tagged.tags), tagged.version) == (["vip", "angry"], call.version + 1)
    assert len(tagged.transcript) == 6
    assert await found(calllog, org, tags=["vip"]) == "1"
    assert await found(calllog, org, tags=["vip", "angry"]) == "1"
    assert await found(calllog, org, tags=["vip", "calm"]) == ""
    with pytest.raises(FailedPrecondition, match="stale_version"):
        await tag(calllog, org.id, call.id, "x", version=call.version)
    assert (await tag(calllog, org.id, call.id, "vip", "angry", version=tagged.version)).version == tagged.version
    await tag(calllog, org.id, call.id, version=tagged.version)
    assert await found(calllog, org, tags=["vip"]) == ""
    assert [topic for topic, _ in await calllog.events(org.id)] == ["call.ended", "call.updated", "call.updated"]
    with pytest.raises(NotFound):
        await tag(calllog, new_id("org"), call.id, "x")
    with pytest.raises(InvalidArgument, match="validation_failed"):
        await tag(calllog, org.id, call.id, "x" * 51)


async def test_nothing_but_tags_can_be_changed(calllog: CallLog) -> None:
    request = calllog_pb2.UpdateCallRequest(call=calllog_pb2.Call(id=new_id("call"), summary="mine"))
    request.update_mask.paths.append("summary")
    with as_org(new_id("org")), pytest.raises(InvalidArgument, match="field_not_editable"):
        await calllog.servicer.UpdateCall(request, None)


async def test_scopes(calllog: CallLog) -> None:
    with as_org(new_id("org"), scopes=("agents:read",)), pytest.raises(PermissionDenied):
        await calllog.servicer.ListCalls(calllog_pb2.ListCallsRequest(), None)
    with as_org(new_id("org"), scopes=("calls:read",)), pytest.raises(PermissionDenied):
        await calllog.servicer.UpdateCall(calllog_pb2.UpdateCallRequest(), None)


async def test_common_words_are_walked_to(calllog: CallLog) -> None:
    """10,500 calls that share a word: pages come quickly, the total says that it is an estimate. The statements were
    prepared while there were few calls, so that their plans are made for few."""
    org = new_id("org")
    for _ in range(20):
        await calllog.list(org, search="number7")
    for first in range(1, 10_500, 750):
        async with calllog.database.transaction(org) as conn:
            await conn.execute(
                """insert into call (org_id, id, provider, external_call_id, external_agent_id, agent_version, status,
                       completeness, direction, from_number, to_number, title, summary, language, termination_reason,
                       turn_count, billable, version, created_at, updated_at)
                   select $1, 'call_' || lpad(i::text, 26, '0'), 'elevenlabs', i::text, '', 0, 'completed', 1, 'web',
                       '', '', '', '', '', '', 0, false, 1, timestamptz '2026-01-01Z' + i * interval '1 second', now()
                   from generate_series($2::int, $2 + 749) i""",
                org, first,
            )  # fmt: skip
            await conn.execute(
                """insert into call_search (org_id, call_id, document)
                   select $1, 'call_' || lpad(i::text, 26, '0'), search_document('', '', 'hello number' || i, 'english')
                   from generate_series($2::int, $2 + 749) i""",
                org, first,
            )  # fmt: skip
    with count_statements() as counter:
        page = await calllog.list(org, search="hello", page=common_pb2.PageRequest(page=3, limit=50))
    assert len(tenants(counter)) == 2, "matches that fill every page are not counted"
    assert [call.external_call_id for call in page.calls][:2] == ["10400", "10399"]
    assert (page.page_info.total, page.page_info.total_is_estimate) == (10_001, True)
    assert (await calllog.list(org, search="hello", external_call_id="7")).page_info.total == 1
    assert (await calllog.list(org, search="number7")).calls[0].external_call_id == "7"
