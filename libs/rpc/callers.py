"""Who may call each method, as its .proto declares it: `option (echosenseix.common.v1.access)`, or that of its service.

See docs/adr/0025-callers-per-rpc.md. Which scope a user needs is the servicer's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from echosenseix.common.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """`callers` are issuers of principals: gateway, or a service's name. `before_login`: the gateway may call before
    anyone has logged in."""

    callers: frozenset[str]
    before_login: bool = False
    # It keeps to the grants of a principal that has some. Every other method refuses such a principal.
    honors_grants: bool = False


def declared_access(services: Iterable[str]) -> dict[str, MethodAccess]:
    """Full method name ("/package.Service/Method") -> who may call it; ValueError names the methods without any."""
    declared = {f"/{method.containing_service.full_name}/{method.name}": _of(method) for method in _methods(services)}
    missing = [name for name, access in declared.items() if not access.callers]
    if missing:
        raise ValueError("no option (echosenseix.common.v1.access) says who may call " + ", ".join(missing))
    return declared


def _methods(services: Iterable[str]) -> Iterator[MethodDescriptor]:
    pool = descriptor_pool.Default()
    for service in services:
        yield from pool.FindServiceByName(service).methods


def _of(method: MethodDescriptor) -> MethodAccess:
    own = method.GetOptions()
    if own.HasExtension(common_pb2.access):
        access = own.Extensions[common_pb2.access]
    else:
        access = method.containing_service.GetOptions().Extensions[common_pb2.access_of_all]
    return MethodAccess(frozenset(access.callers), access.before_login, own.Extensions[common_pb2.honors_grants])
