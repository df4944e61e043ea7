"""Writes under an Idempotency-Key: the answer is stored in the transaction of the effect and given again on a retry.

The row is (organization, key) with a fingerprint of method, path and body, kept 24 h. Failures are not stored, because
their transaction is rolled back. Only servicers use this; it reads the key from the current call.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import Message

from libs.context import REPLAYED_HEADER, CallContext, current_call, set_response_header
from libs.errors import Aborted, AlreadyExists, InvalidArgument, invalid_parameter
from libs.postgres.connection import Connection
from libs.postgres.database import Database

M = TypeVar("M", bound=Message)

# Hours that a stored response is replayed, as the API documents.
KEPT_HOURS = 24
# Characters of an Idempotency-Key, as the API documents.
MAX_KEY = 255
# The quota of stored responses.
QUOTA = "idempotency_keys_per_day"

# Advisory locks belong to the whole database, so the lock names the schema: one key may go to several services at once.
# Two statements, because the look must come after the lock is held: one statement would look before.
_TRY_LOCK = "select pg_try_advisory_xact_lock(hashtextextended(current_schema() || $1, 0))"
_LOOK = """
select fingerprint, response, resource_id from idempotency
where org_id = $1 and key = $2 and expires_at > clock_timestamp()"""
_STORE = """
insert into idempotency (org_id, key, fingerprint, response, resource_id, expires_at)
values ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 hour')
on conflict (org_id, key) do update set fingerprint = excluded.fingerprint, response = excluded.response,
    resource_id = excluded.resource_id, created_at = clock_timestamp(), expires_at = excluded.expires_at"""


async def run_write(
    db: Database,
    org_id: str,
    act: Callable[[Connection], Awaitable[M]],
    response_type: type[M],
    *,
    required: bool = False,
    secret: bool = False,
    resource_id: Callable[[M], str] | None = None,
) -> M:
    """`act` in a tenant transaction, once per key. `secret` keeps the answer out of the store (only `resource_id` of
    it): a replay raises AlreadyExists("secret_already_shown"). Raises InvalidArgument("idempotency_key_required" |
    "idempotency_key_reused") and Aborted("idempotency_in_progress")."""
    call = current_call()
    if not call.idempotency_key:
        if required:
            detail = "Send an Idempotency-Key header with this request."
            raise invalid_parameter("Idempotency-Key", detail, "idempotency_key_required")
        async with db.transaction(org_id) as conn:
            return await act(conn)
    if len(call.idempotency_key) > MAX_KEY:
        detail = f"Use an Idempotency-Key of at most {MAX_KEY} characters."
        raise invalid_parameter("Idempotency-Key", detail, "invalid_idempotency_key")
    async with db.transaction(org_id) as conn:
        if (stored := await _replay(conn, org_id, call, response_type)) is not None:
            return stored
        if QUOTA in db.quotas:
            await db.quotas.spend(conn, org_id, QUOTA)
        answer = await act(conn)
        body = None if secret else answer.SerializeToString()
        named = resource_id(answer) if resource_id else None
        fingerprint = call.idempotency_fingerprint.partition(",")[0]
        await conn.execute(_STORE, org_id, call.idempotency_key, fingerprint, body, named, KEPT_HOURS)
        return answer


async def stored_answer(db: Database, org_id: str, response_type: type[M]) -> M | None:
    """The answer of an earlier request under the key of this call, None without one: for a write that asks strangers
    before its transaction, which a repetition must not do again."""
    call = current_call()
    if not call.idempotency_key or len(call.idempotency_key) > MAX_KEY:
        return None
    async with db.transaction(org_id) as conn:
        return await _replay(conn, org_id, call, response_type)


async def _replay(conn: Connection, org_id: str, call: CallContext, response_type: type[M]) -> M | None:
    """The stored answer of this key, told as a replay; None when this call is the first."""
    if not await conn.fetchval(_TRY_LOCK, f"idempotency\x1f{org_id}\x1f{call.idempotency_key}"):
        raise Aborted(
            "idempotency_in_progress", "A request with this key is still running. Try again.", retry_after=1.0
        )
    row = await conn.fetchrow(_LOOK, org_id, call.idempotency_key)
    if row is None:
        return None
    # One by each secret of the gateways while a secret is replaced.
    if row["fingerprint"] not in call.idempotency_fingerprint.split(","):
        raise InvalidArgument(
            "idempotency_key_reused", "This Idempotency-Key was used for another request. Choose a new key."
        )
    if row["response"] is None:
        raise AlreadyExists(
            "secret_already_shown",
            "This request was done before, and its secret is shown only once.",
            metadata={"resourceId": row["resource_id"]} if row["resource_id"] else None,
        )
    set_response_header(REPLAYED_HEADER, "true")
    call.audited = None  # the first request was recorded
    return response_type.FromString(row["response"])
