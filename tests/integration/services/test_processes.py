"""Identity and agent as processes: migrate twice, serve, work, answer over gRPC, obey SIGTERM."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from echosenseix.agent.v1 import agent_pb2, agent_pb2_grpc
from echosenseix.common.v1 import common_pb2, common_pb2_grpc
from echosenseix.identity.v1 import identity_pb2, identity_pb2_grpc
from libs.errors import InvalidArgument, PermissionDenied, Unauthenticated
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import acting_as
from libs.rpc.principal import ROLE_GATEWAY, Principal, PrincipalMinter
from local.runner.keys import Keys
from local.stores import Stores, run_sql

from .processes import run_command, running

NOBODY = Principal(role=ROLE_GATEWAY, issuer="gateway")
OWNER = Principal(org_id="org_1", user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer="gateway")


async def identity_answers(channel: RpcChannel) -> None:
    stub = identity_pb2_grpc.IdentityServiceStub(channel)
    with acting_as(NOBODY):
        request = identity_pb2.RegisterRequest(
            email="ada@example.com", password="correct horse", organization_name="Engines"
        )
        await stub.Register(request)
        login = await stub.Login(identity_pb2.LoginRequest(email="ada@example.com", password="correct horse"))
        caller = await stub.Authenticate(identity_pb2.AuthenticateRequest(session_token=login.token))
        assert caller.user_id == login.user.id
        with pytest.raises(Unauthenticated):
            await stub.Authenticate(identity_pb2.AuthenticateRequest(api_key="esx_test_nonsense"))
        with pytest.raises(PermissionDenied):
            await stub.GetOrganization(identity_pb2.GetOrganizationRequest())


async def agent_answers(channel: RpcChannel) -> None:
    stub = agent_pb2_grpc.AgentServiceStub(channel)
    with acting_as(OWNER):
        made = await stub.CreateAgent(agent_pb2.CreateAgentRequest(agent=agent_pb2.Agent(display_name="Support")))
        assert (await stub.GetAgent(agent_pb2.GetAgentRequest(id=made.agent.id))).agent == made.agent
        with pytest.raises(InvalidArgument) as refusal:
            await stub.CreateAgent(agent_pb2.CreateAgentRequest())
        assert [found.pointer for found in refusal.value.violations] == ["#/name"]
    with acting_as(NOBODY), pytest.raises(PermissionDenied):
        await stub.ListAgents(agent_pb2.ListAgentsRequest())


@pytest.mark.parametrize(("service", "answers"), [("identity", identity_answers), ("agent", agent_answers)])
async def test_a_service_runs_as_its_processes(
    service: str,
    answers: Callable[..., object],
    stores: Stores,
    keys: Keys,
    service_environment: Callable[[str, str], dict[str, str]],
) -> None:
    database = f"{service}_process"
    run_sql(stores.postgres_admin_dsn, f"create database {database}")
    environment = service_environment(service, database)
    assert run_command(service, "migrate", environment) == 0
    assert run_command(service, "migrate", environment) == 0
    with running(service, "serve", environment) as addresses, running(service, "work", environment):
        channel = open_channel(addresses["grpc"], audience=service, minter=PrincipalMinter(keys.signing_key("gateway")))
        await answers(channel)  # type: ignore[misc]
        with acting_as(NOBODY):
            status = await common_pb2_grpc.StatusServiceStub(channel).GetStatus(common_pb2.GetStatusRequest())
        assert (status.service, status.database_connected, status.redis_connected) == (service, True, True)
        assert status.queue_connected
        await channel.close()
    run_sql(stores.postgres_admin_dsn, f"drop database {database} with (force)")
