"""The table of the gateways' load from the text that they serve."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.middleware.admission import Lanes, Place
from libs.telemetry.metrics import BREAKER_OPEN, LOOP_LAG_SECONDS, REGISTRY
from local.ops.load import LANES, row_of


def test_a_row_tells_lanes_refusals_lag_and_open_breakers() -> None:
    lanes = Lanes(16)
    place, other = Place(lanes, lanes.organizations, "org_1"), Place(lanes, lanes.anonymous, "10.0.0.1")
    other.answer("/api/login")
    LOOP_LAG_SECONDS.set(0.0123)
    BREAKER_OPEN.labels("agent").set_function(lambda: 1.0)
    BREAKER_OPEN.labels("billing").set_function(lambda: 0.0)
    before = row_of("gateway", samples())["refused"]
    lanes.count(lanes.organizations)
    lanes.count(lanes.deliveries)
    assert row_of("gateway-1", samples()) == {
        "gateway": "gateway-1",
        "organizations": "1/16",
        "anonymous": "0/4",
        "deliveries": "0/32",
        "first_deliveries": "0/32",
        "lookups": "0/32",
        "transfers": "0/16",
        "anonymous_transfers": "0/16",
        "delivery_transfers": "0/32",
        "first_delivery_transfers": "0/32",
        "answers": "1/16",
        "refused": before + 2,
        "loop_lag_ms": 12.3,
        "open_breakers": "agent",
    }
    BREAKER_OPEN.labels("agent").set_function(lambda: 0.0)
    assert row_of("gateway-1", samples())["open_breakers"] == "none"
    place.leave()


def samples() -> list[Sample]:
    text = generate_latest(REGISTRY).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_the_lanes_of_the_table_are_those_of_a_gateway() -> None:
    lanes = Lanes(16)
    assert tuple(lane.name for lane in lanes.all) == LANES
