"""Integrations: what is stored, what is shown, and whose webhook it is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, timedelta

import pytest

from echosenseix.agent.v1 import agent_pb2
from libs.crypto import DecryptionError
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from providers.interface.credentials import Credentials, WebhookSecret, valid_at
from providers.registry import PROVIDERS
from services.agent.domain.integration import connect
from tests.integration.locks import someone_waits

from .conftest import Service, as_org, as_service

KEY, SECRET = "sk_0123456789abcdef", "wsec_0123456789"
BODY = b'{"type":"post_call_transcription"}'


async def put(service: Service, org: str, provider: str = "elevenlabs", **fields: str) -> agent_pb2.Integration:
    request = agent_pb2.PutIntegrationRequest(
        provider=provider,
        credentials=agent_pb2.ProviderCredentials(**(fields or {"api_key": KEY, "webhook_secret": SECRET})),
    )
    with as_org(org):
        return (await service.integrations.PutIntegration(request, None)).integration


def signed(service: Service, secret: str = SECRET, body: bytes = BODY, seconds: int = 0) -> str:
    stamp = str(int((service.clock.now() + timedelta(seconds=seconds)).timestamp()))
    return f"t={stamp},v0={hmac.new(secret.encode(), stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


async def secrets_of(service: Service, token: str, provider: str = "elevenlabs") -> agent_pb2.GetWebhookSecretsResponse:
    request = agent_pb2.GetWebhookSecretsRequest(provider=provider, webhook_token=token)
    with as_service():
        return await service.integrations.GetWebhookSecrets(request, None)


async def verify(service: Service, token: str, signature: str) -> bool:
    """As the call-log does."""
    answer = await secrets_of(service, token)
    secrets = [
        WebhookSecret(secret.value, secret.expire_time.ToDatetime(UTC) if secret.HasField("expire_time") else None)
        for secret in answer.secrets
    ]
    now = service.clock.now()
    headers = {"elevenlabs-signature": signature}
    return PROVIDERS["elevenlabs"].webhook.verify(valid_at(secrets, now), headers, (BODY,), now)


async def test_credentials_go_in_and_never_come_back(service: Service, org: str) -> None:
    made = await put(service, org)
    assert (made.provider, made.status, made.api_key_last4) == ("elevenlabs", "connected", "cdef")
    assert made.api_key_fingerprint == hashlib.sha256(KEY.encode()).hexdigest()[:12]
    assert made.webhook_secret_set
    assert len(made.webhook_token) > 40
    with as_org(org):
        assert (
            await service.integrations.GetIntegration(agent_pb2.GetIntegrationRequest(provider="elevenlabs"), None)
        ).integration == made
        page = await service.integrations.ListIntegrations(agent_pb2.ListIntegrationsRequest(), None)
    assert list(page.integrations) == [made]
    assert KEY not in str(page)
    row = await service.database.system_fetchrow(
        "select i::text as text, i.api_key from integration i where i.org_id = $1", org
    )
    assert row is not None
    assert KEY.encode().hex() not in row["text"]
    assert KEY.encode() not in row["api_key"]
    assert KEY not in str(
        await service.database.system_fetch("select x.payload::text from outbox x where x.org_id = $1", org)
    )


async def test_a_sealed_secret_opens_nowhere_else(service: Service, org: str) -> None:
    other = new_id("org")
    await put(service, org)
    await put(service, other, api_key="another-key-entirely", webhook_secret="another")
    theirs = await service.database.system_fetchrow("select i.api_key from integration i where i.org_id = $1", org)
    assert theirs is not None
    async with service.database.system_transaction() as conn:
        await conn.execute("update integration set api_key = $1 where org_id = $2", theirs["api_key"], other)
    asked = agent_pb2.GetProviderCredentialsRequest(organization_id=other, provider="elevenlabs")
    with as_service(other), pytest.raises(DecryptionError):
        await service.integrations.GetProviderCredentials(asked, None)


AT_HOME, ELSEWHERE = "https://proxy.example.com", "https://stranger.example.net"


async def test_a_key_goes_to_no_address_that_it_was_not_given_for(service: Service, org: str) -> None:
    await put(service, org, api_key=KEY, webhook_secret=SECRET)
    for address in (AT_HOME, ELSEWHERE):
        with pytest.raises(InvalidArgument) as refusal:
            await put(service, org, base_url=address, webhook_secret="another_secret")
        assert [item.pointer for item in refusal.value.violations] == ["#/credentials/apiKey"]
        assert await credentials(service, org) == (KEY, SECRET, "")
        await put(service, org, api_key=KEY, base_url=address)
        assert await credentials(service, org) == (KEY, SECRET, address)
        await put(service, org, base_url=address, webhook_secret=SECRET)
        await put(service, org, api_key=KEY, base_url=AT_HOME)
        await service.database.system_fetch("delete from integration where org_id = $1", org)
        await put(service, org, api_key=KEY, webhook_secret=SECRET)


@pytest.mark.parametrize(("given", "written"), [("", ELSEWHERE), (AT_HOME, ELSEWHERE), (AT_HOME, "")])
async def test_a_key_does_not_open_beside_another_address(service: Service, org: str, given: str, written: str) -> None:
    """What writes to the row past the service gets no key sent to its address, and the owner can replace the key."""
    made = await put(service, org, api_key=KEY, webhook_secret=SECRET, base_url=given)
    await service.database.system_fetch("update integration set base_url = $2 where org_id = $1", org, written)
    with pytest.raises(DecryptionError):
        await credentials(service, org)
    assert await verify(service, made.webhook_token, signed(service))
    with pytest.raises(InvalidArgument):
        await put(service, org, webhook_secret="another_secret")
    await put(service, org, api_key=KEY, base_url=AT_HOME)
    assert await credentials(service, org) == (KEY, SECRET, AT_HOME)


async def credentials(service: Service, org: str) -> tuple[str, str, str]:
    asked = agent_pb2.GetProviderCredentialsRequest(organization_id=org, provider="elevenlabs")
    with as_service(org):
        found = (await service.integrations.GetProviderCredentials(asked, None)).credentials
    return found.api_key, found.webhook_secret, found.base_url


@pytest.mark.parametrize("scopes", [("agents:read", "agents:write"), ("integrations:read",), ("agents:*",)], ids=str)
async def test_who_may_change_agents_may_not_touch_provider_keys(
    service: Service, org: str, scopes: tuple[str, ...]
) -> None:
    await put(service, org)
    asked = agent_pb2.PutIntegrationRequest(
        provider="elevenlabs", credentials=agent_pb2.ProviderCredentials(api_key="k", base_url=ELSEWHERE)
    )
    with as_org(org, scopes=scopes):
        for write in (
            service.integrations.PutIntegration(asked, None),
            service.integrations.DeleteIntegration(agent_pb2.DeleteIntegrationRequest(provider="elevenlabs"), None),
            service.integrations.SyncIntegration(agent_pb2.SyncIntegrationRequest(provider="elevenlabs"), None),
        ):
            with pytest.raises(PermissionDenied, match="integrations:write"):
                await write
    assert await credentials(service, org) == (KEY, SECRET, "")


async def test_services_get_the_credentials_and_no_one_else(service: Service, org: str) -> None:
    await put(service, org)
    asked = agent_pb2.GetProviderCredentialsRequest(organization_id=org, provider="elevenlabs")
    with as_service(org):
        found = (await service.integrations.GetProviderCredentials(asked, None)).credentials
    assert (found.api_key, found.webhook_secret) == (KEY, SECRET)
    for acting_for in ("", new_id("org")):
        with as_service(acting_for), pytest.raises(PermissionDenied):
            await service.integrations.GetProviderCredentials(asked, None)
    asked.organization_id = new_id("org")
    with as_service(asked.organization_id), pytest.raises(NotFound):
        await service.integrations.GetProviderCredentials(asked, None)
    with as_org(org), pytest.raises(PermissionDenied):
        await service.integrations.GetProviderCredentials(asked, None)


async def test_the_same_credentials_again_change_nothing(service: Service, org: str) -> None:
    made = await put(service, org)
    assert await put(service, org) == made
    assert await put(service, org, webhook_secret=SECRET) == made
    assert await service.events(org) == ["integration.updated"]


async def test_a_new_key_keeps_the_address_and_resyncs(service: Service, org: str) -> None:
    made = await put(service, org)
    changed = await put(service, org, api_key="sk_another_key_1234")
    assert (changed.webhook_token, changed.id, changed.version) == (made.webhook_token, made.id, 2)
    assert changed.api_key_last4 == "1234"
    jobs = await service.database.system_fetch(
        "select j.kind, j.args::text as args from job j where j.org_id = $1", org
    )
    assert [(job["kind"], job["args"]) for job in jobs] == [("provider.sync", '{"provider": "elevenlabs"}')]


async def test_many_first_connections_at_once_make_one(service: Service, org: str) -> None:
    made = await asyncio.gather(*(put(service, org) for _ in range(5)))
    assert len({integration.webhook_token for integration in made}) == 1
    assert await service.events(org) == ["integration.updated"]


async def test_a_second_first_connection_waits_for_the_first(service: Service, org: str) -> None:
    first = connect(new_id("int"), org, "elevenlabs", "t" * 43, Credentials(KEY, SECRET), service.clock.now())
    async with service.database.transaction(org) as conn:
        assert await service.accounts.lock(conn, org, "elevenlabs") is None
        second = asyncio.create_task(put(service, org))
        await someone_waits(service.database, "advisory")
        await service.accounts.put(conn, first, Credentials(KEY, SECRET))
    assert (await second).webhook_token == "t" * 43


@pytest.mark.parametrize(
    ("provider", "fields", "pointer"),
    [
        ("elevenlabs", {"webhook_secret": "s"}, "#/credentials/apiKey"),
        ("elevenlabs", {"api_key": "k\x00"}, "#/credentials/apiKey"),
        ("elevenlabs", {"api_key": "k", "base_url": "http://169.254.169.254/latest"}, "#/credentials/baseUrl"),
        ("elevenlabs", {"api_key": "k", "base_url": "http://localhost:80"}, "#/credentials/baseUrl"),
    ],
)
async def test_each_rule_points_at_its_field(
    service: Service, org: str, provider: str, fields: dict[str, str], pointer: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await put(service, org, provider, **fields)
    assert [found.pointer for found in refusal.value.violations] == [pointer]


async def test_an_unknown_provider_is_nowhere(service: Service, org: str) -> None:
    with pytest.raises(NotFound) as refusal:
        await put(service, org, "twilio", api_key="k")
    assert refusal.value.reason == "provider_unknown"


async def test_a_removed_integration_is_gone_with_its_secrets(service: Service, org: str) -> None:
    made = await put(service, org)
    with as_org(org):
        asked = agent_pb2.DeleteIntegrationRequest(provider="elevenlabs")
        await service.integrations.DeleteIntegration(asked, None)
        for provider in ("elevenlabs", "retell", "\x00"):
            asked.provider = provider
            with pytest.raises(NotFound):
                await service.integrations.DeleteIntegration(asked, None)
    with pytest.raises(NotFound):
        await secrets_of(service, made.webhook_token)


async def test_a_token_names_the_organization_and_its_secrets(service: Service, org: str) -> None:
    made = await put(service, org)
    answer = await secrets_of(service, made.webhook_token)
    assert (answer.organization_id, answer.integration_id) == (org, made.id)
    assert [secret.value for secret in answer.secrets] == [SECRET]
    assert KEY not in str(answer)
    with as_org(org), pytest.raises(PermissionDenied):
        await service.integrations.GetWebhookSecrets(agent_pb2.GetWebhookSecretsRequest(), None)


async def test_another_token_names_no_one(service: Service, org: str) -> None:
    token = (await put(service, org)).webhook_token
    for provider, unknown in (
        ("elevenlabs", "x" * 43),
        ("elevenlabs", ""),
        ("elevenlabs", "\x00"),
        ("retell", token),
        ("vapi", token),
        ("?", token),
    ):
        with pytest.raises(NotFound) as absent:
            await secrets_of(service, unknown, provider)
        assert absent.value.reason == "webhook_unknown"


async def test_an_account_without_a_secret_has_none_to_give(service: Service, org: str) -> None:
    made = await put(service, org, api_key=KEY)
    assert not made.webhook_secret_set
    assert not (await secrets_of(service, made.webhook_token)).secrets


async def test_a_replaced_secret_is_honored_for_an_hour(service: Service, org: str) -> None:
    made = await put(service, org)
    await put(service, org, webhook_secret="wsec_new")
    assert await verify(service, made.webhook_token, signed(service, "wsec_new"))
    assert await verify(service, made.webhook_token, signed(service, SECRET))
    service.clock.advance(3_601)
    assert await verify(service, made.webhook_token, signed(service, "wsec_new"))
    assert not await verify(service, made.webhook_token, signed(service, SECRET))


async def test_a_sync_is_one_live_job_a_provider(service: Service, org: str) -> None:
    with as_org(org), pytest.raises(NotFound):
        await service.integrations.SyncIntegration(agent_pb2.SyncIntegrationRequest(provider="elevenlabs"), None)
    await put(service, org)
    await put(service, org, "retell", api_key="retell-key-0123")
    with as_org(org):
        asked = agent_pb2.SyncIntegrationRequest(provider="elevenlabs")
        first = await service.integrations.SyncIntegration(asked, None)
        assert first.job_id.startswith("job_agent_")
        assert await service.integrations.SyncIntegration(asked, None) == first
        asked.provider = "retell"
        assert await service.integrations.SyncIntegration(asked, None) != first


async def test_a_webhooks_token_resolves_the_agents_of_its_organization_alone(service: Service, org: str) -> None:
    token = (await put(service, org)).webhook_token
    other = new_id("org")
    for owner, external in ((org, "agent_ours"), (other, "agent_theirs")):
        agent = agent_pb2.Agent(display_name="Desk", provider="elevenlabs", external_agent_id=external)
        with as_org(owner):
            await service.agents.CreateAgent(agent_pb2.CreateAgentRequest(agent=agent), None)

    async def resolve(external: str) -> str:
        request = agent_pb2.ResolveWebhookAgentRequest(
            provider="elevenlabs", webhook_token=token, external_agent_id=external
        )
        with as_service():
            return (await service.integrations.ResolveWebhookAgent(request, None)).agent_id

    assert (await resolve("agent_ours")).startswith("agt_")
    with pytest.raises(NotFound, match="agent_not_found"):
        await resolve("agent_theirs")
    with as_org(org), pytest.raises(PermissionDenied):
        await service.integrations.ResolveWebhookAgent(agent_pb2.ResolveWebhookAgentRequest(), None)
