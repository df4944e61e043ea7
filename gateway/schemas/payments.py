"""Money coming in: top-ups and granted credit. Amounts are decimal strings."""

from typing import Annotated, Literal

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http.schema import Answer, Body, limits
from gateway.http.wire import time_to_json
from gateway.schemas.billing import Balance, balance_from_proto
from libs.json_rows import micros_to_json

# 0.01 to 100000.00 in whole cents; zeros may lead and follow.
Amount = Annotated[str, limits(pattern=r"^(?![0.]*$)0{0,6}([0-9]{1,5}(\.[0-9]{1,2}0{0,4})?|100000(\.0{1,6})?)$")]
Currency = Annotated[str, limits(pattern="^[A-Z]{3}$")]


class TopUp(Answer):
    """The balance is the one that the top-up led to, once it is settled."""

    id: str
    amount: str
    currency: str
    status: Literal["pending", "settled", "failed", "expired", "reversed"]
    # Where the customer pays; null once the top-up is not pending.
    payment_url: str | None
    # Taken back by refunds and disputes.
    reversed_amount: str
    balance: Balance
    created_at: str | None


class TopUpBody(Body):
    amount: Amount
    currency: Currency = "USD"


class CreditBody(Body):
    amount: Amount
    reason: Annotated[str, limits(minLength=1, maxLength=500)]
    currency: Currency = "USD"


class CreditGrant(Answer):
    id: str
    ledger_entry_id: str
    amount: str
    currency: str
    balance: Balance
    created_at: str | None


def top_up_from_proto(answer: pb.CreateTopUpResponse | pb.GetTopUpResponse) -> TopUp:
    top_up = answer.top_up
    return TopUp(
        id=top_up.id,
        amount=micros_to_json(top_up.amount.micros),
        currency=top_up.amount.currency,
        status=top_up.status,  # type: ignore[arg-type]  # the service sends these words only
        payment_url=top_up.payment_url or None,
        reversed_amount=micros_to_json(top_up.reversed_micros),
        balance=balance_from_proto(answer.balance),
        created_at=time_to_json(top_up.create_time),
    )


def grant_from_proto(answer: pb.GrantCreditResponse) -> CreditGrant:
    return CreditGrant(
        id=answer.grant_id,
        ledger_entry_id=answer.entry.id,
        amount=micros_to_json(answer.entry.amount_micros),
        currency=answer.entry.currency,
        balance=balance_from_proto(answer.balance),
        created_at=time_to_json(answer.entry.create_time),
    )
