"""provider.sync of a Bland account, by a real worker and a local server with the API of docs.bland.ai."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .account_stand_ins import KEY, Account, serving
from .conftest import Service
from .test_provider_sync import connect, finished, integration, tied, worker
from .test_sync_of_others import sync

__all__ = ["worker"]  # the fixture runs here as well


class Bland(Account):
    """`wrap` is the shape of the list, of which the API has had several."""

    wrap: Any = staticmethod(lambda rows: rows)

    def page(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        assert (method, path, query) == ("GET", "/v1/pathway", {})
        return self.wrap(self.agents)


@pytest.mark.parametrize("key", ["", "pathways", "data"])
@pytest.mark.parametrize("id_name", ["id", "pathway_id"])
async def test_pathways_become_known_as_agents(service: Service, org: str, key: str, id_name: str) -> None:
    account = Bland()
    account.wrap = lambda rows: {key: rows} if key else rows
    account.agents = [
        {id_name: f"pathway-{number}", "name": f"Desk {number}", "description": None, "nodes": [], "edges": []}
        for number in range(3)
    ]
    async with serving(account) as address:
        await connect(service, org, address, KEY, "bland")
        done = await finished(service, await sync(service, org, "bland"))
        again = await finished(service, await sync(service, org, "bland"))
    assert (done["state"], json.loads(done["result"])) == ("completed", {"added": 3})
    assert json.loads(again["result"]) == {"added": 0}
    assert await tied(service, org) == {f"pathway-{number}": f"Desk {number}" for number in range(3)}
    assert (await integration(service, org, "bland")).HasField("last_sync_time")


async def test_a_refused_key_is_shown(service: Service, org: str) -> None:
    async with serving(Bland()) as address:
        await connect(service, org, address, "key_wrong_000000", "bland")
        failed = await finished(service, await sync(service, org, "bland"))
    assert (failed["state"], failed["attempt"], failed["error"]) == ("failed", 1, "provider_key_refused")
    assert (await integration(service, org, "bland")).status == "failing"
