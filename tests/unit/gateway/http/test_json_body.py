import time
import unicodedata
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json as fast_json

from gateway.http.json_body import MAX_DEPTH, decode_json, parse_json, require_json
from gateway.http.schema import Body
from gateway.schemas.agents import AgentBody, AgentPatch
from gateway.schemas.shapes import SERVER_SET
from libs.errors import AppError, InvalidArgument
from tests.unit.gateway.requests import body_request, make_request

JSON = ("application/json",)


def refusal(raw: bytes, schema: type[Any] = AgentBody) -> AppError:
    with pytest.raises(InvalidArgument) as caught:
        decode_json(raw, schema, SERVER_SET)
    return caught.value


def places(raw: bytes, schema: type[Any] = AgentBody) -> list[tuple[str, str]]:
    return [(item.pointer, item.code) for item in refusal(raw, schema).violations]


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")).map(
        lambda text: unicodedata.normalize("NFC", text)  # other texts are composed on the way in
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\x00")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_any_plain_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse_json(fast_json.encode(value)) == value


def reason_of(raw: bytes) -> str:
    try:
        parse_json(raw)
    except InvalidArgument as error:
        return error.reason
    return "none"


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0000dD8a1e9-+.tfn ', max_size=60).map(str.encode))
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    refusals = ("malformed_json", "invalid_utf8", "duplicate_key", "validation_failed", "json_too_deep")
    assert reason_of(raw) in ("none", *refusals)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b'{"name":"a"} x', "malformed_json"),
        (b'{"name":NaN}', "malformed_json"),
        (b'{"name":-Infinity}', "malformed_json"),
        (b'{"name":1e999}', "validation_failed"),
        (b'{"name":' + b"9" * 5000 + b"}", "validation_failed"),
        (b'{"name":' + b"9" * 41 + b"}", "validation_failed"),
        (b'{"name":"a","x":{"y":[1,9007199254740993]}}', "validation_failed"),
        (b'{"name":"a","x":-9007199254740994}', "validation_failed"),
        (b'{"name":"tab\tinside"}', "malformed_json"),
        (b"\xef\xbb\xbf{}", "malformed_json"),
        (b'{"name":"\xff"}', "invalid_utf8"),
        (b'{"name":"\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"name":"a","name":"b"}', "duplicate_key"),
        (b'{"name":"a","llm":{"model":"x","model":"x"}}', "duplicate_key"),
        (b'{"name":"a","\\u006eame":"b"}', "duplicate_key"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "json_too_deep"),
        (b"[" * 100_000, "json_too_deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "json_too_deep"),
    ],
)
def test_what_two_parsers_could_read_in_two_ways_is_refused(raw: bytes, reason: str) -> None:
    assert refusal(raw).reason == reason


@pytest.mark.parametrize("piece", [b"[]", b"1", b"1.5", b"{}", b'""', b'"\\ud83d\\ude00"'])
def test_more_values_than_the_loop_can_decode_are_refused_before_they_are_decoded(
    piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = b"[" + b",".join([piece] * (1024 * 1024 // (len(piece) + 1))) + b"]"
    monkeypatch.setattr("gateway.http.json_body.json.loads", lambda *_, **__: pytest.fail("it was decoded"))
    assert refusal(raw).reason == "payload_too_large"


@pytest.mark.parametrize("text", [b",", b'\\"', b"\\\\", b'\\",', b"\\u0041,"])
def test_commas_in_texts_are_not_values(text: bytes) -> None:
    raw = b'{"name":"a","systemPrompt":"' + text * (900_000 // len(text)) + b'"}'
    started = time.perf_counter()
    assert parse_json(raw)["name"] == "a"
    refusal(raw[:-2])
    refusal(raw[:-2] + b"\\")
    assert time.perf_counter() - started < 20  # a scan of every rest for every comma takes minutes


def test_the_depth_limit_is_exact() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


@pytest.mark.parametrize("text", [b"\\u0000", b"\\ud800", b"\\uDC00", b"\\udc00\\ud800", b"x\\uD800x"])
def test_nul_and_lone_surrogates_are_named_with_their_place(text: bytes) -> None:
    assert places(b'{"name":"' + text + b'"}') == [("#/name", "invalid_text")]
    assert places(b'{"name":"a","tags":["b","' + text + b'"]}') == [("#/tags/1", "invalid_text")]
    assert [code for _, code in places(b'{"' + text + b'":1}')] == ["invalid_text"]


def test_a_paired_surrogate_is_one_character() -> None:
    assert decode_json(b'{"name":"\\ud83d\\ude00"}', AgentBody).name == "😀"


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"{}", ("#/name", "required")),
        (b'{"name":"a","nope":1}', ("#/nope", "unknown_field")),
        (b'{"name":"a","id":"agt_1"}', ("#/id", "privileged_field")),
        (b'{"name":"a","organizationId":"org_1"}', ("#/organizationId", "privileged_field")),
        (b'{"name":"a","llm":{"modell":"x"}}', ("#/llm/modell", "unknown_field")),
        (b'{"name":1}', ("#/name", "invalid_value")),
        (b'{"name":"a","llm":{"maxTokens":"1"}}', ("#/llm/maxTokens", "invalid_value")),
        (b'{"name":"a","llm":{"maxTokens":true}}', ("#/llm/maxTokens", "invalid_value")),
        (b'{"name":"a","llm":{"maxTokens":99999999999}}', ("#/llm/maxTokens", "invalid_value")),
        (b'{"name":"a","tags":["b",2]}', ("#/tags/1", "invalid_value")),
        (b'{"name":"a","dynamicVariables":{"x":[]}}', ("#/dynamicVariables/x", "invalid_value")),
        (b'{"name":"a","dynamicVariables":{"x":{"y":1}}}', ("#/dynamicVariables/x", "invalid_value")),
        (b"[]", ("#", "invalid_value")),
        (b'"name"', ("#", "invalid_value")),
    ],
)
def test_the_wrong_shape_is_refused_with_a_pointer(raw: bytes, place: tuple[str, str]) -> None:
    assert places(raw) == [place]


MANY_MISTAKES = (
    b'{"description":7,"llm":{"temperature":"hot","maxTokens":1.5,"modell":"x"},"tags":["a",1,null],"provider":"x"}'
)


def test_all_mistakes_of_a_body_are_told_at_once_in_the_words_of_json() -> None:
    assert {item.pointer: item.detail for item in refusal(MANY_MISTAKES).violations} == {
        "#/name": "This field is required.",
        "#/description": "Expected string or null, got number.",
        "#/llm/temperature": "Expected number or null, got string.",
        "#/llm/maxTokens": "Expected integer or null, got number.",
        "#/llm/modell": "This field does not exist. Remove it.",
        "#/tags/1": "Expected string, got number.",
        "#/tags/2": "Expected string, got null.",
        "#/provider": "Expected one of: elevenlabs, retell, vapi, bland.",
    }


def test_what_is_not_text_or_too_large_is_told_wherever_it_stands() -> None:
    assert [place for place, _ in places(b'{"a":"\\ud800","b":[1,"\\u0000"]}')] == ["#/a", "#/b/1"]
    assert [place for place, _ in places(b'{"a":9007199254740993,"b":[1,1e400]}')] == ["#/a", "#/b/1"]


class Moments(Body):
    first: datetime
    others: list[datetime] | None = None


@pytest.mark.parametrize("moment", [b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59-02:00"])
def test_a_time_that_cannot_be_kept_is_refused_at_its_place(moment: bytes) -> None:
    raw = b'{"first":"2026-01-02T03:04:05Z","others":["2026-01-02T03:04:05Z","' + moment + b'"]}'
    assert places(raw, Moments) == [("#/others/1", "out_of_range")]


def test_null_clears_in_a_patch_only_what_may_be_empty() -> None:
    patch: Any = decode_json(b'{"description":null}', AgentPatch)
    assert patch.description is None
    assert places(b'{"name":null}', AgentPatch) == [("#/name", "invalid_value")]


def test_pointers_escape_what_a_pointer_reserves() -> None:
    assert places(b'{"name":"a","a/b~c":1}') == [("#/a~1b~0c", "unknown_field")]


async def read(chunks: list[bytes], limit: int, headers: dict[str, str] | None = None) -> bytes:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    return await body_request(messages, headers).read_body(limit)


async def test_a_body_is_read_whole_up_to_its_limit() -> None:
    assert await read([b"ab", b"", b"c"], 3) == b"abc"
    with pytest.raises(InvalidArgument, match="payload_too_large"):
        await read([b"ab", b"cd"], 3)


class Steps:
    """A place that notes what it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.taken.append(name)


async def test_a_request_holds_no_place_while_its_body_arrives_and_a_body_that_is_here_is_not_waited_for() -> None:
    request = body_request([{"type": "http.request", "body": b"abc", "more_body": False}])
    request.place = place = Steps()
    assert await request.read_body(3) == b"abc"
    assert await request.read_body(3) == b"abc"
    assert place.taken == ["receive", "work"]


async def test_an_announced_length_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(InvalidArgument, match="payload_too_large"):
        await read([b""], 3, {"content-length": "4"})


async def test_a_vanished_client_is_no_whole_body() -> None:
    with pytest.raises(InvalidArgument, match="incomplete_body"):
        await body_request([{"type": "http.disconnect"}]).read_body(10)


@pytest.mark.parametrize(
    ("content_type", "kind", "fits"),
    [
        (b"application/json", "json", True),
        (b"Application/JSON; charset=UTF-8", "json", True),
        (b'application/json;charset="utf-8"', "json", True),
        (b"application/merge-patch+json", "merge_patch", True),
        (b"application/json", "merge_patch", True),
        (b"application/merge-patch+json", "json", False),
        (b"application/json; charset=latin-1", "json", False),
        (b"text/plain", "json", False),
        (b"", "json", False),
        (b"application/x-www-form-urlencoded", "json", False),
    ],
)
def test_the_media_type_must_fit(content_type: bytes, kind: str, fits: bool) -> None:
    allowed = {"json": JSON, "merge_patch": ("application/merge-patch+json", *JSON)}[kind]
    request = make_request({"content-type": content_type.decode()})
    if fits:
        require_json(request, allowed)
    else:
        with pytest.raises(InvalidArgument, match="unsupported_media_type"):
            require_json(request, allowed)


def test_a_packed_body_is_refused_rather_than_read_as_it_is() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    with pytest.raises(InvalidArgument, match="unsupported_media_type"):
        require_json(make_request(headers), JSON)
    require_json(make_request(headers | {"content-encoding": "identity"}), JSON)


def test_a_number_that_is_too_large_is_named_by_its_place() -> None:
    for number in (b"9007199254740993", b"1e400", b"-" + b"1" * 5000):
        with pytest.raises(InvalidArgument) as refusal:
            parse_json(b'{"a":{"b":[true,' + number + b"]}}")
        assert [violation.pointer for violation in refusal.value.violations] == ["#/a/b/1"]
    assert parse_json(b'{"a":[9007199254740992,-9007199254740992,1e3,"90071992547409930"]}')


def test_texts_are_composed() -> None:
    assert parse_json('{"name":"Cafe\u0301"}'.encode()) == {"name": "Caf\u00e9"}
    assert parse_json(b'{"name":["Cafe\\u0301"]}') == {"name": ["Caf\u00e9"]}
