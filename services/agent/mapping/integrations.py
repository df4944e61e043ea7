"""Integrations and credentials."""

from __future__ import annotations

from echosenseix.agent.v1 import agent_pb2
from libs.rpc.times import to_timestamp
from providers.interface.credentials import Credentials, WebhookSecret
from services.agent.domain.integration import Integration


def integration_to_proto(integration: Integration) -> agent_pb2.Integration:
    return agent_pb2.Integration(
        id=integration.id,
        provider=integration.provider,
        status=integration.status.value,
        api_key_last4=integration.api_key_last4,
        api_key_fingerprint=integration.api_key_fingerprint,
        webhook_secret_set=integration.webhook_secret_set,
        webhook_token=integration.webhook_token,
        last_sync_time=to_timestamp(integration.last_sync_at),
        last_sync_error=integration.last_sync_error,
        version=integration.version,
        create_time=to_timestamp(integration.created_at),
        update_time=to_timestamp(integration.updated_at),
    )


def credentials_from_proto(message: agent_pb2.ProviderCredentials) -> Credentials:
    return Credentials(api_key=message.api_key, webhook_secret=message.webhook_secret, base_url=message.base_url)


def credentials_to_proto(credentials: Credentials) -> agent_pb2.ProviderCredentials:
    return agent_pb2.ProviderCredentials(
        api_key=credentials.api_key, webhook_secret=credentials.webhook_secret, base_url=credentials.base_url
    )


def webhook_secret_to_proto(secret: WebhookSecret) -> agent_pb2.WebhookSecret:
    return agent_pb2.WebhookSecret(value=secret.value, expire_time=to_timestamp(secret.valid_until))
