"""The registry names every provider once, and each declaration is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

import providers
from providers.interface.envelopes import Makes, refuse_audio
from providers.interface.provider import Provider
from providers.registry import DEFAULT_PROVIDER, PROVIDERS

ROOT = Path(providers.__file__).parent
FOLDERS = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"interface"}


def test_every_folder_is_in_the_registry_under_its_own_name() -> None:
    assert set(PROVIDERS) == FOLDERS
    assert all(name == provider.name for name, provider in PROVIDERS.items())
    assert DEFAULT_PROVIDER in PROVIDERS


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_a_webhook_has_a_path_of_its_own_and_headers_in_lower_case(provider: Provider) -> None:
    webhook = provider.webhook
    assert webhook.path.startswith(f"/api/webhooks/{provider.name}/{{orgToken}}")
    assert webhook.address("https://api.example.com", "tok") == (
        "https://api.example.com" + webhook.path.replace("{orgToken}", "tok")
    )
    assert webhook.proof_headers
    assert all(name == name.lower() for name in webhook.proof_headers)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_a_provider_whose_webhooks_carry_recordings_can_read_them(provider: Provider) -> None:
    carries = Makes.RECORDING in provider.shape.makes.values()
    assert carries == (provider.read_audio is not refuse_audio)
    assert Makes.CALL in provider.shape.makes.values()
