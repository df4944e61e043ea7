"""Accounts at providers. Credentials are write-only."""

from typing import Annotated, Literal

from msgspec import Meta

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http.schema import SORT, Answer, Body, ListQuery, limits
from gateway.http.wire import time_to_json
from providers.registry import PROVIDERS

Secret = Annotated[str, limits(maxLength=1000)]


class Integration(Answer):
    id: str
    provider: str
    status: str
    api_key_last4: str | None
    api_key_fingerprint: str | None
    webhook_secret_set: bool
    webhook_url: str | None
    last_sync_at: str | None
    last_sync_error: str | None
    version: int
    created_at: str | None
    updated_at: str | None


class CredentialsBody(Body):
    """Fields that are left out keep their stored values."""

    api_key: Secret | None = None
    webhook_secret: Secret | None = None
    base_url: Annotated[str, Meta(min_length=1), limits(maxLength=2000, format="uri")] | None = None


class IntegrationBody(Body):
    credentials: CredentialsBody


class IntegrationQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "provider"], SORT] | None = None


class SyncStarted(Answer):
    job_id: str
    status: str


def integration_from_proto(integration: pb.Integration, public_url: str) -> Integration:
    provider = PROVIDERS.get(integration.provider)
    return Integration(
        id=integration.id,
        provider=integration.provider,
        status=integration.status,
        api_key_last4=integration.api_key_last4 or None,
        api_key_fingerprint=integration.api_key_fingerprint or None,
        webhook_secret_set=integration.webhook_secret_set,
        webhook_url=provider.webhook.address(public_url, integration.webhook_token) if provider else None,
        last_sync_at=time_to_json(integration.last_sync_time),
        last_sync_error=integration.last_sync_error or None,
        version=integration.version,
        created_at=time_to_json(integration.create_time),
        updated_at=time_to_json(integration.update_time),
    )
