"""The page behind /docs: the guide, the events, and every operation of the document with a form to try it.

Made where the document is written, not where it is served: the guide is Markdown, and the process has no reader of it.
The page has no inline script and no inline style, so that its policy can refuse both.
"""

import html as markup
import json
import re
from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt

# Consecutive blocks of these languages stand side by side.
_LANGUAGES = {"bash": "curl", "python": "Python", "javascript": "JavaScript"}
_BLOCK = re.compile(r'<pre><code class="language-(\w+)">(.*?)</code></pre>\n?', re.DOTALL)
_BLOCKS = re.compile(r'(?:<pre><code class="language-(?:bash|python|javascript)">.*?</code></pre>\n?)+', re.DOTALL)
_HEADING = re.compile(r"<h2(?: id=\"[^\"]*\")?>(.*?)</h2>")
_LINK = re.compile(r'<a href="(?!https?:|#)[^"]*">(.*?)</a>')


def html(document: Mapping[str, Any], guide: str) -> str:
    """The whole page."""
    told = _guide(guide)
    sections = [*_HEADING.findall(told), "Events", "Reference", "Problems", "Schemas"]
    links = "".join(f'<li><a href="#{_anchor(name)}">{name}</a></li>' for name in sections)
    tags = [tag["name"] for tag in document["tags"]]
    groups = "".join(f'<li><a href="#group-{_anchor(tag)}">{_text(tag)}</a></li>' for tag in tags)
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>EchoSenseiX API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="/favicon.ico" type="image/svg+xml">'
        '<link rel="stylesheet" href="/docs/style.css">'
        '<script src="/docs/page.js" defer></script></head><body>'
        '<a class="skip" href="#content">Skip to the content</a>'
        f'<nav aria-label="Sections"><ul>{links}</ul><ul class="groups">{groups}</ul></nav><main id="content">'
        f"<h1>EchoSenseiX API</h1><p>{_text(document['info']['description'])}</p>"
        '<p><a href="/openapi.json">OpenAPI document</a> · <a href="/app">Console</a></p>'
        f"{told}{_events(document)}{_reference_section(document, tags)}"
        f"{_problems(document)}"
        f'<h2 id="schemas">Schemas</h2>{schemas}</main></body></html>\n'
    )


def _guide(text: str) -> str:
    """The guide without its title and what leads to this page, with anchors and blocks side by side."""
    body = text[text.index("\n## ") :]
    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(body)
    rendered = _HEADING.sub(lambda found: f'<h2 id="{_anchor(found[1])}">{found[1]}</h2>', rendered)
    rendered = _LINK.sub(r"\1", rendered)
    return _BLOCKS.sub(lambda found: _side_by_side(found[0]), rendered)


def _side_by_side(blocks: str) -> str:
    shown = "".join(
        f"<figure><figcaption>{_LANGUAGES[language]}</figcaption><pre><code>{code}</code></pre></figure>"
        for language, code in _BLOCK.findall(blocks)
    )
    return f'<div class="codes">{shown}</div>\n'


def _events(document: Mapping[str, Any]) -> str:
    rows = "".join(_event(topic, hook["post"]) for topic, hook in document["webhooks"].items())
    return (
        '<h2 id="events">Events</h2><p>Webhooks, streams, sockets and <code>GET /api/events</code> carry the same '
        "events. Each is a CloudEvent 1.0; its <code>data</code> names the things that changed.</p>" + rows
    )


def _event(topic: str, hook: Mapping[str, Any]) -> str:
    media = hook["requestBody"]["content"]["application/json"]
    example = _json(media["example"]) if "example" in media else ""
    return (
        f'<details id="event-{_text(topic)}"><summary><code>{_text(topic)}</code> {_text(hook["summary"])}</summary>'
        f"<p>{_reference(media['schema'])}</p>{example}</details>"
    )


def _reference_section(document: Mapping[str, Any], tags: list[str]) -> str:
    groups = "".join(_group(tag, document) for tag in tags)
    return (
        '<h2 id="reference">Reference</h2><form id="credential"><label for="key">API key for trying</label>'
        '<input id="key" type="password" autocomplete="off" spellcheck="false">'
        "<p>The page keeps it until it is closed, and sends it to this origin alone. Without a key the session of the "
        f"console is used.</p></form>{groups}"
    )


def _group(tag: str, document: Mapping[str, Any]) -> str:
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]
    return f'<h3 id="group-{_anchor(tag)}">{_text(tag)}</h3>{"".join(operations)}'


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    head = f"<summary><b>{method.upper()}</b> <code>{_text(path)}</code> {_text(operation['summary'])}</summary>"
    about = f"<p>{_text(operation['description'])}</p>" if "description" in operation else ""
    ended = '<p class="deprecated">Deprecated.</p>' if operation.get("deprecated") else ""
    # The form is made when the operation is opened: hundreds of them would be half of the page.
    tried = (
        ""
        if "servers" in operation
        else f'<div class="try" data-method="{method.upper()}" data-path="{_text(path)}"></div>'
    )
    parts = f"{ended}{about}{_parameters(operation)}{_body(operation)}{tried}{_answers(operation)}"
    return f'<details id="{operation["operationId"]}">{head}{parts}</details>'


def _parameters(operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(item['name'])}</code></td><td>{_text(item['in'])}</td>"
        f"<td>{_text(item['schema'].get('type', ''))}</td><td>{_text(item.get('description', ''))}</td></tr>"
        for item in operation.get("parameters", ())
    )
    return f'<h4>Parameters</h4><div class="table"><table>{rows}</table></div>' if rows else ""


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    parts = []
    for kind, media in content.items():
        example = _json(media["example"]) if "example" in media else ""
        parts.append(f"<h4>Body: {_text(kind)} {_reference(media['schema'])}</h4>{example}")
    return "".join(parts[-1:])


def _answers(operation: Mapping[str, Any]) -> str:
    rows = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            rows.append(f'<tr><td><code>{status}</code></td><td><a href="#problem-{status}">Problem</a></td></tr>')
            continue
        media = answer.get("content", {})
        shape = "".join(_reference(one["schema"]) for one in media.values())
        example = "".join(_json(one["example"]) for one in media.values() if "example" in one)
        rows.append(f"<tr><td><code>{status}</code></td><td>{_text(answer['description'])} {shape}{example}</td></tr>")
    return f'<h4>Answers</h4><div class="table"><table>{"".join(rows)}</table></div>'


def _problems(document: Mapping[str, Any]) -> str:
    """What each status means, with the codes that a client can tell apart."""
    rows = "".join(
        f'<tr id="problem-{status}"><td><code>{status}</code></td><td>{_text(answer["description"])}</td></tr>'
        for status, answer in document["components"]["responses"].items()
    )
    return f'<h2 id="problems">Problems</h2><div class="table"><table>{rows}</table></div>'


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    return f'<details id="schema-{_text(name)}"><summary>{_text(name)}</summary>{_json(schema)}</details>'


def _json(value: Any) -> str:
    return f"<pre>{_text(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"


def _reference(schema: Mapping[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#schema-{_text(name)}">{_text(name)}</a>' if name else ""


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _text(text: str) -> str:
    return markup.escape(str(text))
