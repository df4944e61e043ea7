"""The OpenAPI 3.1 document, made from the routes' declarations and the schemas, so that it cannot contradict them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

import msgspec

from gateway.http.conditional import LARGEST_VERSION
from gateway.http.idempotency import KEY_PATTERN
from gateway.http.problems import MEDIA_TYPE, TITLES
from gateway.http.routing import UNLIMITED, Route
from gateway.http.schema import LIMITS, AnyQuery, NoBody, NoQuery, Problem

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
# Statuses that every operation documents.
_ALWAYS = (500, 503, 504, 507)

_ID = {"type": "string", "minLength": 1, "maxLength": 128}
_IDEMPOTENCY_KEY = {"type": "string", "pattern": f"^{KEY_PATTERN}$", "minLength": 1, "maxLength": 255}


@dataclass(frozen=True, slots=True)
class About:
    """What the document says of the whole API, and what it shows beside the declarations.

    `session_cookie` is the cookie's name. `codes` are the problem codes by status. `examples` are recorded answers: by
    operation ("GET /api/agents") and status, and under "problems" one problem of each status that was met. `words` say
    what a name means that its declaration does not describe: by name, or by "Schema.name" and "path.name". `tags` say
    what the operations under a heading are for.
    """

    title: str
    version: str
    description: str
    session_cookie: str
    codes: Mapping[int, Sequence[str]]
    examples: Mapping[str, Mapping[str, Any]]
    words: Mapping[str, str]
    tags: Mapping[str, str]
    license: str
    # What no route serves: requests that we send, paths of other servers, and the components of both.
    webhooks: Mapping[str, Any] = field(default_factory=dict)
    other_paths: Mapping[str, Any] = field(default_factory=dict)
    other_schemas: Mapping[str, Any] = field(default_factory=dict)
    other_security: Mapping[str, Any] = field(default_factory=dict)


def document(routes: Iterable[Route[Any, Any]], about: About) -> dict[str, Any]:
    """The whole document."""
    table = tuple(route for route in routes if route.documented)
    schemas = _component_schemas(table)
    for name, schema in schemas.items():
        _describe(name, schema, about.words)
    paths: dict[str, Any] = {}
    for route in table:
        operation = _operation(route)
        for parameter in operation.get("parameters", ()):
            if "description" not in parameter:
                parameter["description"] = _meaning(parameter["in"], parameter["name"], about.words)
        _show_examples(operation, about.examples.get(f"{route.method} {route.path}", {}))
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    paths.update(about.other_paths)
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
            "license": {"name": about.license, "identifier": "LicenseRef-Proprietary"},
        },
        "servers": [{"url": "/", "description": "The gateway that answers this document."}],
        "tags": [{"name": tag, "description": about.tags[tag]} for tag in dict.fromkeys(route.tag for route in table)],
        "security": [{"bearer": []}, {"apiKey": []}, {"session": []}],
        "paths": paths,
        "webhooks": dict(about.webhooks),
        "components": {
            "schemas": dict(sorted({**schemas, **about.other_schemas}.items())),
            "responses": {str(status): _problem_response(status, about) for status in sorted(about.codes)},
            "headers": dict(_HEADERS),
            "securitySchemes": {**_security(about.session_cookie), **about.other_security},
        },
    }
    _leave_out_unused(made)
    return made


def _leave_out_unused(made: dict[str, Any]) -> None:
    """Answers and headers that no operation names: 405, and those of deprecated routes while there are none."""
    for kind in ("responses", "headers"):  # in this order, because answers name headers
        used, components = set(_references(made)), made["components"]
        components[kind] = {
            name: one for name, one in components[kind].items() if f"#/components/{kind}/{name}" in used
        }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _describe(name: str, schema: dict[str, Any], words: Mapping[str, str]) -> None:
    """Say of every property what it means."""
    for member, inner in schema.get("properties", {}).items():
        if "description" not in inner:
            own = (option["description"] for option in inner.get("anyOf", ()) if "description" in option)
            told = {"description": next(own, "") or _meaning(name, member, words)}
            schema["properties"][member] = {"allOf": [inner], **told} if "$ref" in inner else inner | told


def _meaning(owner: str, name: str, words: Mapping[str, str]) -> str:
    found = words.get(f"{owner}.{name}") or words.get(name)
    if found is None:
        raise KeyError(f"describe {name} of {owner} where it is declared, or in gateway/schemas/vocabulary.py")
    return found


def encode(routes: Iterable[Route[Any, Any]], about: About) -> bytes:
    """The document as the bytes that are committed and served."""
    return json.dumps(document(routes, about), indent=1, ensure_ascii=False).encode() + b"\n"


def list_name(row: Any) -> str:
    """The name of a list's schema."""
    return f"{row.__name__}List" if hasattr(row, "__struct_fields__") else "EnvelopeList"


_HEADERS = {
    "ETag": {
        "schema": {"type": "string"},
        "description": "The version in quotes; a digest follows where the bytes change within it.",
    },
    "Link": {"schema": {"type": "string"}, "description": "RFC 8288: first, prev, next, last."},
    "Location": {"schema": {"type": "string"}, "description": "The path of the new resource or of its job."},
    "Accept": {"schema": {"type": "string"}, "description": "The media types that a body may have."},
    "AcceptPatch": {"schema": {"type": "string"}, "description": "RFC 5789: the media types of a change."},
    "RateLimit": {
        "schema": {"type": "string"},
        "description": "What each limit leaves: r requests; t seconds until the oldest counted one no longer counts.",
    },
    "RateLimitPolicy": {
        "schema": {"type": "string"},
        "description": "The limits of this request: q requests in any w seconds.",
    },
    "IdempotencyReplayed": {
        "schema": {"const": "true"},
        "description": "The answer of an earlier request with this key.",
    },
    "Deprecation": {"schema": {"type": "string"}, "description": "RFC 9745: since when; @ and seconds since 1970."},
    "Sunset": {"schema": {"type": "string"}, "description": "RFC 8594: until when the route answers."},
    "RequestId": {"schema": {"type": "string"}},
    "SetCookie": {"schema": {"type": "string"}, "description": "The session, and the device that it was opened on."},
    "RetryAfter": {
        "schema": {"type": "integer"},
        "description": "Seconds to wait, where waiting helps.",
    },
    "WwwAuthenticate": {"schema": {"type": "string"}, "description": "The challenge: Bearer."},
}
_HEADERS_OF_PROBLEMS = {
    401: {"WWW-Authenticate": "WwwAuthenticate"},
    409: {"Retry-After": "RetryAfter"},
    415: {"Accept": "Accept", "Accept-Patch": "AcceptPatch"},
    429: {"Retry-After": "RetryAfter", "RateLimit-Policy": "RateLimitPolicy", "RateLimit": "RateLimit"},
    503: {"Retry-After": "RetryAfter"},
}
# The example's code of a status that no test meets from outside, where the alphabet would choose a rare one.
_EXAMPLE_CODES = {
    429: "rate_limited",
    500: "internal",
    501: "not_implemented",
    503: "service_unavailable",
    504: "deadline_exceeded",
}


def _security(cookie: str) -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A session token or an API key."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "session": {"type": "apiKey", "in": "cookie", "name": cookie},
    }


def _component_schemas(table: Iterable[Route[Any, Any]]) -> dict[str, Any]:
    types: list[Any] = [Problem]
    lists: dict[str, Any] = {}
    for route in table:
        types += [route.body, *(_item(kind) for kind in route.bodies.values())]
        row = _row(route.answer)
        if row is not None:
            lists[list_name(row)] = row
        if route.answer is not None:
            types.append(row or route.answer)
    structs = [kind for kind in dict.fromkeys(types) if hasattr(kind, "__struct_fields__") and kind is not NoBody]
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REF)
    for name, row in lists.items():
        schemas[name] = _list_schema(row)
    for kind in structs:
        if getattr(kind, "one_of", ()):
            schemas[kind.__name__].update(_any_of(kind.one_of))
    return {name: _tidy(schema) for name, schema in sorted(schemas.items())}


def _any_of(sets: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Members of which one set must be there. Generators of clients take an `anyOf` beside properties for a union of
    types without any; of `if` and `else` they know that it only restricts."""
    first, *others = sets
    # A linter asks that what is required is declared beside it, and takes what is declared for all that is allowed.
    required = {"required": list(first), "properties": {name: {} for name in first}, "additionalProperties": True}
    return {"if": required, "else": _any_of(others)} if others else required


def _tidy(node: Any) -> Any:
    """The schema as clients' generators read it: a default is told in words, because typed clients would have to send
    it; every array says what it holds and every free object that it is free; and of two limits of one kind the
    service's stays, which is the narrower."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidied = {name: _tidy(inner) for name, inner in node.items() if name != "default" or isinstance(inner, dict)}
    if "type" in node and node.get("default") not in (None, ""):
        told = f"{node.get('description', '')} Default: {json.dumps(node['default'])}."
        tidied["description"] = told.strip()
    tidied.update(tidied.pop(LIMITS, {}))
    if "maximum" in tidied:
        tidied.pop("exclusiveMaximum", None)
    if tidied.get("type") == "array":
        tidied.setdefault("items", {})
    if tidied.get("type") == "object" and "properties" not in tidied:
        tidied.setdefault("additionalProperties", True)
    return tidied


def _item(kind: Any) -> Any:
    """What a list, with or without limits, holds; or the type itself."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare)[0] if get_origin(bare) is list else bare


def _row(answer: Any) -> Any:
    return get_args(answer)[0] if get_origin(answer) is list else None


def _list_schema(row: Any) -> dict[str, Any]:
    item = (
        {"$ref": _REF.format(name=row.__name__)}
        if hasattr(row, "__struct_fields__")
        else {"type": "object", "additionalProperties": True}
    )
    number: dict[str, Any] = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
    properties = {
        "data": {"type": "array", "items": item},
        "page": number,
        "limit": {"type": "integer", "minimum": 1, "maximum": 200},
        "total": number,
        "totalPages": number,
        "totalIsEstimate": {"type": "boolean"},
        "hasMore": {"type": "boolean"},
        "nextCursor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _operation(route: Route[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": _responses(route),
    }
    if route.handler.__doc__:
        operation["description"] = " ".join(route.handler.__doc__.split())
    if route.deprecated is not None:
        ended = route.deprecated
        operation["deprecated"] = True
        told = f"Deprecated since {ended.since}, answers until {ended.sunset}. Use {ended.instead}."
        operation["description"] = f"{operation.get('description', '')} {told}".strip()
    if route.scope:
        operation["description"] = f"{operation.get('description', '')} Needs the scope {route.scope}.".strip()
    parameters = [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.public:
        operation["security"] = []
    body = _request_body(route)
    if body:
        operation["requestBody"] = body
    return operation


def _path_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": route.segments.get(name, _ID)}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    if route.query in (NoQuery, AnyQuery):
        return []
    _, schemas = msgspec.json.schema_components([route.query], ref_template=_REF)
    properties: Mapping[str, Any] = schemas[route.query.__name__]["properties"]
    return [_query_parameter(name, schema) for name, schema in properties.items()]


def _query_parameter(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    schema = _tidy(schema)
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    shown = {key: value for key, value in options[0].items() if key not in ("default", "description")}
    if shown.get("enum"):
        shown["enum"] = [value for value in shown["enum"] if value is not None]
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": shown}
    description = schema.get("description") or options[0].get("description")
    if description:
        parameter["description"] = description
    return parameter


def _header_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    names = []
    if route.keyed and not route.reads:
        names.append(("Idempotency-Key", _IDEMPOTENCY_KEY))
    if _takes_if_match(route):
        names.append(("If-Match", {"type": "string"}))
    if route.reads and route.tag_kind:
        names.append(("If-None-Match", {"type": "string"}))
    if _takes_min_version(route):
        names.append(("X-Min-Version", {"type": "integer", "minimum": 0, "maximum": LARGEST_VERSION}))
    if route.reads and route.problems and 416 in route.problems:
        names.append(("Range", {"type": "string"}))
    if not route.public:
        names.append(("X-Organization-Id", {"type": "string", "maxLength": 64}))
    return [
        {"name": name, "in": "header", "required": route.key_required and name == "Idempotency-Key", "schema": schema}
        for name, schema in names
    ]


def _takes_if_match(route: Route[Any, Any]) -> bool:
    return route.etag in ("version", "match") if route.reads else route.subject is not None


def _takes_min_version(route: Route[Any, Any]) -> bool:
    return route.reads and route.etag in ("version", "match")


def _request_body(route: Route[Any, Any]) -> dict[str, Any]:
    if route.body_kind == "multipart":
        return {"required": True, "content": {"multipart/form-data": {"schema": route.form}}}
    if route.body_kind == "raw" and route.form is not None:
        return {"content": {"application/x-www-form-urlencoded": {"schema": route.form}}}
    if route.body_kind in ("raw", "stream"):
        return {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    if route.body is NoBody:
        return {}
    content = {kind: {"schema": _body_schema(schema)} for kind, schema in route.media_types.items()}
    if route.example is not None:
        for kind in content.keys() - route.bodies.keys():
            content[kind]["example"] = route.example
    return {"required": route.body_required, "content": content}


def _body_schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    shown: dict[str, Any] = _tidy(schema)
    return shown


def _responses(route: Route[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): _success(route)}
    if route.reads and route.tag_kind:
        responses["304"] = {"description": "The client has the current version", "headers": {"ETag": _header("ETag")}}
    if 416 in route.problems:
        responses["206"] = {**_success(route), "description": "The requested range"}
    for status, description in route.also.items():
        responses[str(status)] = {**_success(route), "description": description}
    for status in sorted(_problem_statuses(route)):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return responses


def _problem_statuses(route: Route[Any, Any]) -> set[int]:
    found = {*_ALWAYS, *route.problems, 400}
    if not route.public:  # a cookie of another origin, or an organization in which the caller may not act
        found |= {401, 403}
    if "{" in route.path:
        found.add(404)
    if route.keyed and not route.reads:
        found |= {409, 422}
    if route.method in ("POST", "PATCH", "PUT"):
        found |= {408, 413}
        if route.body_kind not in ("raw", "stream"):
            found |= {415, 422}
    if route.limited != UNLIMITED:
        found.add(429)
    if _takes_if_match(route):
        found.add(412)
    if _takes_min_version(route):
        found.add(409)
    return found


def _success(route: Route[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary, "headers": {"X-Request-Id": _header("RequestId")}}
    if route.answer is not None:
        row = _row(route.answer)
        name = list_name(row) if row is not None else route.answer.__name__
        answer["content"] = {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}
        if row is not None:
            answer["headers"]["Link"] = _header("Link")
    elif route.status == 200:
        answer["content"] = _binary(route)
    if route.limited != UNLIMITED:
        answer["headers"] |= {"RateLimit-Policy": _header("RateLimitPolicy"), "RateLimit": _header("RateLimit")}
    if route.tag_kind:
        answer["headers"]["ETag"] = _header("ETag")
    if route.sets_cookie:
        answer["headers"]["Set-Cookie"] = _header("SetCookie")
    if route.keyed and not route.reads:
        answer["headers"]["Idempotency-Replayed"] = _header("IdempotencyReplayed")
    if route.deprecated is not None:
        answer["headers"]["Deprecation"] = _header("Deprecation")
        answer["headers"]["Sunset"] = _header("Sunset")
    if route.status in (201, 202) and route.answer is not None and route.has_location:
        answer["headers"]["Location"] = _header("Location")
    return answer


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _binary(route: Route[Any, Any]) -> dict[str, Any]:
    """Files come as what was stored; generators of clients know the first type."""
    if route.media_type == "application/json":
        return {route.media_type: {"schema": {"type": "object"}}}
    kinds = [route.media_type, "*/*"] if route.media_type == "application/octet-stream" else [route.media_type]
    return {
        kind: {"schema": {"type": "string"} | ({} if kind.startswith("text/") else {"format": "binary"})}
        for kind in kinds
    }


def _show_examples(operation: dict[str, Any], recorded: Mapping[str, Any]) -> None:
    """Beside the schema of each answer the one that was recorded."""
    for status, example in recorded.items():
        for kind, media in operation["responses"].get(status, {}).get("content", {}).items():
            if kind == "application/json":
                media["example"] = example


def _problem_response(status: int, about: About) -> dict[str, Any]:
    codes = about.codes[status]
    text = f"{TITLES[status]}. Codes: {', '.join(codes)}"
    schema = {"$ref": _REF.format(name="Problem")}
    example = about.examples["problems"].get(str(status)) or _problem_example(status, codes)
    headers = {"X-Request-Id": "RequestId", **_HEADERS_OF_PROBLEMS.get(status, {})}
    return {
        "description": text,
        "headers": {name: _header(header) for name, header in headers.items()},
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }


def _problem_example(status: int, codes: Sequence[str]) -> dict[str, Any]:
    code = _EXAMPLE_CODES.get(status) or codes[0]
    return {
        "type": f"urn:echosenseix:problem:{code}",
        "title": TITLES[status],
        "status": status,
        "detail": "A sentence that says what to do.",
        "instance": "/api/agents",
        "code": code,
        "requestId": "req_01jf0000000000000000000000",
        "errors": [],
    }
