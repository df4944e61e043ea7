"""Accounts at providers."""

from typing import Any

from starlette.responses import Response

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.integrations import (
    Integration,
    IntegrationBody,
    IntegrationQuery,
    SyncStarted,
    integration_from_proto,
)
from gateway.state import ApiRequest
from libs.cache.classes import INTEGRATION
from providers.registry import PROVIDERS


async def list_integrations(request: ApiRequest[IntegrationQuery, NoBody]) -> Response:
    answer = await request.app.clients.integrations.ListIntegrations(
        pb.ListIntegrationsRequest(page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.integrations, answer.page_info, lambda row: _shown(request, row))


async def get_integration(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.integrations.GetIntegration(_named(request))
    return responses.current(request, _shown(request, answer.integration), answer.integration.version)


async def put_integration(request: ApiRequest[NoQuery, IntegrationBody]) -> Response:
    given = request.data.credentials
    answer = await request.app.clients.integrations.PutIntegration(
        pb.PutIntegrationRequest(
            provider=request.path_params["provider"],
            credentials=pb.ProviderCredentials(
                # An empty text means the stored one; the service refuses it for the first connection.
                api_key=given.api_key or "",
                webhook_secret=given.webhook_secret or "",
                base_url=given.base_url or "",
            ),
        )
    )
    return responses.current(request, _shown(request, answer.integration), answer.integration.version)


async def delete_integration(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.integrations.DeleteIntegration(
        pb.DeleteIntegrationRequest(
            provider=request.path_params["provider"], expected_version=conditional.expected_version(request)
        )
    )
    return responses.no_content()


async def sync_integration(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.integrations.SyncIntegration(
        pb.SyncIntegrationRequest(provider=request.path_params["provider"])
    )
    return responses.accepted(SyncStarted(job_id=answer.job_id, status="queued"), f"/api/jobs/{answer.job_id}")


async def integration_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.integrations.GetIntegration(_named(request))
    return answer.integration.version


def _named(request: ApiRequest[Any, Any]) -> pb.GetIntegrationRequest:
    return pb.GetIntegrationRequest(provider=request.path_params["provider"])


def _shown(request: ApiRequest[Any, Any], integration: pb.Integration) -> Integration:
    return integration_from_proto(integration, request.app.settings.public_url)


_PROVIDER = {"provider": {"type": "string", "enum": list(PROVIDERS)}}
_CREDENTIALS = {"credentials": {"apiKey": "sk_0123456789abcdef", "webhookSecret": "wsec_0123456789abcdef"}}

ROUTES = tagged(
    "Integrations",
    Route(
        "GET",
        "/api/integrations",
        list_integrations,
        "List integrations",
        scope="integrations:read",
        cached=INTEGRATION,
        query=IntegrationQuery,
        answer=list[Integration],
    ),
    Route(
        "GET",
        "/api/integrations/{provider}",
        get_integration,
        "Read an integration",
        scope="integrations:read",
        cached=INTEGRATION,
        answer=Integration,
        etag="match",
        segments=_PROVIDER,
    ),
    Route(
        "PUT",
        "/api/integrations/{provider}",
        put_integration,
        "Enter a provider's credentials",
        scope="integrations:write",
        body=IntegrationBody,
        example=_CREDENTIALS,
        answer=Integration,
        etag="match",
        segments=_PROVIDER,
    ),
    Route(
        "DELETE",
        "/api/integrations/{provider}",
        delete_integration,
        "Remove an integration",
        scope="integrations:write",
        status=204,
        subject=integration_version,
        segments=_PROVIDER,
    ),
    Route(
        "POST",
        "/api/integrations/{provider}/sync",
        sync_integration,
        "Fetch calls and agents from the provider",
        scope="integrations:write",
        answer=SyncStarted,
        status=202,
        subject=integration_version,
        segments=_PROVIDER,
    ),
)
