"""The gRPC server of a service: its limits, health and reflection, and the interceptor that every method runs under.

It must not know any method's meaning. Health answers without a principal; reflection is left out in production.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from libs.config import ServiceSettings
from libs.rpc.callers import MethodAccess, declared_access
from libs.rpc.inbound import Places
from libs.rpc.interceptor import CallInterceptor, Gate
from libs.rpc.principal import PrincipalVerifier
from libs.rpc.tls import server_credentials

# Bytes of a message. A page of 200 rows and a provider's report of 4 MiB fit.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024

# so_reuseport=0: a second process on a taken port must fail, not share it. The ages let load move to new replicas.
_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

Adder = Callable[[Any, Any], None]


class RpcServer:
    """Serves `servicers` (pairs of the generated add_…_to_server and the servicer) for one audience, the service's
    name. Who may call is declared in the protos; `access` says it for methods that are in none."""

    def __init__(
        self,
        settings: ServiceSettings,
        audience: str,
        servicers: Iterable[tuple[Adder, object]],
        *,
        access: Mapping[str, MethodAccess] | None = None,
    ) -> None:
        allowed = dict(access or {})
        verifier = PrincipalVerifier(settings.principal_trusted_keys)
        self.trust = verifier.replace
        interceptor = CallInterceptor(Gate(verifier, audience, allowed), Places(settings.rpc_places))
        self._address = settings.grpc_address
        self._credentials = server_credentials(settings)
        self._server = grpc.aio.server(interceptors=[interceptor], options=_OPTIONS)
        self._health = health.HealthServicer()
        self._stopping: asyncio.Task[None] | None = None
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        registrar = _Registrar(self._server)
        for add, servicer in servicers:
            add(servicer, registrar)
        said = {method.split("/")[1] for method in allowed}
        allowed.update(declared_access(name for name in registrar.service_names if name not in said))
        if not settings.production:
            _add_reflection(self._server, registrar.service_names)

    async def start(self) -> str:
        """Listen and report SERVING; answers the address with the port that was taken."""
        host, _, _ = self._address.rpartition(":")
        if self._credentials is None:
            port = self._server.add_insecure_port(self._address)
        else:
            port = self._server.add_secure_port(self._address, self._credentials)
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        return f"{host}:{port}"

    async def stop(self, grace: float) -> None:
        """Report NOT_SERVING, refuse new calls, give running ones `grace` seconds, then cancel them. Called again, it
        waits for the same end: grpc.aio does not bear two at once."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace))
        await asyncio.shield(self._stopping)

    async def _stop(self, grace: float) -> None:
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)


class _Registrar:
    """Passes registrations on and notes the names of the services, which reflection wants."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self.service_names: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        self.service_names.append(service)
        self._server.add_registered_method_handlers(service, handlers)


def _add_reflection(server: grpc.aio.Server, names: Sequence[str]) -> None:
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection((*names, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
