"""Balance, usage and the ledger."""

from starlette.responses import Response

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http import lists, responses
from gateway.http.query import words
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import set_time
from gateway.schemas.billing import (
    Balance,
    LedgerEntry,
    LedgerQuery,
    Reconciliation,
    UsageQuery,
    UsageRow,
    balance_from_proto,
    ledger_entry_from_proto,
    reconciliation_from_proto,
    usage_row_from_proto,
)
from gateway.schemas.calls import WindowQuery
from gateway.state import ApiRequest

# Seconds. A reconciliation reads every call and usage event of its window.
_RECONCILE_SECONDS = 20.0


async def get_balance(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.GetBalance(pb.GetBalanceRequest())
    return responses.ok(balance_from_proto(answer.balance))


async def list_usage(request: ApiRequest[UsageQuery, NoBody]) -> Response:
    groups = words(request.query.group_by)
    message = pb.ListUsageRequest(group_by=groups, page=lists.page_request(request.query))
    set_time(message.from_time, request.query.from_)
    set_time(message.to_time, request.query.to)
    answer = await request.app.clients.billing.ListUsage(message)
    return lists.page_response(request, answer.rows, answer.page_info, usage_row_from_proto)


async def list_ledger(request: ApiRequest[LedgerQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.ListLedgerEntries(
        pb.ListLedgerEntriesRequest(
            page=lists.page_request(request.query), type=request.query.type or "", call_id=request.query.call_id or ""
        )
    )
    return lists.page_response(request, answer.entries, answer.page_info, ledger_entry_from_proto)


async def reconcile(request: ApiRequest[WindowQuery, NoBody]) -> Response:
    message = pb.ReconcileRequest()
    set_time(message.from_time, request.query.from_)
    set_time(message.to_time, request.query.to)
    return responses.ok(reconciliation_from_proto(await request.app.clients.billing.Reconcile(message)))


ROUTES = tagged(
    "Billing",
    Route("GET", "/api/billing/balance", get_balance, "Read the balance", scope="billing:read", answer=Balance),
    Route(
        "GET",
        "/api/billing/usage",
        list_usage,
        "Sum usage by group",
        scope="billing:read",
        query=UsageQuery,
        answer=list[UsageRow],
    ),
    Route(
        "GET",
        "/api/billing/ledger",
        list_ledger,
        "List ledger entries",
        scope="billing:read",
        query=LedgerQuery,
        answer=list[LedgerEntry],
    ),
    Route(
        "GET",
        "/api/billing/reconcile",
        reconcile,
        "Compare calls, usage events and ledger",
        scope="billing:read",
        query=WindowQuery,
        answer=Reconciliation,
        seconds=_RECONCILE_SECONDS,
    ),
)
