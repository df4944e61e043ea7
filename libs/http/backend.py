"""The network under the outbound client: vet every address a name resolves to, then connect to that very address.

A name is resolved once for each connection, so that a second answer of the name server cannot lead it elsewhere.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import httpcore

from libs.http.addresses import AllowedAddress, Resolve, is_public


async def system_resolve(host: str, port: int) -> list[str]:
    """What the system's resolver answers, each address once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class ForbiddenAddress(Exception):
    """The name resolves to an address that is not public; nothing was connected."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses and to what is allowed; refuses unix sockets."""

    def __init__(self, allowed: tuple[AllowedAddress, ...], resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's interface)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in await self._vetted(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise ForbiddenAddress("unix sockets are not public")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _vetted(self, host: str, port: int) -> list[str]:
        """The addresses of the host; ForbiddenAddress as soon as one of them is not public."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the name does not resolve") from None
        if any(entry.covers(host, port) for entry in self._allowed):
            return addresses
        for address in addresses:
            if not is_public(ip_address(address)) and not self._allows(address, port):
                raise ForbiddenAddress("the address is not public")
        return addresses

    def _allows(self, address: str, port: int) -> bool:
        return any(entry.covers(address, port) for entry in self._allowed)
