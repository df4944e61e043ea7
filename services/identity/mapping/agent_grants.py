"""Grants of agents to and from protos."""

from __future__ import annotations

from echosenseix.identity.v1 import identity_pb2, members_pb2
from libs.errors import InvalidArgument, Violation
from libs.rpc.times import to_timestamp
from services.identity.domain.agent_grants import AgentAccess, AgentGrant

ACCESS: dict[AgentAccess, identity_pb2.AgentAccess.ValueType] = {
    AgentAccess.ALL: identity_pb2.AGENT_ACCESS_ALL,
    AgentAccess.GRANTED: identity_pb2.AGENT_ACCESS_GRANTED,
}
_ACCESS_OF: dict[int, AgentAccess] = {number: access for access, number in ACCESS.items()}


def access_from_proto(number: int) -> AgentAccess:
    """Raises with a violation for the unspecified number and for those that this release does not know."""
    access = _ACCESS_OF.get(number)
    if access is None:
        found = Violation("#/agentAccess", "required", "Must be all or granted.")
        raise InvalidArgument("validation_failed", "The grants are not valid.", violations=[found])
    return access


def grant_to_proto(grant: AgentGrant) -> members_pb2.AgentGrant:
    return members_pb2.AgentGrant(
        agent_id=grant.agent_id,
        writable=grant.writable,
        granted_by=grant.granted_by,
        create_time=to_timestamp(grant.created_at),
    )
