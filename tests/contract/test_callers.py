"""Every RPC of every service says who may call it, and its server holds callers to that."""

from __future__ import annotations

import base64
import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from libs.config import ServiceSettings
from libs.rpc.callers import MethodAccess, declared_access
from libs.rpc.principal import GATEWAY, Grants, Principal, PrincipalMinter, service_principal
from libs.rpc.server import RpcServer
from suite.services import SERVICES

PROTOS = Path(__file__).resolve().parents[2] / "protos" / "echosenseix"
ISSUERS = (GATEWAY, *SERVICES)
LIMITED = Principal(
    org_id="org_1", user_id="usr_2", role="member", scopes=frozenset({"*"}), issuer=GATEWAY, grants=Grants()
)
OWNER = Principal(org_id="org_1", user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer=GATEWAY)


def services() -> Iterator[ServiceDescriptor]:
    """Of all committed .proto files."""
    for file in sorted(PROTOS.glob("*/v1/*.proto")):
        module = importlib.import_module(f"echosenseix.{file.parts[-3]}.v1.{file.stem}_pb2")
        yield from module.DESCRIPTOR.services_by_name.values()


def methods() -> dict[str, MethodDescriptor]:
    return {f"/{service.full_name}/{method.name}": method for service in services() for method in service.methods}


def declared() -> dict[str, MethodAccess]:
    return declared_access(service.full_name for service in services())


def minter(issuer: str) -> PrincipalMinter:
    return PrincipalMinter(f"{issuer}={base64.b64encode(issuer.encode().ljust(32)).decode()}")


def test_every_rpc_names_its_callers_and_only_known_ones() -> None:
    found = declared()
    assert found.keys() == methods().keys()
    assert len(found) > 80
    for method, access in found.items():
        assert access.callers, method
        assert access.callers <= set(ISSUERS), method
        assert GATEWAY in access.callers or not access.before_login, method


def test_no_service_but_the_two_that_need_it_calls_another() -> None:
    """A new line here is a new trust between two services: name the reason beside the RPC."""
    between = {(caller, method) for method, access in declared().items() for caller in access.callers - {GATEWAY}}
    assert between == {
        ("calllog", "/echosenseix.agent.v1.AgentService/ResolveExternalAgent"),
        ("calllog", "/echosenseix.agent.v1.IntegrationService/GetWebhookSecrets"),
        ("calllog", "/echosenseix.agent.v1.IntegrationService/ResolveWebhookAgent"),
        ("calllog", "/echosenseix.agent.v1.IntegrationService/GetProviderCredentials"),
        ("billing", "/echosenseix.calllog.v1.CallLogService/ListBillableCalls"),
        ("agent", "/echosenseix.jobs.v1.JobsService/ConfirmJob"),
    }


# A new line here is a promise: the method gives a caller with grants nothing of any other resource.
HONORING = {
    "agent.v1.AgentService": "DeleteAgent GetAgent GetAgentVersion ListAgentVersions ListAgents PublishAgent "
    "UpdateAgent",
    "calllog.v1.CallLogService": "DownloadRecording GetAnalyticsTimeseries GetCall GetOrganizationAnalytics "
    "GetTranscription ListCalls UpdateCall",
    "calllog.v1.LiveCallService": "AcknowledgeCallCommand AppendTurns BeginCall CreateCallCommand EndCall "
    "GetCallCommand ListCallCommands",
    "realtime.v1.RealtimeService": "CreateConnectionToken ListEvents",
    # What is the user's own: no resource of the organization is in it.
    "realtime.v1.NotificationService": "GetNotifications UpdateNotifications",
    "identity.v1.IdentityService": "GetCurrentUser GetOrganization ListSessions Logout RevokeOtherSessions "
    "RevokeSession RotateSession",
    "identity.v1.AccountService": "BeginSecondFactor ChangePassword ConfirmEmailChange ConfirmSecondFactor "
    "DisableSecondFactor GetSecondFactor ListMemberships ListOpenIdLinks ReplaceRecoveryCodes RequestEmailChange "
    "SwitchOrganization UpdateOpenIdLink",
}


def test_the_methods_that_let_limited_callers_in_are_these() -> None:
    expected = {f"/echosenseix.{service}/{name}" for service, names in HONORING.items() for name in names.split()}
    assert {method for method, access in declared().items() if access.honors_grants} == expected


async def test_every_other_rpc_refuses_a_caller_with_grants() -> None:
    gateway = minter(GATEWAY)
    settings = ServiceSettings(principal_trusted_keys=(gateway.public_key(),))
    server = RpcServer(settings, "everything", [(_add, Everything(service)) for service in services()])
    token, wrong = gateway.mint(LIMITED, "everything"), []
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        for path, method in methods().items():
            status, detail = await _status(channel, path, method, token)
            let_in = declared()[path].honors_grants
            if GATEWAY in declared()[path].callers and (status == "OK", "limited" in detail) != (let_in, not let_in):
                wrong.append((path, status, detail))
    await server.stop(0)
    assert wrong == []


def test_an_rpc_without_callers_is_refused_before_a_server_starts() -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto(name="undeclared.proto", package="undeclared", syntax="proto3")
    file.message_type.add(name="Nothing")
    file.service.add(name="Open").method.add(
        name="Do", input_type=".undeclared.Nothing", output_type=".undeclared.Nothing"
    )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    with pytest.raises(ValueError, match=r"/undeclared\.Open/Do"):
        declared_access(["undeclared.Open"])


class Everything:
    """Answers every method with an empty message."""

    def __init__(self, service: ServiceDescriptor) -> None:
        self._service = service

    def handlers(self) -> dict[str, Any]:
        return {method.name: _handler(method) for method in self._service.methods}


def _handler(method: MethodDescriptor) -> Any:
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

    async def one(_request: Any, _context: Any) -> Any:
        return response()

    async def many(_request: Any, _context: Any) -> AsyncIterator[Any]:
        yield response()

    left = "stream" if method.client_streaming else "unary"
    right = "stream" if method.server_streaming else "unary"
    return getattr(grpc, f"{left}_{right}_rpc_method_handler")(
        many if method.server_streaming else one,
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )


def _add(everything: Everything, server: Any) -> None:
    name = everything._service.full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, everything.handlers()),))
    server.add_registered_method_handlers(name, everything.handlers())


async def _status(channel: grpc.aio.Channel, path: str, method: MethodDescriptor, token: str) -> tuple[str, str]:
    """The status and the detail of one call with an empty request."""
    left = "stream" if method.client_streaming else "unary"
    right = "stream" if method.server_streaming else "unary"
    call: Any = getattr(channel, f"{left}_{right}")(path)
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    running = call(iter([b""]) if method.client_streaming else b"", metadata=metadata)
    try:
        if method.server_streaming:
            async for _ in running:
                pass
        else:
            await running
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


async def test_every_rpc_lets_its_callers_in_and_no_other() -> None:
    """All methods of all services on one server, each called by every process kind with a genuine key."""
    minters = {issuer: minter(issuer) for issuer in ISSUERS}
    settings = ServiceSettings(principal_trusted_keys=tuple(each.public_key() for each in minters.values()))
    server = RpcServer(settings, "everything", [(_add, Everything(service)) for service in services()])
    address = await server.start()
    tokens = {issuer: each.mint(service_principal(issuer), "everything") for issuer, each in minters.items()}
    owner = minters[GATEWAY].mint(OWNER, "everything")
    anonymous = minters[GATEWAY].mint(Principal(role="gateway", issuer=GATEWAY), "everything")
    wrong = []
    async with grpc.aio.insecure_channel(address) as channel:
        for path, method in methods().items():
            access = declared()[path]
            for issuer, token in tokens.items():
                status, detail = await _status(channel, path, method, token)
                expected = "OK" if issuer in access.callers else "PERMISSION_DENIED"
                if status != expected or (status != "OK" and "may not call this method" not in detail):
                    wrong.append((path, issuer, status, detail))
            status, detail = await _status(channel, path, method, "")
            if status != "UNAUTHENTICATED":
                wrong.append((path, "no one", status, detail))
            for token, may in ((owner, GATEWAY in access.callers), (anonymous, access.before_login)):
                status, detail = await _status(channel, path, method, token)
                if status != ("OK" if may else "PERMISSION_DENIED"):
                    wrong.append((path, "gateway for someone", status, detail))
    await server.stop(0)
    assert wrong == []
