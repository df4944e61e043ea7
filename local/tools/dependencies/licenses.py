"""Licenses as SPDX expressions: what a package's metadata states, and which ones may be depended on.

requirements/licenses.toml has the lists, and an entry for each package whose metadata states too little.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from boolean import Expression
from cyclonedx.spdx import fixup_id, is_expression
from license_expression import get_spdx_licensing

from local.tools.dependencies.locks import REQUIREMENTS

LICENSES = REQUIREMENTS / "licenses.toml"
_SPDX = get_spdx_licensing()
_CLASSIFIED = "License :: OSI Approved :: "
# "BSD License" is not among them: it names a family, and the file in licenses.toml says which member.
OF_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def policy() -> dict[str, Any]:
    return tomllib.loads(LICENSES.read_text("utf-8"))


def of_metadata(metadata: Mapping[str, Any]) -> str | None:
    """The SPDX expression of a package's core metadata (as JSON), or None where it states none that can be read."""
    written = metadata.get("license_expression") or metadata.get("license") or ""
    if written not in ("", "UNKNOWN") and is_expression(written):
        return str(written)
    if identifier := fixup_id(written):
        return identifier
    classifiers = {
        OF_CLASSIFIERS.get(name.removeprefix(_CLASSIFIED))
        for name in metadata.get("classifier", [])
        if name.startswith(_CLASSIFIED)
    }
    return classifiers.pop() if len(classifiers) == 1 else None


def is_allowed(expression: str, allowed: Collection[str]) -> bool:
    """Whether what is demanded is among `allowed`: every part of an AND, and any part of an OR."""
    return _holds(_SPDX.parse(expression, validate=True), allowed)


def _holds(expression: Expression, allowed: Collection[str]) -> bool:
    if isinstance(expression, _SPDX.AND):
        return all(_holds(part, allowed) for part in expression.args)
    if isinstance(expression, _SPDX.OR):
        return any(_holds(part, allowed) for part in expression.args)
    return str(expression) in allowed
