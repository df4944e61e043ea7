"""Refuses the requests of a flood before a task is made for them, with what the layers would have answered.

Most of what a refused request costs are the layers around the refusal; at ten times the capacity they would take the
time of those who have a place. Only what needs nothing but the route and the organization of a known credential is
refused here. Anything else goes through the layers, which come to the same answer.
"""

import time
from typing import Any

from gateway.http.problems import MEDIA_TYPE, problem_document, refusal_of
from gateway.http.responses import encode_json
from gateway.http.routing import RouteTable
from gateway.middleware.admission import Lanes, overloaded
from gateway.middleware.security_headers import security_headers
from gateway.middleware.telemetry import Telemetry
from libs.http.response_cycle import header_lines
from libs.ids import new_id

_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
# Fields for which a layer outside admission answers something else: a name of the request, a browser's page elsewhere.
_SEEN_BY_LAYERS = frozenset((b"origin", b"x-request-id", b"traceparent"))
# Fields of which one names the organization, and one that may name another than the credential.
_CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"cookie"))
_ORGANIZATION = b"x-organization-id"
# Bytes of a field that is read. A browser sends all cookies of a host in one.
_LONGEST = 1_024
# A write by cookie may be refused as a forgery.
_SEEN_OF_WRITES = _SEEN_BY_LAYERS | {b"cookie"}


class QuickRefusals:
    """`over_tls` as for SecurityHeaders, `cookie_name` as for Authentication."""

    def __init__(
        self, lanes: Lanes, table: RouteTable, telemetry: Telemetry, *, over_tls: bool, cookie_name: str
    ) -> None:
        self._lanes = lanes
        self._table = table
        self._telemetry = telemetry
        self._cookie_name = cookie_name.encode()
        self._fixed = header_lines((*security_headers(over_tls), (b"content-type", MEDIA_TYPE.encode())))

    def answer_now(self, scope: Any) -> tuple[int, bytes, bytes] | None:
        """The status, the lines of the head and the body of a 503, or None: the layers must see the request."""
        lanes = self._lanes
        if not lanes.organizations.is_full or scope["method"] not in _METHODS or b"%" in scope["raw_path"]:
            return None
        started = time.perf_counter()
        organization = lanes.organization_of(shown_secret(scope, self._cookie_name))
        if not organization or lanes.organizations.has_place(organization):
            return None
        match = self._table.match(scope["method"], scope["path"])
        if match.route is None or match.route.public or match.route.deprecated is not None:
            return None
        lane = lanes.of(match.route, known=True)
        seen = _SEEN_BY_LAYERS if scope["method"] == "GET" else _SEEN_OF_WRITES
        if lane is not lanes.organizations or any(name in seen for name, _ in scope["headers"]):
            return None
        lanes.count(lane)
        self._telemetry.record(started, scope["method"], match.template, 503, logged=False)
        return 503, *self._answer(scope["path"])

    def _answer(self, path: str) -> tuple[bytes, bytes]:
        refusal, request_id = refusal_of(overloaded()), new_id("req")
        body = encode_json(problem_document(refusal, path, request_id))
        own = [(b"x-request-id", request_id), (b"content-length", str(len(body)))]
        fields = (*own, *((name.encode(), value) for name, value in refusal.headers(signed_in=True).items()))
        return self._fixed + header_lines([(name, value.encode()) for name, value in fields]), body


def shown_secret(scope: Any, cookie_name: bytes) -> str:
    """The secret of the one field of the request's head that has a credential, as authentication reads it. Empty where
    anything else may name the organization."""
    field, found = b"", b""
    for name, value in scope["headers"]:
        if name in _CREDENTIALS:
            if found:
                return ""
            field, found = name, value
        elif name == _ORGANIZATION:
            return ""
    if len(found) > _LONGEST:
        return ""
    if field == b"authorization":
        scheme, _, found = found.partition(b" ")
        found = found if scheme.lower() == b"bearer" else b""
    elif field == b"cookie":
        pairs = (pair.partition(b"=") for pair in reversed(found.split(b";")))
        found = next((value for name, sign, value in pairs if sign and name.strip() == cookie_name), b"")
    return found.strip().decode("latin-1")
