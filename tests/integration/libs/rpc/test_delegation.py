"""For which organization a service acts: only what a request or a running job shows."""

from __future__ import annotations

import uuid
from types import ModuleType
from typing import Any

import pytest

from echosenseix.jobs.v1 import jobs_pb2
from libs.context import job_proof
from libs.errors import NotFound, PermissionDenied, Unauthenticated
from libs.rpc.channel import open_channel
from libs.rpc.context import CallContext, serving
from libs.rpc.delegation import Delegations
from libs.rpc.principal import Principal, PrincipalMinter, service_principal

from google.protobuf.wrappers_pb2 import StringValue  # isort: skip

OWNER = Principal(org_id="org_1", user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer="gateway")
LEASE = str(uuid.uuid4())


async def confirm(request: jobs_pb2.ConfirmJobRequest) -> jobs_pb2.ConfirmJobResponse:
    if (request.job_id, request.lease) != ("job_1", LEASE):
        raise NotFound("job_not_found", "No worker holds this job by this lease.")
    return jobs_pb2.ConfirmJobResponse(organization_id="org_1")


@pytest.fixture
def ask(echo_module: ModuleType, echo: Any, address: str, agent: PrincipalMinter) -> Any:
    """`await ask(on_behalf_of, org)`: the agent service calls the echo service, which requires a delegation."""

    async def call(on_behalf_of: str, org: str) -> str:
        delegations = Delegations({"agent": confirm})

        async def act() -> str:
            await delegations.require(org)
            return "done"

        echo.acts["act"] = act
        async with open_channel(address, audience="echo", minter=agent) as channel:
            with serving(CallContext(on_behalf_of=on_behalf_of)):
                return str((await echo_module.EchoStub(channel).say(StringValue(value="act"))).value)

    return call


async def test_a_services_own_key_acts_for_no_organization(ask: Any) -> None:
    with pytest.raises(PermissionDenied) as refusal:
        await ask("", "org_1")
    assert refusal.value.reason == "delegation_required"


async def test_the_users_principal_which_this_service_was_given_acts_for_its_organization(
    ask: Any, gateway: PrincipalMinter
) -> None:
    token = gateway.mint(OWNER, "agent")
    assert await ask(token, "org_1") == "done"
    with pytest.raises(PermissionDenied):
        await ask(token, "org_2")


async def test_a_principal_given_to_another_service_or_made_by_a_service_is_worth_nothing(
    ask: Any, gateway: PrincipalMinter, agent: PrincipalMinter
) -> None:
    own = agent.mint(Principal(org_id="org_1", role="service", issuer="agent"), "agent")
    for token in (gateway.mint(OWNER, "billing"), gateway.mint(OWNER, "echo"), own, "nonsense"):
        with pytest.raises(Unauthenticated):
            await ask(token, "org_1")
    with pytest.raises(Unauthenticated):
        await ask(agent.mint(service_principal("agent"), "agent"), "org_1")


async def test_a_running_job_acts_for_its_organization_alone(ask: Any) -> None:
    assert await ask(job_proof("job_1", LEASE), "org_1") == "done"
    for proof, org in (
        (job_proof("job_1", LEASE), "org_2"),
        (job_proof("job_1", str(uuid.uuid4())), "org_1"),
        (job_proof("job_2", LEASE), "org_1"),
        (job_proof("job_1", ""), "org_1"),
        ("job ", "org_1"),
        (job_proof("job_1", LEASE), ""),
    ):
        with pytest.raises(PermissionDenied):
            await ask(proof, org)


async def test_a_service_passes_the_token_of_the_request_that_it_serves_on(
    echo_module: ModuleType, echo: Any, address: str, gateway: PrincipalMinter
) -> None:
    from libs.rpc.context import current_call

    seen: list[str] = []

    async def look() -> None:
        seen.append(current_call().on_behalf_of)

    echo.acts["look"] = look
    async with open_channel(address, audience="echo", minter=gateway) as channel:
        with serving(CallContext(), OWNER):
            await echo_module.EchoStub(channel).say(StringValue(value="look"))
    assert seen == [gateway.mint(OWNER, "echo")]
