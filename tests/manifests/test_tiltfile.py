"""The Tiltfile, evaluated against stand-ins of Tilt's functions, declares exactly the resources of the architecture."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import starlark

from suite.services import SERVICES
from tests.manifests.conftest import ROOT

Objects = list[dict[str, Any]]
NAMES = [service.deployable for service in SERVICES.values()]
STORES = {"first-secrets", "postgres", "redis", "nats"}
SCHEDULES = {"rotate-keys", "retire-keys"}
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


class Tilt:
    """Records what a Tiltfile declares."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.flags = flags
        self.images: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.local: dict[str, dict[str, Any]] = {}
        self.enabled: list[str] = []

    def evaluate(self) -> Tilt:
        module = starlark.Module()
        for name, function in self._functions().items():
            module.add_callable(name, function)
        for name in ("TRIGGER_MODE_MANUAL", "TRIGGER_MODE_AUTO"):
            module[name] = name
        text = (ROOT / "Tiltfile").read_text(encoding="utf-8")
        for room, prefix in (("config", "config_"), ("os", "os_")):
            for member in ("define_string_list", "define_bool", "define_string", "parse", "set_enabled_resources",
                           "getenv", "path.exists"):  # fmt: skip
                text = text.replace(f"{room}.{member}(", f"{prefix}{member.replace('.', '_')}(")
        dialect = starlark.Dialect.extended()
        dialect.enable_top_level_stmt = True
        starlark.eval(module, starlark.parse("Tiltfile", text, dialect), starlark.Globals.standard())
        return self

    def _functions(self) -> dict[str, Callable[..., Any]]:
        ignored = ("allow_k8s_contexts", "k8s_yaml", "config_define_string_list", "config_define_bool",
                   "config_define_string")  # fmt: skip
        return {
            **{name: lambda *_, **__: None for name in ignored},
            "k8s_context": lambda: "kind-kind",
            "kustomize": lambda path: path,
            "config_parse": lambda: self.flags,
            "config_set_enabled_resources": self.enabled.extend,
            "os_getenv": lambda name, default="": default,
            "os_path_exists": lambda path: False,
            "fall_back_on": lambda paths: ["fall_back_on", *paths],
            "sync": lambda source, target: ["sync", source, target],
            "docker_build": lambda name, context, **options: self.images.__setitem__(name, options),
            "k8s_resource": lambda name, **options: self.resources.__setitem__(name, options),
            "local_resource": lambda name, cmd, **options: self.local.__setitem__(name, options),
        }


def everything() -> set[str]:
    return {
        "gateway",
        *STORES,
        *SCHEDULES,
        *(f"{name}{end}" for name in NAMES for end in ("", "-worker", "-migration")),
    }


def test_it_declares_every_workload_of_the_local_overlay_and_nothing_else(local_objects: Objects) -> None:
    tilt = Tilt({}).evaluate()
    built = {item["metadata"]["name"] for item in local_objects if item["kind"] in WORKLOADS}
    assert set(tilt.resources) == built == everything()
    assert built <= set(tilt.enabled), "Tilt leaves out what is not enabled"
    used = {
        container["image"]
        for item in local_objects
        if item["kind"] in WORKLOADS
        for container in item["spec"].get("jobTemplate", item)["spec"]["template"]["spec"]["containers"]
    }
    assert set(tilt.images) == {image for image in used if image.startswith("echosenseix/")}


def test_every_resource_has_a_label_and_waits_only_for_what_exists() -> None:
    tilt = Tilt({}).evaluate()
    for name, options in tilt.resources.items():
        assert options["labels"], name
        assert set(options.get("resource_deps", [])) <= set(tilt.resources), name
    assert "postgres" in tilt.resources["agent-migration"]["resource_deps"]
    assert "agent-migration" in tilt.resources["agent"]["resource_deps"]
    assert set(tilt.resources["gateway"]["resource_deps"]) == set(NAMES)


def test_every_image_is_the_development_target_and_updates_its_own_room_in_place() -> None:
    for name, options in Tilt({}).evaluate().images.items():
        assert options["target"] == "dev", name
        room = options["build_args"]["ROOM"]
        assert (ROOT / room).is_dir(), name
        assert ["sync", room, f"/app/{room}"] in [list(step) for step in options["live_update"]], name
        assert (ROOT / "requirements" / f"{options['build_args']['GROUP']}.txt").is_file(), name


def test_chosen_services_leave_the_others_out() -> None:
    tilt = Tilt({"services": ["agent"]}).evaluate()
    assert set(tilt.resources) == {"gateway", *STORES, *SCHEDULES, "agent", "agent-worker", "agent-migration"}
    assert "billing" not in tilt.enabled


def test_an_unknown_service_is_refused_by_name() -> None:
    with pytest.raises(starlark.StarlarkError, match="unknown service biling"):
        Tilt({"services": ["biling"]}).evaluate()


def test_every_image_holds_every_package_that_its_room_may_import() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(configuration["tool"]["importlinter"]["root_packages"])
    shared = packages - {"gateway", "services", "local", "echosenseix"} | {"protos"}
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for package in shared:
        assert f"COPY {package}/ {package}/" in dockerfile, package
        for name, options in Tilt({}).evaluate().images.items():
            assert package in options["only"], (name, package)
