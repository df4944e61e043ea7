"""Situations of the field at receivers of webhooks: body and type, rotation, redirects, what Retry-After may say."""

from __future__ import annotations

import json

import pytest
from standardwebhooks import Webhook

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.errors import InvalidArgument
from services.realtime.domain.delivery import CONTENT_TYPES
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.hooks import Endpoints, caller
from tests.integration.services.realtime.receiver import Receiver


async def test_a_delivery_of_other_letters_verifies_over_its_raw_body(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_w1", receiver.url)
        await realtime.emit("org_w1", summary='Größe 😀 \u2028 東京 "\\')
        await until(lambda: bool(receiver.requests), 15)
        got = receiver.requests[0]
    envelope = Webhook(created.secret).verify(got.body, got.headers)
    assert envelope["data"]["summary"] == 'Größe 😀 \u2028 東京 "\\'


async def test_a_delivery_is_json_unless_its_endpoint_wants_cloudevents(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    """Parsers of receivers are keyed to application/json; of another type they leave the body empty."""
    async with Receiver() as plain, Receiver() as cloud:
        created = await endpoints.create("org_w3", plain.url)
        assert created.endpoint.content_type == "application/json"
        other = await endpoints.create("org_w3", cloud.url, content_type="application/cloudevents+json")
        assert other.endpoint.content_type == "application/cloudevents+json"
        await realtime.emit("org_w3")
        await until(lambda: bool(plain.requests and cloud.requests), 15)
        got = [receiver.requests[0].headers["content-type"] for receiver in (plain, cloud)]
        assert got == ["application/json", "application/cloudevents+json"]
        assert plain.requests[0].body == cloud.requests[0].body
        changed = await endpoints.change("org_w3", other.endpoint.id, content_type="")
        assert changed.content_type == CONTENT_TYPES[0]
        await realtime.emit("org_w3")
        await until(lambda: len(cloud.requests) == 2, 15)
        assert cloud.requests[1].headers["content-type"] == "application/json"
    with pytest.raises(InvalidArgument) as refused:
        await endpoints.create("org_w3", "https://example.com/x", content_type="text/xml")
    assert [violation.pointer for violation in refused.value.violations] == ["#/contentType"]


@pytest.mark.parametrize(
    ("started_at", "shown"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.500Z"),
        ("2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05.123Z"),
    ],
)
async def test_a_time_in_a_delivery_always_has_milliseconds(
    realtime: Realtime, endpoints: Endpoints, started_at: str, shown: str
) -> None:
    org_id = f"org_ms_{len(started_at)}"
    async with Receiver() as receiver:
        await endpoints.create(org_id, receiver.url)
        await realtime.emit(org_id, startedAt=started_at)
        await until(lambda: bool(receiver.requests), 15)
        envelope = json.loads(receiver.requests[0].body)
    assert envelope["data"]["startedAt"] == shown
    assert len(envelope["time"]) == len(shown)


async def test_after_a_rotation_the_old_and_the_new_secret_verify(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_w2", receiver.url)
        with caller("org_w2"):
            request = pb.RotateWebhookSecretRequest(id=created.endpoint.id)
            rotated = await endpoints.servicer.RotateWebhookSecret(request, None)
        await realtime.emit("org_w2")
        await until(lambda: bool(receiver.requests), 15)
        got = receiver.requests[0]
    for secret in (created.secret, rotated.secret):
        assert Webhook(secret).verify(got.body, got.headers)["type"] == "call.ended"


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_a_redirect_is_not_followed_and_counts_as_a_failure(
    realtime: Realtime, endpoints: Endpoints, status: str
) -> None:
    org_id = f"org_w4_{status[:3]}"
    async with Receiver() as elsewhere, Receiver(answers=[f"{status}\r\nLocation: {elsewhere.url}"]) as receiver:
        created = await endpoints.create(org_id, receiver.url)
        await realtime.emit(org_id)
        failed = await endpoints.settled(org_id, created.endpoint.id, lambda row: row.attempts == 1)
        assert (failed.status, failed.last_status_code) == ("pending", int(status[:3]))
        assert elsewhere.requests == []


# What the header says, and the seconds to the next attempt: the schedule's five with their jitter, or at most a day.
@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("NaN", 4, 6),
        ("-5", 4, 6),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 4, 6),
        ("soon", 4, 6),
        ("120", 118, 121),
        ("9999999999", 86_000, 86_400),
        ("Fri, 31 Dec 2345 23:59:59 GMT", 86_000, 86_400),
    ],
)
async def test_an_absurd_retry_after_moves_no_delivery_out_of_reach(
    realtime: Realtime, endpoints: Endpoints, said: str, least: int, most: int
) -> None:
    org_id = f"org_w5_{said[:3].strip(', ')}_{most}"
    async with Receiver(answers=[f"503 Down\r\nRetry-After: {said}"]) as receiver:
        created = await endpoints.create(org_id, receiver.url)
        await realtime.emit(org_id)
        failed = await endpoints.settled(org_id, created.endpoint.id, lambda row: row.attempts == 1)
    planned = failed.next_attempt_time.ToDatetime() - failed.create_time.ToDatetime()
    assert least <= planned.total_seconds() <= most + 10


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://bücher.example/hook", "https://xn--bcher-kva.example/hook"),
        ("https://example.com/größe?q=Öl", "https://example.com/gr%C3%B6%C3%9Fe?q=%C3%96l"),
    ],
)
async def test_an_address_of_other_letters_is_kept_as_it_goes_on_the_wire(
    endpoints: Endpoints, url: str, stored: str
) -> None:
    created = await endpoints.create("org_w6", url)
    assert created.endpoint.url == stored
    changed = await endpoints.change("org_w6", created.endpoint.id, url=url + "&x=ß" if "?" in url else url + "?x=ß")
    assert changed.url.endswith("x=%C3%9F")


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("https://\u2603\ufe0f.example/x", "invalid_url", "domain name"),
        ("https://exa\tmple.com/x", "invalid_url", "URL"),
        ("https://exa\\mple.com/x", "invalid_url", "percent-encoded"),
        ("https://-.example/x", "invalid_url", "host"),
        ("https://１０.０.０.１/x", "forbidden_address", "public"),
        ("http://localhost/x", "forbidden_address", "public"),
    ],
)
async def test_an_address_is_refused_for_what_it_is(endpoints: Endpoints, url: str, code: str, word: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await endpoints.create("org_w6", url)
    [violation] = refused.value.violations
    assert (violation.pointer, violation.code) == ("#/url", code)
    assert word in violation.detail
