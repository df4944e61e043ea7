"""Sessions and API keys. No message here has a place for a hash."""

from __future__ import annotations

from echosenseix.identity.v1 import identity_pb2
from libs.rpc.times import to_timestamp
from services.identity.domain.credentials import ApiKey, Session
from services.identity.domain.user_agents import device_of, network_of


def session_to_proto(session: Session, current_id: str) -> identity_pb2.Session:
    return identity_pb2.Session(
        id=session.id,
        user_id=session.user_id,
        ip_address=session.ip_address,
        user_agent=session.user_agent,
        create_time=to_timestamp(session.created_at),
        last_seen_time=to_timestamp(session.last_seen_at),
        expire_time=to_timestamp(session.expires_at),
        current=session.id == current_id,
        device=device_of(session.user_agent),
        network=network_of(session.ip_address),
    )


def api_key_to_proto(key: ApiKey) -> identity_pb2.ApiKey:
    return identity_pb2.ApiKey(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        created_by=key.created_by,
        create_time=to_timestamp(key.created_at),
        expire_time=to_timestamp(key.expires_at),
        last_used_time=to_timestamp(key.last_used_at),
        revoke_time=to_timestamp(key.revoked_at),
        version=key.version,
    )
