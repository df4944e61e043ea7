"""Stolen keys: what the signing key of one process kind is worth against the running suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest

from echosenseix.agent.v1 import agent_pb2, agent_pb2_grpc
from libs.errors import AppError, PermissionDenied, Unauthenticated
from libs.rpc.channel import open_channel
from libs.rpc.context import CallContext, acting_as, serving
from libs.rpc.principal import Principal, PrincipalMinter, service_principal
from local.runner.keys import Keys
from local.runner.suite import Suite
from suite.services import SERVICES


def _minter(suite: Suite, issuer: str) -> PrincipalMinter:
    return PrincipalMinter(Keys.load_or_create(suite.folder.keys_file).signing_key(issuer))


@pytest.mark.parametrize("issuer", SERVICES)
@pytest.mark.parametrize("proof", ["", "job job_1 00000000-0000-0000-0000-000000000000", "nonsense"])
async def test_no_services_key_alone_reads_a_tenants_provider_credentials(
    suite: Suite, issuer: str, proof: str
) -> None:
    org = suite.credentials["organizationId"]
    request = agent_pb2.GetProviderCredentialsRequest(organization_id=org, provider="elevenlabs")
    address = suite.process("agent")["grpc"]
    claims = Principal(org_id=org, role="service", scopes=frozenset({"*"}), issuer=issuer)
    for principal in (service_principal(issuer), claims):
        async with open_channel(address, audience="agent", minter=_minter(suite, issuer)) as channel:
            stub = agent_pb2_grpc.IntegrationServiceStub(channel)
            with (
                serving(CallContext(on_behalf_of=proof)),
                acting_as(principal),
                pytest.raises((PermissionDenied, Unauthenticated)) as refusal,
            ):
                await stub.GetProviderCredentials(request)
        assert isinstance(refusal.value, AppError)
        assert refusal.value.reason in ("caller_not_allowed", "delegation_required", "invalid_principal")


async def test_reflection_answers_and_needs_no_trust(suite: Suite) -> None:
    """Outside production the methods may be listed; calling one still needs a principal."""
    async with grpc.aio.insecure_channel(suite.process("agent")["grpc"]) as channel:
        raw: Any = channel.unary_unary("/echosenseix.agent.v1.AgentService/ListAgents")
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await raw(b"")
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


_USABLE = """
select r.rolname, n.nspname from pg_roles r cross join pg_namespace n
where r.rolname = any($1) and n.nspname = any($2)
  and (has_schema_privilege(r.oid, n.oid, 'usage') or has_schema_privilege(r.oid, n.oid, 'create'))"""
_REACHED = """
select r.rolname, c.oid::regclass::text
from pg_roles r cross join pg_class c join pg_namespace n on n.oid = c.relnamespace
where r.rolname = any($1) and n.nspname = any($2) and c.relkind in ('r', 'p', 'v', 'm')
  and n.nspname <> substring(r.rolname from '^[^_]+')
  and has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate, references, trigger')"""
_FENCED = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any($1) and c.relrowsecurity and c.relforcerowsecurity and c.relkind in ('r', 'p')"""


async def test_the_roles_of_a_service_reach_its_own_schema_alone_and_no_row_without_an_organization(
    suite: Suite,
) -> None:
    roles = [f"{service}_{kind}" for service in SERVICES for kind in ("app", "system")]
    database = await asyncpg.connect(suite.run["stores"]["postgres"]["adminUrl"])
    try:
        usable = {tuple(row) for row in await database.fetch(_USABLE, roles, list(SERVICES))}
        assert usable == {(role, role.partition("_")[0]) for role in roles}
        assert await database.fetch(_REACHED, roles, list(SERVICES)) == []
        fenced = await database.fetch(_FENCED, list(SERVICES))
        assert {schema for schema, _ in fenced} == set(SERVICES)
        seen = {}
        for schema, table in fenced:
            await database.execute(f"set role {schema}_app")
            seen[f"{schema}.{table}"] = await database.fetchval(f'select count(*) from {schema}."{table}"')
            await database.execute("reset role")
        assert {table: count for table, count in seen.items() if count} == {}
        assert await database.fetchval("select count(*) from identity.app_user") > 0
    finally:
        await database.close()


def test_no_running_process_has_a_secret_in_its_environment(suite: Suite) -> None:
    """/proc/<pid>/environ is readable by every process of the same user, parsers of documents included."""
    values = Keys.load_or_create(suite.folder.keys_file).values.values()
    stores = [urlsplit(suite.run["stores"][name]["url"]).password or "" for name in ("postgres", "redis", "nats")]
    secrets = [secret.encode() for secret in (*values, *stores)]
    assert all(secrets)
    for process in suite.run["processes"]:
        block = Path(f"/proc/{process['pid']}/environ").read_bytes()
        assert not [secret for secret in secrets if secret in block], process["name"]
