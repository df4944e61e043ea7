import dataclasses

import pytest

from gateway.config import GatewaySettings
from libs.config import ConfigError, load

STORES = ("DATABASE", "POOL_", "EVENTS_", "ENCRYPTION_")


def test_the_gateway_reads_no_setting_of_a_database() -> None:
    fields = dataclasses.fields(GatewaySettings)
    names = {field.metadata["env"] for field in fields if "env" in field.metadata}
    names |= {name for field in fields for name, _ in field.metadata.get("map", {}).values()}
    assert {name for name in names if name.startswith(STORES)} == set()
    assert {"PRINCIPAL_SIGNING_KEY", "PUBLIC_URL", "LOG_LEVEL"} <= names


def test_its_environment_is_still_checked() -> None:
    with pytest.raises(ConfigError, match="ENVIRONMENT must be local or production"):
        load(GatewaySettings, {"ENVIRONMENT": "staging"})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SECURITY_CONTACTS", "security@example.com"),
        ("SECURITY_CONTACTS", "http://example.com/report"),
        ("SECURITY_CONTACTS", "https://example.com/a, https://example.com/b c"),
        ("SECURITY_CONTACTS", "mailto:security@example.com\nExpires: never"),
        ("SECURITY_POLICY_URL", "http://example.com/policy"),
        ("SECURITY_CONTACT_DAYS", "0"),
        ("SECURITY_CONTACT_DAYS", "366"),
    ],
)
def test_what_cannot_stand_in_a_security_txt_is_refused_by_its_name(setting: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(GatewaySettings, {setting: value})
    [told] = refused.value.problems
    assert told.startswith(f"{setting} must be")
