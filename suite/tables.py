"""The one policy of what tenants store: for each table with an organization its quotas, its bound and its retention.

docs/quotas.md explains it. A test compares it with the catalogs of all schemas, so a new table needs a line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from suite.services import SERVICES

EACH = "*"
"""In place of a service: the schema of every service has this table."""

FOREVER = "as long as the organization"

PENDING_PER_ADDRESS = 5
"""A further registration of an address deletes its oldest that waits."""

UNREGISTERED = "org_unregistered"
"""Stands for the organization of mails to addresses that have none yet."""

TOKENS_PER_ACCOUNT = 5
"""A further mailed link, or first step of a login, makes the oldest of its purpose useless."""

RECOVERY_CODES_PER_ACCOUNT = 10
"""Confirming a second factor gives them all; asking for new ones replaces them all."""

FORMER_TOKENS_PER_SESSION = 100
"""A further rotation forgets the oldest token."""

AGENT_GRANTS_PER_USER = 100
"""They travel in each principal of the user. More: longer metadata of every call."""

SESSIONS_PER_USER = 200
"""A further login deletes the oldest session."""

ATTEMPTS_PER_DELIVERY = 20
"""A further attempt forgets the oldest. A round has ten; older ones belong to earlier rounds."""


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` rows of an organization. `counts` is the SQL condition of a counted row, alias t; `per` names a
    column within whose value is counted; `sums` a column that is added up instead; a `daily` quota counts what is added
    in a day (UTC). `things` and `remedy` are the words of the refusal."""

    name: str
    limit: int
    things: str
    remedy: str
    counts: str = "true"
    per: str = ""
    sums: str = ""
    daily: bool = False
    table: str = ""
    # The column that names the organization which has the row.
    owner: str = "org_id"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, how long its rows are kept (a duration after `since`, or the reason in words), and its bound: quotas, or
    in words what else bounds it."""

    service: str
    name: str
    kept: timedelta | str
    since: str = ""
    quotas: tuple[Quota, ...] = ()
    bound: str = ""


def _days(number: int) -> timedelta:
    return timedelta(days=number)


_OF_CALLS = "the calls, each of which is a signed delivery and is paid"
_LIVING_KEY = "t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())"
_ENDED_KEY = "(t.revoked_at is not null or t.expires_at <= clock_timestamp())"

TABLES: tuple[Table, ...] = (
    Table(
        "identity",
        "organization",
        FOREVER,
        quotas=(
            Quota(
                "children",
                1_000,
                "customers of an agency",
                "Archive one first.",
                counts="t.status <> 'archived'",
                owner="parent_id",
            ),
            Quota(
                "archived_children",
                10_000,
                "archived customers of an agency",
                "Suspend customers instead of replacing them.",
                counts="t.status = 'archived'",
                owner="parent_id",
            ),
        ),
        bound="one an organization; registrations are limited by address",
    ),
    Table(
        "identity",
        "account",
        "as long as it is a user of an organization",
        bound="one an address; registrations and invitations are limited",
    ),
    Table(
        "identity",
        "account_token",
        _days(1),
        "it was given out",
        bound=f"the newest {TOKENS_PER_ACCOUNT} of a purpose and account",
    ),
    Table("identity", "account_link", "as long as the account", bound="one an account and provider"),
    Table("identity", "recovery_code", "as long as the account", bound=f"{RECOVERY_CODES_PER_ACCOUNT} an account"),
    Table(
        "identity",
        "former_session_token",
        "as long as the session",
        bound=f"the newest {FORMER_TOKENS_PER_SESSION} of a session",
    ),
    Table("identity", "white_label", FOREVER, bound="one an organization"),
    Table(
        "identity",
        "white_label_host",
        FOREVER,
        quotas=(Quota("white_label_hosts", 20, "hosts of the organization", "Remove one first."),),
    ),
    Table(
        "identity",
        "app_user",
        FOREVER,
        quotas=(Quota("users", 10_000, "users", "Remove one first."),),
    ),
    Table("identity", "agent_grant", "as long as the user", bound=f"{AGENT_GRANTS_PER_USER} a user"),
    Table(
        "identity",
        "invitation",
        _days(90),
        "its end",
        quotas=(
            Quota(
                "invitations",
                500,
                "invitations that wait",
                "Revoke one first.",
                counts="t.accepted_at is null and t.revoked_at is null and t.expires_at > clock_timestamp()",
            ),
            Quota(
                "ended_invitations",
                10_000,
                "invitations that ended in the last 90 days",
                "Wait until some of them are forgotten.",
                counts="(t.accepted_at is not null or t.revoked_at is not null or t.expires_at <= clock_timestamp())",
            ),
            Quota(
                "invitation_mails_per_day",
                1_000,
                "mails of invitations a day",
                "Send the others tomorrow.",
                daily=True,
            ),
        ),
    ),
    Table(
        "identity",
        "pending_registration",
        _days(1),
        "it began",
        bound=f"the newest {PENDING_PER_ADDRESS} of an address",
    ),
    Table("identity", "session", _days(30), "its end", bound=f"the newest {SESSIONS_PER_USER} of a user"),
    Table(
        "identity",
        "api_key",
        _days(90),
        "its end",
        quotas=(
            Quota("api_keys", 1_000, "API keys that work", "Revoke one first.", counts=_LIVING_KEY),
            Quota(
                "ended_api_keys",
                10_000,
                "API keys that were revoked or expired in the last 90 days",
                "Wait until some of them are forgotten.",
                counts=_ENDED_KEY,
            ),
        ),
    ),
    Table("identity", "audit_log", _days(400), "its write", bound="the writes of users, which are limited by rate"),
    Table("identity", "audit_seal", _days(400), "its minute", bound="one a minute with writes"),
    Table("identity", "audit_unsealed", "until the next minute", bound="one an organization"),
    Table(
        "agent",
        "agent",
        FOREVER,
        quotas=(
            Quota("agents", 10_000, "agents", "Delete one first.", counts="t.status <> 'archived'"),
            Quota(
                "deleted_agents",
                100_000,
                "deleted agents, which calls still name",
                "Change agents instead of replacing them.",
                counts="t.status = 'archived'",
            ),
        ),
    ),
    Table(
        "agent",
        "agent_version",
        FOREVER,
        quotas=(
            Quota(
                "agent_versions",
                10_000,
                "versions of an agent",
                "Duplicate the agent and publish the copy.",
                per="agent_id",
            ),
        ),
    ),
    Table("agent", "integration", FOREVER, bound="one a provider"),
    Table(
        "knowledge",
        "entry",
        FOREVER,
        quotas=(Quota("knowledge_entries", 10_000, "entries of the knowledge base", "Delete one first."),),
    ),
    Table(
        "knowledge",
        "document",
        _days(30),
        "a newer document took its place",
        quotas=(
            Quota(
                "documents",
                50_000,
                "documents, those of the last 30 days that were replaced included",
                "Delete entries, or wait until replaced documents are forgotten.",
            ),
            Quota(
                "document_bytes",
                50 * 1024**3,
                "bytes of documents",
                "Delete entries first.",
                counts="t.blob_key <> ''",
                sums="byte_size",
            ),
        ),
    ),
    Table("knowledge", "chunk", FOREVER, bound="the entries; indexing bounds the chunks of each"),
    Table(
        "knowledge",
        "source",
        FOREVER,
        quotas=(Quota("sources", 500, "sources", "Delete one first, or follow a sitemap."),),
    ),
    Table("knowledge", "source_page", FOREVER, bound="200 a source"),
    Table("knowledge", "computing", _days(2), "its hour", bound="one an hour"),
    Table(
        "calllog",
        "envelope",
        _days(30),
        "its arrival",
        quotas=(
            Quota(
                "webhook_bytes_per_day",
                50 * 1024**3,
                "bytes of providers' webhooks a day",
                "The provider may repeat the delivery tomorrow.",
                daily=True,
            ),
        ),
    ),
    Table("calllog", "call", FOREVER, bound="signed deliveries; a call that arrives is always recorded"),
    Table(
        "calllog",
        "call_turn",
        FOREVER,
        quotas=(
            Quota(
                "live_turns_per_day",
                5_000_000,
                "turns of running calls a day",
                "The report of the call brings its transcript.",
                daily=True,
            ),
        ),
    ),
    Table(
        "calllog",
        "live_call",
        "until its call ends or is lost",
        quotas=(Quota("live_calls", 10_000, "calls that run", "Wait until one of them ends."),),
    ),
    Table(
        "calllog",
        "call_command",
        _days(30),
        "it was sent",
        quotas=(
            Quota(
                "pending_call_commands",
                20,
                "commands that one call has not acknowledged",
                "Wait until one is settled.",
                counts="t.status = 'pending'",
                per="call_id",
            ),
        ),
    ),
    Table("calllog", "call_facet", FOREVER, bound=_OF_CALLS),
    Table("calllog", "call_search", FOREVER, bound=_OF_CALLS),
    Table("calllog", "recording", FOREVER, bound=_OF_CALLS),
    Table("calllog", "provider_link", FOREVER, bound="one a provider"),
    Table("calllog", "analytics_rollup", FOREVER, bound="one an hour and agent with calls"),
    Table("calllog", "analytics_change", "until it is added up", bound="the calls that changed in two seconds"),
    Table("calllog", "analytics_state", FOREVER, bound="one an organization"),
    Table("billing", "account", FOREVER, bound="one an organization"),
    Table("billing", "rate_override", FOREVER, bound="written by operators alone"),
    Table("billing", "credit_grant", FOREVER, bound="written by operators alone"),
    Table(
        "billing",
        "usage_event",
        FOREVER,
        quotas=(
            Quota("usage_events_per_day", 10_000_000, "usage events a day", "Send the others tomorrow.", daily=True),
        ),
    ),
    Table("billing", "usage_rating", FOREVER, bound="one a usage event"),
    Table("billing", "ledger_transaction", FOREVER, bound="usage events, top-ups and grants"),
    Table("billing", "ledger_entry", FOREVER, bound="usage events, top-ups and grants"),
    Table(
        "billing",
        "top_up",
        _days(90),
        "it failed or expired; paid ones stay",
        quotas=(
            Quota(
                "pending_top_ups",
                20,
                "top-ups that wait for their payment",
                "Pay one, or wait a day for them to expire.",
                counts="t.status = 'pending'",
            ),
            Quota(
                "unpaid_top_ups",
                1_000,
                "top-ups of the last 90 days that were not paid",
                "Wait until some of them are forgotten.",
                counts="t.status in ('failed', 'expired')",
            ),
        ),
    ),
    Table("realtime", "event", "EVENT_RETENTION_DAYS", bound="what the other tables' quotas allow"),
    Table("realtime", "publication", "EVENT_RETENTION_DAYS", bound="the events"),
    Table("realtime", "channel", FOREVER, bound="positions must not begin again; one an agent and a call"),
    Table(
        "realtime",
        "webhook_endpoint",
        FOREVER,
        quotas=(Quota("webhook_endpoints", 50, "webhook endpoints", "Delete one first."),),
    ),
    Table(
        "realtime",
        "webhook_delivery",
        _days(30),
        "its event",
        quotas=(
            Quota(
                "webhook_tests_per_day",
                1_000,
                "test deliveries and replays a day",
                "Send the others tomorrow.",
                daily=True,
            ),
        ),
    ),
    Table(
        "realtime",
        "webhook_attempt",
        _days(30),
        "its delivery's event",
        bound=f"the newest {ATTEMPTS_PER_DELIVERY} of a delivery",
    ),
    Table("realtime", "mail", "MAIL_RETENTION_DAYS", bound="the newest MAIL_KEPT of an organization"),
    Table("realtime", "organization_owner", FOREVER, bound="one an owner"),
    Table("realtime", "mail_opt_out", FOREVER, bound="one a user and kind of mail"),
    Table(EACH, "outbox", _days(7), "its publication", bound="the writes that made them"),
    Table(EACH, "inbox_dead", _days(30), "its death", bound="the events"),
    Table(EACH, "cache_invalidation", "until the caches know", bound="the writes that made them"),
    Table(
        EACH,
        "idempotency",
        _days(1),
        "its request",
        quotas=(
            Quota(
                "idempotency_keys_per_day",
                5_000_000,
                "writes with an Idempotency-Key a day",
                "Send the others tomorrow.",
                daily=True,
            ),
        ),
    ),
    Table(EACH, "quota_use", _days(2), "its day", bound="sixteen a day and quota"),
    Table(EACH, "job", _days(30), "its end", bound="the acts that made them; of ended jobs the newest are kept"),
    Table(EACH, "job_pause", FOREVER, bound="one a queue"),
    Table(EACH, "job_pace", FOREVER, bound="one a queue"),
)
"""Every table with a column org_id."""


def _quotas(service: str) -> tuple[Quota, ...]:
    return tuple(
        replace(quota, table=table.name)
        for table in TABLES
        if table.service in (service, EACH)
        for quota in table.quotas
    )


QUOTAS: Mapping[str, tuple[Quota, ...]] = MappingProxyType({service: _quotas(service) for service in SERVICES})
"""Service -> the quotas of its schema."""


def kept(service: str, table: str) -> timedelta:
    """How long rows of the table are kept after they ended; KeyError where it is said in words."""
    for known in TABLES:
        if (known.service, known.name) == (service, table) and isinstance(known.kept, timedelta):
            return known.kept
    raise KeyError(f"{service}.{table} is kept for no number of days")
