"""IntegrationService: accounts at providers, and what their webhooks are signed with."""

from __future__ import annotations

from dataclasses import replace

from echosenseix.agent.v1 import agent_pb2, agent_pb2_grpc
from libs.clock import Clock
from libs.crypto import random_token
from libs.errors import InvalidArgument, NotFound, Violation
from libs.events.outbox import append
from libs.http import forbidden_address
from libs.ids import new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope, require_service
from libs.rpc.delegation import Delegations
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.versions import require_version
from providers.registry import PROVIDERS
from services.agent.domain.integration import (
    Integration,
    IntegrationStatus,
    check_credentials,
    check_provider,
    connect,
    merge_credentials,
    reconnect,
)
from services.agent.mapping.events import integration_event
from services.agent.mapping.integrations import (
    credentials_from_proto,
    credentials_to_proto,
    integration_to_proto,
    webhook_secret_to_proto,
)
from services.agent.operations import enqueue_sync
from services.agent.storage.agents import Agents
from services.agent.storage.integrations import INTEGRATION_LIST, Integrations, OpenIntegration


class IntegrationServicer(agent_pb2_grpc.IntegrationServiceServicer):
    def __init__(
        self,
        database: Database,
        stored: Integrations,
        clock: Clock,
        outbound_allow: tuple[str, ...],
        delegations: Delegations,
        agents: Agents,
    ) -> None:
        self._agents = agents
        self._delegations = delegations
        self._database = database
        self._integrations = stored
        self._clock = clock
        self._outbound_allow = outbound_allow

    async def PutIntegration(
        self, request: agent_pb2.PutIntegrationRequest, context: object
    ) -> agent_pb2.PutIntegrationResponse:
        org_id = require_scope("integrations:write").org_id
        check_provider(request.provider)
        given = credentials_from_proto(request.credentials)
        check_credentials(given, first=False)
        # At the door, where the user can correct it; the client checks the resolved address again.
        self._refuse_inner_address(given.base_url)

        async def act(conn: Connection) -> agent_pb2.PutIntegrationResponse:
            integration = await self._put(conn, org_id, request)
            return agent_pb2.PutIntegrationResponse(integration=integration_to_proto(integration))

        return await run_write(self._database, org_id, act, agent_pb2.PutIntegrationResponse)

    async def _put(self, conn: Connection, org_id: str, request: agent_pb2.PutIntegrationRequest) -> Integration:
        given, now = credentials_from_proto(request.credentials), self._clock.now()
        known = await self._integrations.lock(conn, org_id, request.provider)
        if known is None:
            check_credentials(given, first=True)
            put, credentials = connect(new_id("int"), org_id, request.provider, random_token(), given, now), given
        else:
            credentials = merge_credentials(known.credentials, given, now)
            # The same credentials again: no version, no event, no sync.
            if credentials == known.credentials and known.integration.status is IntegrationStatus.CONNECTED:
                return known.integration
            put = reconnect(known.integration, credentials, now)
        await self._integrations.put(conn, put, credentials)
        await append(conn, integration_event("integration.updated", put))
        # A new key may open another account; the first sync is the user's to start.
        rekeyed = known is not None and put.api_key_fingerprint != known.integration.api_key_fingerprint
        if rekeyed and PROVIDERS[put.provider].list_agents is not None:
            await enqueue_sync(conn, org_id, put.provider)
        return put

    async def GetIntegration(
        self, request: agent_pb2.GetIntegrationRequest, context: object
    ) -> agent_pb2.GetIntegrationResponse:
        principal = require_scope("integrations:read")
        integration = await self._integrations.get(principal.org_id, request.provider)
        return agent_pb2.GetIntegrationResponse(integration=integration_to_proto(integration))

    async def ListIntegrations(
        self, request: agent_pb2.ListIntegrationsRequest, context: object
    ) -> agent_pb2.ListIntegrationsResponse:
        principal = require_scope("integrations:read")
        wanted = page_request_from_proto(request.page, INTEGRATION_LIST)
        page = await self._integrations.page(principal.org_id, wanted)
        return agent_pb2.ListIntegrationsResponse(
            integrations=map(integration_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def DeleteIntegration(
        self, request: agent_pb2.DeleteIntegrationRequest, context: object
    ) -> agent_pb2.DeleteIntegrationResponse:
        org_id = require_scope("integrations:write").org_id

        async def act(conn: Connection) -> agent_pb2.DeleteIntegrationResponse:
            known = await self._integrations.lock(conn, org_id, request.provider)
            if known is None:
                raise NotFound("integration_not_found", "No such integration.")
            gone = known.integration
            require_version(request, gone.version)
            gone = replace(gone, status=IntegrationStatus.DISABLED, version=gone.version + 1)
            await self._integrations.remove(conn, gone)
            await append(conn, integration_event("integration.updated", gone))
            return agent_pb2.DeleteIntegrationResponse()

        return await run_write(self._database, org_id, act, agent_pb2.DeleteIntegrationResponse)

    async def SyncIntegration(
        self, request: agent_pb2.SyncIntegrationRequest, context: object
    ) -> agent_pb2.SyncIntegrationResponse:
        org_id = require_scope("integrations:write").org_id
        integration = await self._integrations.get(org_id, request.provider)
        if PROVIDERS[integration.provider].list_agents is None:
            synced = ", ".join(name for name, known in PROVIDERS.items() if known.list_agents is not None)
            found = Violation("#/provider", "unknown_value", f"Must be one of {synced}.")
            raise InvalidArgument("sync_unsupported", "This provider cannot be synced.", violations=[found])

        async def act(conn: Connection) -> agent_pb2.SyncIntegrationResponse:
            return agent_pb2.SyncIntegrationResponse(job_id=await enqueue_sync(conn, org_id, integration.provider))

        return await run_write(self._database, org_id, act, agent_pb2.SyncIntegrationResponse)

    async def GetWebhookSecrets(
        self, request: agent_pb2.GetWebhookSecretsRequest, context: object
    ) -> agent_pb2.GetWebhookSecretsResponse:
        # Secrets leave the service only for another service, never for a user's principal.
        require_service()
        found = await self._by_token(request.provider, request.webhook_token)
        secrets = PROVIDERS[request.provider].webhook.secrets(found.credentials)
        return agent_pb2.GetWebhookSecretsResponse(
            organization_id=found.integration.org_id,
            integration_id=found.integration.id,
            secrets=map(webhook_secret_to_proto, secrets),
        )

    async def ResolveWebhookAgent(
        self, request: agent_pb2.ResolveWebhookAgentRequest, context: object
    ) -> agent_pb2.ResolveWebhookAgentResponse:
        require_service()
        org_id = (await self._by_token(request.provider, request.webhook_token)).integration.org_id
        found = await self._agents.resolve(org_id, request.provider, request.external_agent_id)
        return agent_pb2.ResolveWebhookAgentResponse(agent_id=found.id, published_version=found.published_version)

    async def _by_token(self, provider: str, token: str) -> OpenIntegration:
        # An unknown provider and an unknown token get the same answer.
        found = await self._integrations.open_by_token(provider, token) if provider in PROVIDERS else None
        if found is None:
            raise NotFound("webhook_unknown", "No webhook is registered at this address.")
        return found

    async def GetProviderCredentials(
        self, request: agent_pb2.GetProviderCredentialsRequest, context: object
    ) -> agent_pb2.GetProviderCredentialsResponse:
        await self._delegations.require(request.organization_id)
        found = await self._integrations.open(request.organization_id, request.provider)
        return agent_pb2.GetProviderCredentialsResponse(credentials=credentials_to_proto(found.credentials))

    def _refuse_inner_address(self, base_url: str) -> None:
        if base_url and forbidden_address(base_url, self._outbound_allow):
            found = Violation("#/credentials/baseUrl", "forbidden_address", "Must be a public address.")
            raise InvalidArgument("validation_failed", "The credentials are not valid.", violations=[found])
