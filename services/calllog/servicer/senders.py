"""Whose webhook a delivery came to, and whether its signature proves the sender.

The secrets come from the agent service and stay in this process's memory for at most KEPT_SECONDS. They are never
logged, stored, or put into Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Protocol

from echosenseix.agent.v1 import agent_pb2
from libs.cache import Memory
from libs.cache.spec import tag_of
from libs.clock import Clock
from libs.errors import NotFound, Unauthenticated, Unavailable
from libs.spool import Spool
from providers.interface.credentials import WebhookSecret, valid_at
from providers.interface.provider import Provider
from providers.registry import PROVIDERS
from services.calllog.domain.calls import ServedBy

# Seconds that secrets and agents are used without asking again. A message over NATS drops them as soon as they change;
# where it is lost, a removed account is served for so long, and a call names the agent's version of before. Longer:
# fewer calls to the agent service.
KEPT_SECONDS = 10.0
# Accounts in memory. More: fewer calls where more accounts than this deliver within KEPT_SECONDS.
MAX_ACCOUNTS = 10_000


class AgentService(Protocol):
    """What is asked of the agent service, as its stub has it."""

    def GetWebhookSecrets(
        self, request: agent_pb2.GetWebhookSecretsRequest, /
    ) -> Awaitable[agent_pb2.GetWebhookSecretsResponse]: ...

    def ResolveWebhookAgent(
        self, request: agent_pb2.ResolveWebhookAgentRequest, /
    ) -> Awaitable[agent_pb2.ResolveWebhookAgentResponse]: ...


@dataclass(frozen=True, slots=True)
class Account:
    """An organization's account at a provider; `token` is its webhook's."""

    org_id: str
    token: str
    provider: Provider
    secrets: tuple[WebhookSecret, ...]


class Senders:
    """The accounts of recent deliveries. `on_message` hears what the agent service changed."""

    def __init__(self, agent_service: AgentService, clock: Clock) -> None:
        self._agent_service = agent_service
        self._clock = clock
        self._accounts: Memory[tuple[str, str], Account] = Memory("webhook_accounts", max_entries=MAX_ACCOUNTS)
        # By organization, provider and the provider's id of the agent. One that is not known is asked for each time.
        self._agents: Memory[tuple[str, str, str], ServedBy] = Memory("webhook_agents", max_entries=MAX_ACCOUNTS)
        self._changes = 0

    def on_message(self, subject: str, data: bytes) -> None:
        """Forget the accounts of organizations whose integrations changed, and the agents of those whose agents did."""
        tags = set(data.decode().split("\n"))
        self._changes += 1
        self._accounts.pop_where(lambda _, account: tag_of("integration", account.org_id) in tags)
        self._agents.pop_where(lambda key, _: tag_of("agent", key[0]) in tags)

    async def account(self, provider: str, token: str) -> Account:
        """The account that the webhook belongs to; NotFound("webhook_unknown")."""
        known = self._accounts.get((provider, token))
        return known or await self._load(provider, token)

    async def check(self, account: Account, proof_headers: Mapping[str, str], body: bytes | Spool) -> None:
        """Unauthenticated unless the sender of the body has one of the account's secrets. What was kept is asked for
        once more before a delivery is refused, because a new secret may be signed with at once."""
        if await self._proves(account, proof_headers, body):
            return
        fresh = await self._load(account.provider.name, account.token)
        if not valid_at(fresh.secrets, self._clock.now()):
            raise Unavailable("webhook_secret_unset", "Set the webhook's secret at the integration first.")
        if fresh == account or not await self._proves(fresh, proof_headers, body):
            detail = "The signature is missing, wrong or too far from now."
            raise Unauthenticated("webhook_signature_invalid", detail)

    async def served_by(self, account: Account, external_agent_id: str) -> ServedBy:
        """The agent tied to the provider's id, empty when there is none; raises when it cannot be asked for."""
        if not external_agent_id:
            return ServedBy()
        key = account.org_id, account.provider.name, external_agent_id
        if (known := self._agents.get(key)) is not None:
            return known
        changes = self._changes
        request = agent_pb2.ResolveWebhookAgentRequest(
            provider=account.provider.name, webhook_token=account.token, external_agent_id=external_agent_id
        )
        try:
            found = await self._agent_service.ResolveWebhookAgent(request)
        except NotFound:
            return ServedBy()
        served_by = ServedBy(found.agent_id, found.published_version)
        if changes == self._changes:
            self._agents.put(key, served_by, KEPT_SECONDS)
        return served_by

    async def _proves(self, account: Account, proof_headers: Mapping[str, str], body: bytes | Spool) -> bool:
        now = self._clock.now()
        secrets, verify = valid_at(account.secrets, now), account.provider.webhook.verify
        if not secrets:
            return False
        if isinstance(body, bytes):
            return verify(secrets, proof_headers, (body,), now)
        return await asyncio.to_thread(verify, secrets, proof_headers, body, now)

    async def _load(self, provider: str, token: str) -> Account:
        changes = self._changes
        request = agent_pb2.GetWebhookSecretsRequest(provider=provider, webhook_token=token)
        answer = await self._agent_service.GetWebhookSecrets(request)
        known = PROVIDERS.get(provider)
        if known is None:  # the agent service is of a newer release than this one
            raise NotFound("webhook_unknown", "No webhook is registered at this address.")
        account = Account(answer.organization_id, token, known, tuple(map(_secret, answer.secrets)))
        if changes == self._changes:
            self._accounts.put((provider, token), account, KEPT_SECONDS)
        return account


def _secret(message: agent_pb2.WebhookSecret) -> WebhookSecret:
    until = message.expire_time.ToDatetime(UTC) if message.HasField("expire_time") else None
    return WebhookSecret(message.value, until)
