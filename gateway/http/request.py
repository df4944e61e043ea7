"""One call of a handler: the parsed request on one side, the ways to answer on the other.

A handler reads path, query and body from it, asks a stub, and returns one of its responses. It must not know any
resource.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive

from echosenseix.common.v1 import common_pb2
from gateway.http import conditional, lists, responses
from gateway.http.exchange import Exchange
from libs.errors import FailedPrecondition, Unauthenticated
from libs.rpc.principal import Principal

if TYPE_CHECKING:
    from gateway.clients import Clients
    from gateway.config import GatewaySettings
    from gateway.edge import Edge

Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B", bound=msgspec.Struct)
M = TypeVar("M")


class Call(Generic[Q, B]):
    """What a handler gets."""

    __slots__ = (
        "asked",
        "body",
        "client_address",
        "edge",
        "exchange",
        "method",
        "params",
        "path",
        "query",
        "raw",
        "receive",
    )

    # The JSON body decoded, and its bytes; of a multipart route neither: the handler reads `receive` itself.
    body: B
    raw: bytes

    def __init__(
        self,
        *,
        method: str,
        path: str,
        params: Mapping[str, str],
        asked: Mapping[str, str],
        query: Q,
        exchange: Exchange,
        receive: Receive,
        client_address: str,
        edge: "Edge",
    ) -> None:
        self.method = method
        self.path = path
        self.params = params
        self.asked = asked
        self.query = query
        self.exchange = exchange
        self.receive = receive
        self.client_address = client_address
        self.edge = edge
        self.raw = b""

    @property
    def clients(self) -> "Clients":
        """The stubs."""
        return self.edge.clients

    @property
    def settings(self) -> "GatewaySettings":
        """What the gateway was told."""
        return self.edge.settings

    def forget(self, revoked_id: str) -> None:
        """Ask identity again about the session or API key of this id: it was just revoked here."""
        self.edge.principals.forget(revoked_id)

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.params["id"]

    @property
    def principal(self) -> Principal:
        """Who calls."""
        if self.exchange.principal is None:
            raise Unauthenticated("unauthenticated", "Sign in, or send an API key.")
        return self.exchange.principal

    @property
    def expected_version(self) -> int | None:
        """The version that If-Match insists on."""
        return conditional.expected_version(self.exchange.header(b"if-match"))

    def require_version(self, version: int) -> None:
        """Refuse (412) unless the resource's version is the one that If-Match names."""
        if not conditional.is_met(self.exchange.header(b"if-match"), version):
            raise stale_version()

    def ok(self, value: Any, status: int = 200) -> Response:
        """A plain answer."""
        return responses.json_response(value, status)

    def resource(self, value: Any, version: int) -> Response:
        """A resource with its tag: 304 for a reader who has it, 412 for one who insists on another."""
        if self.method in ("GET", "HEAD"):
            self.require_version(version)
            if conditional.is_unchanged(self.exchange.header(b"if-none-match"), version):
                return responses.not_modified(version)
        return responses.json_response(value, version=version)

    def current(self, value: Any, version: int) -> Response:
        """A resource that moves between its versions (when it was last used): its tag serves If-Match alone, and
        every reader is told in full."""
        if self.method in ("GET", "HEAD"):
            self.require_version(version)
        return responses.json_response(value, version=version)

    def created(self, value: Any, location: str, version: int | None = None) -> Response:
        """A new resource and where it is."""
        return responses.json_response(value, 201, version=version, location=location)

    def accepted(self, value: Any, job_id: str) -> Response:
        """Work that goes on in a job."""
        return responses.json_response(value, 202, location=f"/api/jobs/{job_id}")

    def no_content(self) -> Response:
        """Done."""
        return responses.no_content()

    @staticmethod
    def words(text: str | None) -> list[str]:
        """The parts of a comma list."""
        return [part.strip() for part in text.split(",") if part.strip()] if text else []

    def page_request(self) -> common_pb2.PageRequest:
        """The part of the list that the query asks for."""
        return lists.page_request(self.query)  # type: ignore[arg-type]

    def page(self, messages: Iterable[M], info: common_pb2.PageInfo, row: Callable[[M], Any]) -> Response:
        """A list: the messages as rows, their envelope and links."""
        envelope = lists.list_answer([row(message) for message in messages], info)
        return self.list(envelope)

    def list(self, envelope: lists.ListAnswer) -> Response:
        """An envelope with its links."""
        link = lists.link_header(self.settings.public_url + self.path, self.asked, envelope)
        return responses.json_response(envelope, headers={"link": link})


def stale_version() -> FailedPrecondition:
    """The refusal of a stale If-Match; its reason makes it a 412."""
    return FailedPrecondition("stale_version", "The resource has changed since. Read it again and repeat the change.")
