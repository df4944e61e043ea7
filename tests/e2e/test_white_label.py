"""White-label settings over HTTP: what an organization sets, and what a stranger's browser gets."""

from __future__ import annotations

import base64

from tests.unit.services.identity.domain.test_white_label import png

from .conftest import Customer, problem

SETTINGS = "/api/whitelabel"


def test_settings_and_their_logo_are_changed_and_read(ada: Customer) -> None:
    before = ada.http.get(SETTINGS)
    assert (before.json()["version"], before.headers["etag"]) == (0, '"0"')
    logo = base64.b64encode(png(120, 40)).decode()
    sent = {"productName": "Engines Voice", "primaryColor": "#7C2D12", "logo": logo}
    changed = ada.http.patch(SETTINGS, json=sent, headers={"If-Match": before.headers["etag"]})
    assert changed.status_code == 200, changed.text
    assert changed.json().items() >= {"productName": "Engines Voice", "primaryColor": "#7c2d12", "version": 1}.items()
    problem(ada.http.patch(SETTINGS, json=sent, headers={"If-Match": '"0"'}), 412, "stale_version")
    shown = ada.bearing(None).get(changed.json()["logoUrl"])
    assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, png(120, 40), "image/png")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in shown.headers["cache-control"]
    bad = ada.http.patch(SETTINGS, json={"logo": "no base64!", "primaryColor": "blue"})
    assert problem(bad, 422, "validation_failed")["errors"][0]["pointer"] == "#/logo"
    assert ada.http.get(SETTINGS).json() == changed.json()


def test_a_strangers_page_shows_the_suite_until_a_host_is_proved(ada: Customer, bob: Customer) -> None:
    made = bob.http.post(f"{SETTINGS}/hosts", json={"host": "Voice.Bob.example"})
    assert made.status_code == 201, made.text
    assert made.json().items() >= {"host": "voice.bob.example", "verifiedAt": None}.items()
    assert made.json()["recordName"] == "_echosenseix.voice.bob.example"
    stranger = ada.bearing(None)
    waiting = stranger.get(f"{SETTINGS}/public", params={"host": "voice.bob.example"})
    unknown = stranger.get(f"{SETTINGS}/public", params={"host": "other.example"})
    assert (waiting.status_code, waiting.json()) == (200, unknown.json())
    assert waiting.json()["productName"] == "EchoSenseiX"
    assert waiting.headers["cache-control"] == "public, max-age=60"
    assert stranger.get(f"{SETTINGS}/public").json() == unknown.json()
    problem(ada.http.delete(f"{SETTINGS}/hosts/{made.json()['id']}"), 404, "host_not_found")
    assert bob.http.delete(f"{SETTINGS}/hosts/{made.json()['id']}").status_code == 204
