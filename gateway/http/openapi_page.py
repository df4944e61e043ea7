"""The page behind /docs: the OpenAPI document as plain HTML. No script, no foreign asset; one stylesheet of its own."""

import html as markup
import json
from typing import Any

STYLESHEET = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; color: #1c2530; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5dbe3; }
nav a { margin-right: .8rem; } a { color: #0b5cad; }
details { border: 1px solid #d5dbe3; border-radius: 6px; margin: .4rem 0; padding: .3rem .7rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.2rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 13px; }
pre { background: #f3f5f8; padding: .6rem; overflow: auto; border-radius: 4px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .1rem .9rem .1rem 0; vertical-align: top; }
@media (prefers-color-scheme: dark) { body { background: #14181d; color: #dfe5ec; } pre { background: #1f262e; }
  a { color: #7cb7f5; } details, h2 { border-color: #34404d; } }
""".strip()


def html(document: dict[str, Any]) -> str:
    """The whole page."""
    tags = [tag["name"] for tag in document["tags"]]
    links = "".join(f'<a href="#{_anchor(tag)}">{_text(tag)}</a>' for tag in tags)
    sections = "".join(_section(tag, document) for tag in tags)
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>EchoSenseiX API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/style.css"></head><body>'
        f"<h1>EchoSenseiX API</h1><p>{_text(document['info']['description'])}</p>"
        f'<p>Machine readable: <a href="/openapi.json">/openapi.json</a></p><nav>{links}</nav>'
        f'{sections}<h2 id="schemas">Schemas</h2>{schemas}</body></html>'
    )


def _section(tag: str, document: dict[str, Any]) -> str:
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]
    return f'<h2 id="{_anchor(tag)}">{_text(tag)}</h2>{"".join(operations)}'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    head = f"<summary><b>{method.upper()}</b> <code>{_text(path)}</code> {_text(operation['summary'])}</summary>"
    about = f"<p>{_text(operation['description'])}</p>" if "description" in operation else ""
    return f"<details>{head}{about}{_parameters(operation)}{_body(operation)}{_answers(operation)}</details>"


def _parameters(operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(item['name'])}</code></td><td>{_text(item['in'])}</td>"
        f"<td>{_text(item['schema'].get('type', ''))}</td><td>{_text(item.get('description', ''))}</td></tr>"
        for item in operation.get("parameters", ())
    )
    return f"<h4>Parameters</h4><table>{rows}</table>" if rows else ""


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    parts = []
    for kind, media in content.items():
        example = f"<pre>{_text(json.dumps(media['example'], indent=2))}</pre>" if "example" in media else ""
        parts.append(f"<h4>Body: {_text(kind)} {_reference(media['schema'])}</h4>{example}")
    return "".join(parts[-1:])


def _answers(operation: dict[str, Any]) -> str:
    rows = []
    for status, answer in operation["responses"].items():
        text = answer.get("description") or "Problem"
        shape = "".join(_reference(media["schema"]) for media in answer.get("content", {}).values())
        rows.append(f"<tr><td><code>{status}</code></td><td>{_text(text)}</td><td>{shape}</td></tr>")
    return f"<h4>Answers</h4><table>{''.join(rows)}</table>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    shown = _text(json.dumps(schema, indent=2, ensure_ascii=False))
    return f'<details id="schema-{_text(name)}"><summary>{_text(name)}</summary><pre>{shown}</pre></details>'


def _reference(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#schema-{_text(name)}">{_text(name)}</a>' if name else ""


def _anchor(tag: str) -> str:
    return tag.lower().replace(" ", "-")


def _text(text: str) -> str:
    return markup.escape(str(text))
