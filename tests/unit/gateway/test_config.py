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
