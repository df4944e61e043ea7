"""`make clients`: openapi-python-client, datamodel-codegen and openapi-typescript make clients without a warning.

Each parses every recorded answer and every body of the document, and two run the journey against a suite of their own.
A linter finds nothing in the document.
`--short` is for `make check`: no journey, and only what Python alone can do. The generators live in an environment of
their own (var/clients, 0.2 GB), because they ask for other versions of our packages.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.paths import ROOT
from local.runner.suite import Suite
from local.terminal import say
from local.tools import npm_packages
from local.tools.environments import ensure_npm_packages, ensure_tools, run_tool, tool_environment

DOCUMENT = ROOT / "gateway" / "openapi.json"
ENVIRONMENT = ROOT / "var" / "clients"
# Pinned, so that a new release of a generator does not fail a check that passed.
PYTHON_TOOLS = ("openapi-python-client==0.29.1", "datamodel-code-generator==0.89.0", "pydantic[email]>=2.11")
_HERE = Path(__file__).parent
# /api/users/invitations/{id} and /api/users/{id}/agent-grants: an id has a prefix, so no path is both.
_LEFT_OUT = ("no-ambiguous-paths",)
_COMPILER = {
    "compilerOptions": {
        "strict": True, "target": "ES2022", "module": "ES2022", "moduleResolution": "bundler", "types": ["node"],
        "outDir": "built",
    },
    "files": ["answers.ts", "journey.ts"],
}  # fmt: skip


def main(arguments: list[str]) -> int:
    short = "--short" in arguments
    ensure_tools("clients", PYTHON_TOOLS)
    _generate_python()
    _run([str(_python()), str(_HERE / "parse.py"), str(DOCUMENT)], "the Python clients")
    if short:
        return 0
    _install_node()
    _lint()
    _generate_typescript()
    with tempfile.TemporaryDirectory() as folder, Suite(Path(folder)) as suite:
        where = [suite.url, suite.api_key, str(ROOT / "services" / "knowledge" / "samples" / "americas.pdf")]
        _run([str(_python()), str(_HERE / "journey.py"), *where], "the journey in Python")
        _run(["node", str(ENVIRONMENT / "built" / "journey.js"), *where], "the journey in TypeScript")
    return 0


def _python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def _install_node() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise SystemExit("make clients checks a TypeScript client too: install node and npm first.")
    ensure_npm_packages(ENVIRONMENT, npm_packages.CLIENTS)


def _generate_python() -> None:
    tools = ENVIRONMENT / "bin"
    _quiet([str(tools / "openapi-python-client"), "generate", "--path", str(DOCUMENT), "--output-path", "opc",
            "--overwrite", "--meta", "none", "--fail-on-warning"], expected="Generating opc")  # fmt: skip
    _quiet([str(tools / "datamodel-codegen"), "--input", str(DOCUMENT), "--input-file-type", "openapi", "--output",
            "models.py", "--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11",
            "--enum-field-as-literal", "all", "--formatters", "builtin"])  # fmt: skip


def _lint() -> None:
    """The linter exits with 0 where it only warns, so its report is read."""
    done = subprocess.run(  # noqa: S603
        ["npx", "redocly", "lint", str(DOCUMENT), "--format", "json", "--skip-rule", *_LEFT_OUT],  # noqa: S607
        cwd=ENVIRONMENT, check=False, text=True, capture_output=True,
        env={**tool_environment(ENVIRONMENT), "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )  # fmt: skip
    if not done.stdout:
        sys.exit(done.stderr)
    problems = json.loads(done.stdout)["problems"]
    if problems:
        sys.exit("\n".join(f"{one['ruleId']}: {one['message']} {one['location'][0]['pointer']}" for one in problems))
    say("the recommended rules of redocly: pass")


def _generate_typescript() -> None:
    _run(["npx", "openapi-typescript", str(DOCUMENT), "-o", "api.ts"])
    (ENVIRONMENT / "answers.ts").write_text("\n".join(_answers()), encoding="utf-8")
    shutil.copy(_HERE / "journey.ts", ENVIRONMENT / "journey.ts")
    (ENVIRONMENT / "tsconfig.json").write_text(json.dumps(_COMPILER), encoding="utf-8")
    _run(["npx", "tsc", "-p", "tsconfig.json"], "the TypeScript client")


def _answers() -> Iterator[str]:
    """Every recorded answer and every example of a body as a constant of its generated type."""
    yield 'import type { paths } from "./api";'
    document = json.loads(DOCUMENT.read_bytes())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            here = f"paths[{json.dumps(path)}]['{method}']"
            name = operation["operationId"]
            for status, response in operation["responses"].items():
                yield from _constants(f"{name}_{status}", f"{here}['responses'][{status}]['content']", response)
            body = operation.get("requestBody", {})
            yield from _constants(f"{name}_body", f"NonNullable<{here}['requestBody']>['content']", body)


def _constants(name: str, content: str, declared: dict[str, Any]) -> Iterator[str]:
    for number, (kind, media) in enumerate(declared.get("content", {}).items()):
        if "example" in media:
            yield f"export const {name}_{number}: {content}['{kind}'] = {json.dumps(media['example'])};"


def _run(command: list[str], passed: str = "") -> None:
    run_tool(ENVIRONMENT, command)
    if passed:
        say(f"{passed}: passes")


def _quiet(command: list[str], expected: str = "") -> None:
    """Runs a generator, for which a single word more than `expected` is a fault of the document."""
    done = subprocess.run(  # noqa: S603
        command, cwd=ENVIRONMENT, env=tool_environment(ENVIRONMENT), check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode != 0 or done.stdout.strip() != expected:
        sys.exit(f"{Path(command[0]).name} says:\n{done.stdout}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
