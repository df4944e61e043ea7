"""Every recorded answer and every body of the document through the generated Python clients, there and back.

Runs in the environment of the generators: `python parse.py openapi.json`, in the folder with `opc` and `models`.
"""

from __future__ import annotations

import importlib
import json
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

# Below this the document has lost its examples.
_LEAST = 90


def main(document: dict[str, Any]) -> int:
    sys.path.insert(0, str(Path.cwd()))
    models, problems = importlib.import_module("models"), []
    checked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for what, sent, schema, parsed in _examples(operation):
                checked += 1
                name = schema.get("$ref", "").rpartition("/")[2]
                kept = {"openapi-python-client": parsed}
                if name:
                    model = getattr(models, name).model_validate(sent)
                    kept["datamodel-codegen"] = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
                problems += [
                    f"{method.upper()} {path} {what}: {tool} makes {back} of {sent}"
                    for tool, back in kept.items()
                    if _told(back) != _told(sent)
                ]
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    if checked < _LEAST:
        sys.stderr.write(f"only {checked} examples in the document\n")
    return 1 if problems or checked < _LEAST else 0


def _told(value: Any) -> str:
    """The JSON with one spelling of a time in UTC."""
    return json.dumps(value, sort_keys=True).replace("+00:00", "Z")


def _examples(operation: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any], Any]]:
    """What, the JSON, its schema, and the JSON again after the generated client has parsed it."""
    tag = operation["tags"][0].lower().replace(" ", "_")
    module = importlib.import_module(f"opc.api.{tag}.{operation['operationId']}")
    client = importlib.import_module("opc").Client(base_url="http://api", raise_on_unexpected_status=True)
    for status, response in operation["responses"].items():
        media = response.get("content", {}).get("application/json", {})
        if "example" in media:
            answer = httpx.Response(int(status), json=media["example"])
            parsed = module._parse_response(client=client, response=answer)
            yield status, media["example"], media["schema"], parsed.to_dict()
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json" and "example" in media:
            hint = typing.get_type_hints(module._get_kwargs)["body"]
            body = next(one for one in (*typing.get_args(hint), hint) if hasattr(one, "from_dict"))
            yield kind, media["example"], media["schema"], body.from_dict(media["example"]).to_dict()


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_bytes())))
