"""Limits that the document states are the ones that services enforce."""

from __future__ import annotations

import json
import re

import pytest

from gateway.http.wire import micros_from_json
from gateway.routes.documentation import FILE
from libs.errors import InvalidArgument
from services.billing.domain.credit import check_top_up

SCHEMAS = json.loads(FILE.read_bytes())["components"]["schemas"]
AMOUNTS = [
    "0", "0.00", "0.001", "0.009999", "0.01", "0.010000", "00.01", "1", "000001", "1.5", "1.50", "1.505", "1.550000",
    "99999.99", "99999.999", "100000", "100000.00", "100000.000000", "100000.01", "100001", "0100000", "999999",
    "1000000", "10.0000001", "-1", "+1", "1e3", "", " 1", "1.", ".5", "\u0661",
]  # fmt: skip


def is_taken(amount: str) -> bool:
    try:
        check_top_up(micros_from_json(amount), "USD", "USD")
    except (ValueError, InvalidArgument):
        return False
    return True


@pytest.mark.parametrize("schema", ["TopUpBody", "CreditBody"])
def test_the_amounts_of_the_document_are_the_ones_that_billing_takes(schema: str) -> None:
    pattern = re.compile(SCHEMAS[schema]["properties"]["amount"]["pattern"])
    documented = [amount for amount in AMOUNTS if pattern.search(amount)]
    assert documented == [amount for amount in AMOUNTS if is_taken(amount)]
    assert 0 < len(documented) < len(AMOUNTS)
