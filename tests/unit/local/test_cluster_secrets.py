"""Keys of a cluster are replaced and dropped in an order that no pod and no stored value misses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from libs.clock import utcnow
from libs.keys import new_key, new_kid
from local import cluster_secrets
from local.runner.keys import Keys, completed
from local.runner.rotation import kids_of

ADDRESSES = {"POSTGRES": "postgres:5432", "POOLER": "pooler:6432", "REDIS": "redis:6379", "NATS": "nats:4222"}
OLD, NEW = (new_kid(utcnow() - timedelta(days=days)) for days in (100, 40))


class Memory(cluster_secrets.Cluster):
    """The Secrets of a namespace, and each value that suite-keys has had."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.kept: list[dict[str, str]] = []

    def read(self, name: str) -> dict[str, str]:
        return self.secrets.get(name, {})

    def create(self, name: str, entries: Mapping[str, str]) -> bool:
        self.apply(name, entries)
        return True

    def apply(self, name: str, entries: Mapping[str, str]) -> None:
        self.secrets[name] = dict(entries)
        if name == "suite-keys":
            self.kept.append(self.values)

    @property
    def values(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.secrets["suite-keys"]["keys.json"])
        return found


@pytest.fixture
def cluster() -> Memory:
    """An installation whose keys were replaced 40 days ago."""
    found = Memory()
    values = {**completed({}), **{f"store.{name}": "secret" for name in ("postgres", "redis", "nats")}}
    turned = {
        name: f"{NEW}={new_key()},{OLD}={new_key()}"
        for name in values
        if name.partition(".")[0] in ("encryption", "cursor")
    }
    found.create("suite-keys", {"keys.json": json.dumps({**values, **turned})})
    return found


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Schema -> the key ids that its stored values name, with a column; asked through the administrator's address."""
    found: dict[str, dict[str, str]] = {}

    async def kids_in_use(admin_url: str, schema: str, kids: Iterable[str]) -> dict[str, str]:
        assert admin_url == "postgresql://postgres:secret@postgres:5432/echosenseix"
        return {kid: column for kid, column in found.get(schema, {}).items() if kid in set(kids)}

    monkeypatch.setattr("libs.postgres.sealed.kids_in_use", kids_in_use)
    return found


def test_an_encryption_key_stays_while_a_stored_value_needs_it(
    cluster: Memory, stored: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    stored["agent"] = {OLD: "agent.integration.api_key"}
    cluster_secrets.retire(cluster, ADDRESSES, [])
    assert kids_of(cluster.values["encryption.agent"]) == [NEW, OLD]
    assert kids_of(cluster.values["encryption.realtime"]) == [NEW]
    assert kids_of(cluster.values["cursor.gateway"]) == [NEW]
    assert cluster.secrets["realtime"]["ENCRYPTION_KEYS"] == cluster.values["encryption.realtime"]
    said = capsys.readouterr().out
    assert f"encryption.agent: {OLD} stays, because agent.integration.api_key still needs it" in said
    stored.clear()
    cluster_secrets.retire(cluster, ADDRESSES, ["encryption"])
    assert kids_of(cluster.values["encryption.agent"]) == [NEW]


def test_a_database_that_does_not_answer_keeps_every_key(cluster: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> dict[str, str]:
        raise ConnectionRefusedError

    monkeypatch.setattr("libs.postgres.sealed.kids_in_use", refuse)
    before = cluster.values
    with pytest.raises(ConnectionRefusedError):
        cluster_secrets.retire(cluster, ADDRESSES, [])
    assert cluster.values == before


def test_keys_that_another_job_changed_meanwhile_are_not_written_over() -> None:
    versions = [7, 8]
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"metadata": {"resourceVersion": str(versions[0])}, "data": {}})
        asked.append(json.loads(request.content))
        fits = asked[-1]["metadata"].get("resourceVersion") in (None, str(versions[-1]))
        return httpx.Response(200 if fits else 409, json={"metadata": {"resourceVersion": "9"}}, request=request)

    cluster = cluster_secrets.Cluster(httpx.Client(base_url="https://api", transport=httpx.MockTransport(answer)), "ns")
    cluster.read("suite-keys")
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        cluster.apply("suite-keys", {"keys.json": "{}"})
    versions[0] = 8
    cluster.read("suite-keys")
    cluster.apply("suite-keys", {"keys.json": "{}"})
    cluster.apply("agent", {"CURSOR_KEY": "x"})
    assert [one["metadata"].get("resourceVersion") for one in asked] == ["7", "8", None]


def test_a_rotation_publishes_waits_and_activates_and_drops_what_is_past(
    cluster: Memory, stored: dict[str, dict[str, str]]
) -> None:
    waits: list[tuple[float, list[str]]] = []

    def sleep(seconds: float) -> None:
        waits.append((seconds, kids_of(cluster.values["encryption.agent"])))

    cluster_secrets.rotate(cluster, ADDRESSES, ["encryption.agent"], sleep)
    [(seconds, [made, old, published])] = waits
    assert seconds >= 120  # longer than a kubelet takes to bring a changed Secret
    assert (made, old) == (NEW, OLD)
    assert kids_of(cluster.values["encryption.agent"]) == [published, NEW]
    assert kids_of(cluster.values["encryption.realtime"]) == [NEW, OLD]  # not among the words
    assert (
        Keys(cluster.values).service_environment("agent")["ENCRYPTION_KEYS"]
        == (cluster.secrets["agent"]["ENCRYPTION_KEYS"])
    )


def test_a_rotation_needs_no_database(cluster: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> dict[str, str]:
        raise ConnectionRefusedError

    monkeypatch.setattr("libs.postgres.sealed.kids_in_use", refuse)
    with pytest.raises(ConnectionRefusedError):
        cluster_secrets.rotate(cluster, ADDRESSES, ["encryption.agent"], lambda _: None)
    made, *past = kids_of(cluster.values["encryption.agent"])
    assert made not in (NEW, OLD)
    assert past == [NEW, OLD]
