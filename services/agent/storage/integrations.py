"""Integrations as rows with encrypted secrets. Only `Credentials` leave this file in clear text."""

from __future__ import annotations

from dataclasses import dataclass

from libs.crypto import DecryptionError, Envelope
from libs.errors import NotFound
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from libs.postgres.sealed import SealedColumn
from providers.interface.credentials import Credentials
from providers.registry import PROVIDERS
from services.agent.domain.integration import Integration, IntegrationStatus

INTEGRATION_LIST = ListRules(sorts={"createdAt": "i.created_at", "provider": "i.provider"})
# What lists show; the encrypted columns are not even read for them.
_FACTS = (
    "i.org_id, i.id, i.provider, i.status, i.api_key_last4, i.api_key_fingerprint, "
    "i.webhook_secret is not null as webhook_secret_set, i.webhook_token, i.created_at, i.updated_at, "
    "i.last_sync_at, i.last_sync_error, i.version"
)
_SECRETS = "i.api_key, i.webhook_secret, i.base_url, i.previous_webhook_secret, i.previous_until"
_LISTING = Listing(_FACTS, "integration i", INTEGRATION_LIST, tie="i.id")

_GET = f"select {_FACTS} from integration i where i.org_id = o.org and i.provider = $2"
_OPEN = f"select {_FACTS}, {_SECRETS} from integration i where i.org_id = o.org and i.provider = $2"
_LOCK = f"select {_FACTS}, {_SECRETS} from integration i where i.org_id = $1 and i.provider = $2 for update"
_BY_TOKEN = f"select {_FACTS}, {_SECRETS} from integration i where i.webhook_token = $1 and i.provider = $2"
_PUT = (
    "insert into integration (org_id, id, provider, status, api_key, api_key_last4, api_key_fingerprint, "
    "webhook_secret, previous_webhook_secret, previous_until, base_url, webhook_token, version, created_at, "
    "updated_at, last_sync_at, last_sync_error) "
    "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) "
    # The token stays, because the provider has it in the address of its webhooks.
    "on conflict (org_id, id) do update set (status, api_key, api_key_last4, api_key_fingerprint, webhook_secret, "
    "previous_webhook_secret, previous_until, base_url, version, updated_at, last_sync_error) = "
    "($4, $5, $6, $7, $8, $9, $10, $11, $13, $15, $17)"
)


@dataclass(frozen=True, slots=True)
class OpenIntegration:
    """An integration together with its secrets."""

    integration: Integration
    credentials: Credentials


class Integrations:
    def __init__(self, database: Database, cursors: CursorCodec, envelope: Envelope) -> None:
        self._database = database
        self._cursors = cursors
        self._envelope = envelope

    async def get(self, org_id: str, provider: str) -> Integration:
        row = await self._database.fetchrow(org_id, _GET, provider) if provider in PROVIDERS else None
        if row is None:
            raise _missing()
        return _integration(row)

    async def page(self, org_id: str, request: PageRequest) -> Page[Integration]:
        page = await fetch_page(self._database, org_id, _LISTING, request, [], self._cursors, ("integrations",))
        return page.map(_integration)

    async def open(self, org_id: str, provider: str) -> OpenIntegration:
        row = await self._database.fetchrow(org_id, _OPEN, provider) if provider in PROVIDERS else None
        if row is None:
            raise _missing()
        return self._opened(row)

    async def open_by_token(self, provider: str, token: str) -> OpenIntegration | None:
        """Across organizations: an inbound webhook has only its token."""
        # Tokens are alphanumeric; anything else is not asked for.
        row = await self._database.system_fetchrow(_BY_TOKEN, token, provider) if token.isalnum() else None
        return None if row is None else self._opened(row, needs_key=False)

    async def lock(self, conn: Connection, org_id: str, provider: str) -> OpenIntegration | None:
        """The integration, locked until the transaction ends; None if the provider is not connected.

        The advisory lock also serializes two first connections of one provider."""
        if provider not in PROVIDERS:
            return None
        await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"integration/{org_id}/{provider}")
        row = await conn.fetchrow(_LOCK, org_id, provider)
        return None if row is None else self._opened(row, needs_key=False)

    async def put(self, conn: Connection, integration: Integration, credentials: Credentials) -> None:
        facts, seal = integration, self._seal
        await conn.execute(
            _PUT, facts.org_id, facts.id, facts.provider, facts.status.value,
            # Bound to its address: a changed address in the database does not get the key.
            seal(facts, "api_key", credentials.api_key, credentials.base_url),
            facts.api_key_last4, facts.api_key_fingerprint,
            seal(facts, "webhook_secret", credentials.webhook_secret),
            seal(facts, "previous_webhook_secret", credentials.previous_webhook_secret), credentials.previous_until,
            credentials.base_url, facts.webhook_token, facts.version, facts.created_at, facts.updated_at,
            facts.last_sync_at, facts.last_sync_error,
        )  # fmt: skip

    async def remove(self, conn: Connection, integration: Integration) -> None:
        await conn.execute(
            "delete from integration i where i.org_id = $1 and i.id = $2", integration.org_id, integration.id
        )

    def _seal(self, integration: Integration, column: str, secret: str, destination: str = "") -> bytes | None:
        if not secret:
            return None
        return self._envelope.encrypt(secret.encode(), _bound_to(integration, column, destination))

    def _opened(self, row: Record, *, needs_key: bool = True) -> OpenIntegration:
        """DecryptionError for a secret of another row or a key of another address. Who does not need the key gets an
        empty one for such a key, so that a new one can replace it."""
        integration = _integration(row)

        def reveal(column: str, destination: str = "") -> str:
            sealed = row[column]
            return (
                self._envelope.decrypt(sealed, _bound_to(integration, column, destination)).decode() if sealed else ""
            )

        try:
            api_key = reveal("api_key", row["base_url"])
        except DecryptionError:
            if needs_key:
                raise
            api_key = ""
        credentials = Credentials(
            api_key=api_key,
            webhook_secret=reveal("webhook_secret"),
            base_url=row["base_url"],
            previous_webhook_secret=reveal("previous_webhook_secret"),
            previous_until=row["previous_until"],
        )
        return OpenIntegration(integration, credentials)


def _bound_to(integration: Integration, column: str, destination: str) -> tuple[str, ...]:
    """What an encrypted value belongs to. In another row or column, or beside another address to send it to, it does
    not decrypt."""
    place = (integration.org_id, "integration", integration.id, column)
    return (*place, destination) if destination else place


def _sealed(column: str, *beside: str) -> SealedColumn:
    def place(row: Record) -> tuple[str, ...]:
        further = tuple(row[name] for name in beside if row[name])
        return (row["org_id"], "integration", row["id"], column, *further)

    return SealedColumn("integration", column, ("org_id", "id"), place, beside)


# What is encrypted anew when keys change.
SEALED = (_sealed("api_key", "base_url"), _sealed("webhook_secret"), _sealed("previous_webhook_secret"))


def _integration(row: Record) -> Integration:
    return Integration(
        id=row["id"],
        org_id=row["org_id"],
        provider=row["provider"],
        status=IntegrationStatus(row["status"]),
        api_key_last4=row["api_key_last4"],
        api_key_fingerprint=row["api_key_fingerprint"],
        webhook_secret_set=row["webhook_secret_set"],
        webhook_token=row["webhook_token"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        last_sync_at=row["last_sync_at"],
        last_sync_error=row["last_sync_error"],
        version=row["version"],
    )


def _missing() -> NotFound:
    return NotFound("integration_not_found", "No such integration.")
