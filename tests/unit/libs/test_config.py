from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from libs.config import ConfigError, ServiceSettings, load, secret_values, setting, settings_map


@dataclass(frozen=True, slots=True)
class ExampleSettings(ServiceSettings):
    name: str = setting("NAME", help="what it is called")
    count: int = setting("COUNT", 3)
    ratio: float = setting("RATIO", 0.5)
    on: bool = setting("ON", False)
    parts: tuple[str, ...] = setting("PARTS", ())
    numbers: tuple[int, ...] = setting("NUMBERS", ())
    maybe: int | None = setting("MAYBE", None)
    password: str = setting("PASSWORD", "", secret=True)


def test_values_take_their_types() -> None:
    settings = load(
        ExampleSettings,
        {"NAME": "x", "COUNT": "7", "RATIO": "1.5", "ON": "yes", "PARTS": "a, b,", "NUMBERS": "1,2", "MAYBE": "4"},
    )
    assert (settings.name, settings.count, settings.ratio, settings.on) == ("x", 7, 1.5, True)
    assert (settings.parts, settings.numbers, settings.maybe) == (("a", "b"), (1, 2), 4)
    assert (settings.pool_max, settings.connect_timeout, settings.idle_seconds) == (50, 3.0, 30.0)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load(ExampleSettings, {"COUNT": "many", "ON": "perhaps"}, require=("database_url",))
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "NAME is required (what it is called)" in text
    assert "COUNT must be a whole number" in text
    assert "ON must be true or false" in text
    assert "DATABASE_URL is required by this command" in text


def test_a_wrong_value_is_not_echoed() -> None:
    with pytest.raises(ConfigError) as caught:
        load(ExampleSettings, {"NAME": "x", "COUNT": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_secret_comes_from_a_file_and_stays_out_of_repr(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n", "utf-8")
    settings = load(ExampleSettings, {"NAME": "x", "PASSWORD_FILE": str(file)})
    assert settings.password == "correct horse"
    assert "correct horse" not in repr(settings)
    assert "correct horse" in secret_values(settings)


def test_two_sources_of_one_setting_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both set"):
        load(ExampleSettings, {"NAME": "x", "PASSWORD": "a", "PASSWORD_FILE": str(tmp_path / "b")})


def test_an_unreadable_file_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PASSWORD names an unreadable file: FileNotFoundError"):
        load(ExampleSettings, {"NAME": "x", "PASSWORD_FILE": str(tmp_path / "absent")})


@pytest.mark.parametrize(
    "environ", [{"ENVIRONMENT": "staging"}, {"POOL_MIN": "9", "POOL_MAX": "3"}, {"POOL_MAX": "0", "POOL_MIN": "0"}]
)
def test_impossible_settings_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        load(ServiceSettings, environ)


@dataclass(frozen=True, slots=True)
class PeerSettings:
    peers: Mapping[str, str] = settings_map({"a": ("A_GRPC", "here:1"), "b": ("B_GRPC", "here:2")}, help="host:port")


def test_a_map_is_read_from_one_variable_for_each_key(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text("there:3\n", "utf-8")
    assert load(PeerSettings, {"B_GRPC": "there:2"}).peers == {"a": "here:1", "b": "there:2"}
    assert load(PeerSettings, {"A_GRPC_FILE": str(file)}).peers == {"a": "there:3", "b": "here:2"}
    assert PeerSettings().peers == {"a": "here:1", "b": "here:2"}
    with pytest.raises(ConfigError, match=r"B_GRPC and B_GRPC_FILE are both set; keep one \(host:port\)"):
        load(PeerSettings, {"B_GRPC": "x", "B_GRPC_FILE": str(file)})
