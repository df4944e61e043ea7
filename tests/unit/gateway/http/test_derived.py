"""Patches, answers, readers and fillers that follow from one declaration."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta

from echosenseix.agent.v1 import agent_pb2
from echosenseix.calllog.v1 import calllog_pb2
from gateway.http.derived import answer_of, fill, patch_of, reader
from gateway.http.schema import Answer, Body, ListQuery


class ModelBody(Body):
    model: str | None = None
    temperature: float | None = None


class ThingBody(Body):
    name: Annotated[str, Meta(max_length=5)]
    note: Annotated[str, Meta(max_length=5)] | None = None
    kind: Literal["a", "b"] | None = None
    llm: ModelBody | None = None
    tags: list[str] | None = None


Patch = patch_of("ThingPatch", ThingBody, state=Literal["on", "off"])


def decoded(raw: bytes) -> msgspec.Struct:
    return msgspec.json.decode(raw, type=Patch)


def test_a_field_that_is_left_out_of_a_patch_is_unset_at_every_depth() -> None:
    patch = decoded(b'{"llm":{"model":null}}')
    values = {name: getattr(patch, name) for name in patch.__struct_fields__}
    inner = values.pop("llm")
    assert set(values.values()) == {UNSET}
    assert (inner.model, inner.temperature) == (None, UNSET)


@pytest.mark.parametrize("raw", [b'{"name":null}', b'{"note":"123456"}', b'{"other":1}', b'{"state":null}'])
def test_a_patch_keeps_the_bodys_limits_and_null_is_for_optional_fields(raw: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded(raw)
    assert getattr(decoded(b'{"note":null}'), "note") is None  # noqa: B009


def test_an_answer_shows_every_field_without_the_limits_of_the_body() -> None:
    answer = answer_of("Thing", ThingBody, without=("kind",))
    inner = msgspec.structs.fields(answer)[2].type
    hints = {part.name: part.type for part in msgspec.structs.fields(answer)}
    assert hints == {"name": str, "note": str | None, "llm": inner, "tags": list[str]}
    assert all(part.required for part in msgspec.structs.fields(answer))
    assert issubclass(inner, Answer)


def test_a_reader_refuses_at_import_a_field_that_the_message_does_not_have() -> None:
    class Wrong(Answer):
        nothing: str

    with pytest.raises(TypeError, match=r"agent.v1.Agent has no field nothing"):
        reader(Wrong, agent_pb2.Agent)


def test_zero_of_an_optional_field_is_not_its_absence() -> None:
    class Model(Answer):
        model: str | None
        temperature: float | None

    read = reader(Model, agent_pb2.LanguageModel)
    assert read(agent_pb2.LanguageModel(temperature=0)) == Model(model=None, temperature=0.0)
    assert read(agent_pb2.LanguageModel(model="m")) == Model(model="m", temperature=None)


def test_an_empty_text_is_null_where_a_described_field_may_be_null() -> None:
    class Shown(Answer):
        id: Annotated[str, Meta(description="Its id.")]
        description: Annotated[str | None, Meta(description="What it is for.")]

    read = reader(Shown, agent_pb2.Agent)
    assert read(agent_pb2.Agent()) == Shown(id="", description=None)


class CallQuery(ListQuery):
    status: str | None = None
    successful: bool | None = None
    started_at_ge: datetime | None = None
    tags: str | None = None


def test_a_filter_is_copied_where_it_is_given() -> None:
    request = calllog_pb2.ListCallsRequest()
    fill(request, CallQuery(limit=5))
    assert request == calllog_pb2.ListCallsRequest()
    fill(
        request,
        CallQuery(status="no_answer", successful=False, started_at_ge=datetime(2026, 1, 2, tzinfo=UTC), tags="a, b,"),
    )
    assert (request.status, request.HasField("successful")) == (calllog_pb2.CALL_STATUS_NO_ANSWER, True)
    assert request.successful is False
    assert (request.started_at_ge.ToDatetime(tzinfo=UTC), list(request.tags)) == (
        datetime(2026, 1, 2, tzinfo=UTC),
        ["a", "b"],
    )


def test_a_filter_without_a_field_in_the_request_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no field successful"):
        fill(agent_pb2.ListAgentsRequest(), CallQuery())
