"""API keys: create, list, rotate, revoke. A secret is returned once and stored nowhere."""

from __future__ import annotations

from echosenseix.identity.v1 import identity_pb2
from libs.crypto import random_token
from libs.errors import PermissionDenied
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from libs.rpc.times import from_timestamp
from libs.rpc.versions import require_version
from services.identity.domain.credentials import (
    ApiKey,
    hashed,
    make_key,
    rotate_key,
)
from services.identity.domain.scopes import Role, check_grant, ranks_below
from services.identity.mapping.credentials import api_key_to_proto
from services.identity.mapping.events import api_key_event
from services.identity.storage.api_keys import KEY_LIST
from suite.credentials import write_key, write_prefix

from .parts import Methods, at_home


class ApiKeyMethods(Methods):
    async def CreateApiKey(
        self, request: identity_pb2.CreateApiKeyRequest, context: object
    ) -> identity_pb2.CreateApiKeyResponse:
        require_scope("members:write")
        principal, parts, now = at_home(), self._parts, self._parts.clock.now()
        prefix = write_prefix(parts.production, random_token())
        secret = write_key(prefix, random_token())
        asked = ApiKey(
            id=new_id("key"),
            org_id=principal.org_id,
            name=request.name,
            prefix=prefix,
            scopes=tuple(request.scopes),
            created_by=principal.user_id,
            created_at=now,
            expires_at=from_timestamp(request, "expire_time"),
            allowed_addresses=tuple(request.allowed_addresses),
            key_hash=hashed(secret),
        )
        key = make_key(asked, now)
        check_grant(key.scopes, principal.scopes)

        async def act(conn: Connection) -> identity_pb2.CreateApiKeyResponse:
            await parts.database.quotas.admit(conn, key.org_id, "api_keys", "ended_api_keys")
            await parts.api_keys.add(conn, key)
            await append(conn, api_key_event("api_key.created", key))
            return identity_pb2.CreateApiKeyResponse(api_key=api_key_to_proto(key), secret=secret)

        return await run_write(
            parts.database, key.org_id, act, identity_pb2.CreateApiKeyResponse, secret=True, resource_id=_key_id
        )

    async def GetApiKey(
        self, request: identity_pb2.GetApiKeyRequest, context: object
    ) -> identity_pb2.GetApiKeyResponse:
        principal = require_scope("members:read")
        key = await self._parts.api_keys.get(principal.org_id, request.id)
        return identity_pb2.GetApiKeyResponse(api_key=api_key_to_proto(key))

    async def ListApiKeys(
        self, request: identity_pb2.ListApiKeysRequest, context: object
    ) -> identity_pb2.ListApiKeysResponse:
        principal = require_scope("members:read")
        wanted = page_request_from_proto(request.page, KEY_LIST)
        page = await self._parts.api_keys.page(principal.org_id, wanted, request.include_revoked)
        return identity_pb2.ListApiKeysResponse(
            api_keys=map(api_key_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def RevokeApiKey(
        self, request: identity_pb2.RevokeApiKeyRequest, context: object
    ) -> identity_pb2.RevokeApiKeyResponse:
        org_id, parts = require_scope("members:write").org_id, self._parts

        async def act(conn: Connection) -> identity_pb2.RevokeApiKeyResponse:
            key = await parts.api_keys.lock(conn, org_id, request.id)
            require_version(request, key.version)
            check_grant(key.scopes, current_principal().scopes)
            if key.revoked_at is None:
                await parts.api_keys.revoke(conn, key, parts.clock.now())
                await append(conn, api_key_event("api_key.revoked", key))
            return identity_pb2.RevokeApiKeyResponse()

        return await run_write(parts.database, org_id, act, identity_pb2.RevokeApiKeyResponse)

    async def RotateApiKey(
        self, request: identity_pb2.RotateApiKeyRequest, context: object
    ) -> identity_pb2.RotateApiKeyResponse:
        """At home alone, as keys are made: the secret would outlive the caller's part in the agency."""
        principal, parts = require_scope("members:write"), self._parts
        at_home()
        org_id = principal.org_id

        async def act(conn: Connection) -> identity_pb2.RotateApiKeyResponse:
            key = await parts.api_keys.lock(conn, org_id, request.id)
            require_version(request, key.version)
            check_grant(key.scopes, principal.scopes)
            await self._check_creator(conn, key, principal)
            secret = write_key(key.prefix, random_token())
            rotated = rotate_key(key, secret, request.overlap_seconds, parts.clock.now())
            await parts.api_keys.save_secret(conn, rotated)
            await append(conn, api_key_event("api_key.rotated", rotated))
            return identity_pb2.RotateApiKeyResponse(api_key=api_key_to_proto(rotated), secret=secret)

        return await run_write(
            parts.database, org_id, act, identity_pb2.RotateApiKeyResponse, secret=True, resource_id=_key_id
        )

    async def _check_creator(self, conn: Connection, key: ApiKey, principal: Principal) -> None:
        """A key acts with its creator's current role, so its secret is given only to callers who rank as high."""
        creator = await self._parts.members.role(conn, key.org_id, key.created_by)
        if creator is None or ranks_below(Role(principal.role), creator):
            raise PermissionDenied("role_not_grantable", "The user who made this key has a higher role. Ask one of it.")


def _key_id(answer: identity_pb2.CreateApiKeyResponse | identity_pb2.RotateApiKeyResponse) -> str:
    """What a replay may still name, when the secret may not be shown again."""
    return answer.api_key.id
