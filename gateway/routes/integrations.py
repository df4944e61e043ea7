"""Accounts at providers."""

from typing import Any

from starlette.responses import Response

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import ListQuery, NoBody, NoQuery
from gateway.schemas.integrations import Integration, IntegrationBody, SyncStarted, integration_from_proto


async def list_integrations(call: Call[ListQuery, NoBody]) -> Response:
    answer = await call.clients.integrations.ListIntegrations(pb.ListIntegrationsRequest(page=call.page_request()))
    return call.page(answer.integrations, answer.page_info, lambda row: _shown(call, row))


async def get_integration(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.integrations.GetIntegration(_named(call))
    return call.resource(_shown(call, answer.integration), answer.integration.version)


async def put_integration(call: Call[NoQuery, IntegrationBody]) -> Response:
    given = call.body.credentials
    answer = await call.clients.integrations.PutIntegration(
        pb.PutIntegrationRequest(
            provider=call.params["provider"],
            credentials=pb.ProviderCredentials(
                api_key=given.api_key or "",
                webhook_secret=given.webhook_secret or "",
                base_url=given.base_url or "",
            ),
        )
    )
    return call.resource(_shown(call, answer.integration), answer.integration.version)


async def delete_integration(call: Call[NoQuery, NoBody]) -> Response:
    await call.clients.integrations.DeleteIntegration(pb.DeleteIntegrationRequest(provider=call.params["provider"]))
    return call.no_content()


async def sync_integration(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.integrations.SyncIntegration(
        pb.SyncIntegrationRequest(provider=call.params["provider"])
    )
    return call.accepted(SyncStarted(job_id=answer.job_id, status="queued"), answer.job_id)


async def integration_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.integrations.GetIntegration(_named(call))
    return answer.integration.version


def _named(call: Call[Any, Any]) -> pb.GetIntegrationRequest:
    return pb.GetIntegrationRequest(provider=call.params["provider"])


def _shown(call: Call[Any, Any], integration: pb.Integration) -> Integration:
    return integration_from_proto(integration, call.settings.public_url)


_CREDENTIALS = {"credentials": {"apiKey": "sk_0123456789abcdef", "webhookSecret": "wsec_0123456789abcdef"}}

ROUTES = tagged(
    "Integrations",
    Route(
        "GET",
        "/api/integrations",
        list_integrations,
        "List integrations",
        scope="agents:read",
        query=ListQuery,
        answer=list[Integration],
    ),
    Route(
        "GET",
        "/api/integrations/{provider}",
        get_integration,
        "Read an integration",
        scope="agents:read",
        answer=Integration,
    ),
    Route(
        "PUT",
        "/api/integrations/{provider}",
        put_integration,
        "Enter a provider's credentials",
        scope="agents:write",
        body=IntegrationBody,
        example=_CREDENTIALS,
        answer=Integration,
    ),
    Route(
        "DELETE",
        "/api/integrations/{provider}",
        delete_integration,
        "Remove an integration",
        scope="agents:write",
        status=204,
    ),
    Route(
        "POST",
        "/api/integrations/{provider}/sync",
        sync_integration,
        "Fetch calls and agents from the provider",
        scope="agents:write",
        answer=SyncStarted,
        status=202,
        subject=integration_version,
    ),
)
