"""Settings of identity that contradict each other are refused at the start."""

from __future__ import annotations

import pytest

from libs.config import ConfigError, load
from services.identity.config import IdentitySettings

OPENID = {
    "OPENID_ISSUER": "https://provider.example.com",
    "OPENID_CLIENT_ID": "echosenseix",
    "OPENID_CLIENT_SECRET": "a secret",
}


@pytest.mark.parametrize("verification", [{"EMAIL_VERIFICATION": "none"}, {}])
def test_openid_needs_verified_addresses(verification: dict[str, str]) -> None:
    """A subject is linked with the account of its address: another person could have registered that one before."""
    load(IdentitySettings, {**OPENID, "EMAIL_VERIFICATION": "link"})
    load(IdentitySettings, verification)
    with pytest.raises(ConfigError, match="EMAIL_VERIFICATION must be link where OPENID_ISSUER is set"):
        load(IdentitySettings, {**OPENID, **verification})
