from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http.json_body import decode_json
from gateway.http.merge_patch import apply_patch
from gateway.schemas.agents import PATCHED, AgentPatch


def applied(raw: bytes) -> tuple[pb.Agent, list[str]]:
    agent = pb.Agent()
    mask = apply_patch(decode_json(raw, AgentPatch), agent, PATCHED)
    return agent, list(mask.paths)


def test_what_is_present_is_set_and_named() -> None:
    agent, paths = applied(b'{"name":"A","systemPrompt":"p","tags":["x","y"],"voiceId":""}')
    assert (agent.display_name, agent.draft.system_prompt, list(agent.tags)) == ("A", "p", ["x", "y"])
    assert set(paths) == {"display_name", "draft.system_prompt", "tags", "draft.voice_id"}


def test_an_empty_patch_names_nothing() -> None:
    assert applied(b"{}")[1] == []
    assert applied(b'{"llm":{}}')[1] == []


def test_null_is_named_and_not_set() -> None:
    agent, paths = applied(b'{"description":null,"llm":null,"dynamicVariables":null,"tags":null}')
    assert set(paths) == {"description", "draft.llm", "draft.dynamic_variables", "tags"}
    assert agent == pb.Agent()


def test_an_inner_object_is_merged_field_by_field() -> None:
    agent, paths = applied(b'{"llm":{"temperature":0.5,"model":null}}')
    assert set(paths) == {"draft.llm.temperature", "draft.llm.model"}
    assert agent.draft.llm.temperature == 0.5
    assert not agent.draft.llm.HasField("max_tokens")


def test_a_map_is_merged_by_key_and_null_takes_a_key_away() -> None:
    agent, paths = applied(b'{"dynamicVariables":{"a.b":1,"gone":null}}')
    assert set(paths) == {"draft.dynamic_variables.a.b", "draft.dynamic_variables.gone"}
    assert dict(agent.draft.dynamic_variables.fields).keys() == {"a.b"}


def test_what_is_empty_or_zero_is_set_all_the_same() -> None:
    agent, paths = applied(b'{"llm":{"temperature":0},"dynamicVariables":{"open":false,"count":0,"name":""}}')
    assert agent.draft.llm.HasField("temperature")
    assert {key: value.WhichOneof("kind") for key, value in agent.draft.dynamic_variables.fields.items()} == {
        "open": "bool_value",
        "count": "number_value",
        "name": "string_value",
    }
    assert len(paths) == 4
