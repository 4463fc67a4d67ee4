"""The OpenAPI document, as a product: partners generate their clients from it.

FastAPI writes down the operations; here they get what a reader needs besides: the scopes in words, the headers that
our dependencies read, an example of each answer, and the one shape of all refusals.
`docs/openapi.json` keeps what was published, and the next change is judged against it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from service.api import redirects
from service.api.problems import MEDIA_TYPE, FieldProblem, InternalError, Problem, responses
from service.api.samples import sample, with_nulls

VERSION = "0.1.0"
_DESCRIPTION = """Keeps a company's customer base, makes sense of it and guards it.

Send `Authorization: Bearer <token>`; a token's scopes are narrowed to what the staff row allows, and a record outside
your reach does not exist for you. Lists give `next_cursor`; send it back as `cursor`. Money is a decimal string beside
its currency, times are RFC 3339. Refusals are problem documents (RFC 9457) whose `type` explains itself.
"""
_TAGS = {
    "customers": "Records of persons and organisations, their contacts masked unless revealed.",
    "around": "Beside a record: notes, contacts made, consents, requests for access.",
    "orders": "Purchases, refunds and products.",
    "segments": "Segmentation: recency, frequency, monetary; ABC classes.",
    "privacy": "Personal-data law: restriction, the report to the person, erasure.",
    "rfm": "Recency, frequency, monetary: scores, groups and the report.",
    "abc": "ABC analysis: who and what brings most of the revenue.",
    "quality": "Data quality: what is wrong, why, what would mend it, and what has been done.",
    "imports": "Bulk in: files of customers and orders.",
    "exports": "Bulk out, for those who may.",
    "changes": "What has changed, for systems that keep a copy in step.",
    "jobs": "Long work: progress, a stream of it, and cancelling.",
    "overview": "The base at a glance.",
    "access": "Who the caller is.",
    "staff": "Staff, teams and acquisition channels of the tenant.",
    "assignments": "Hand-overs of portfolios, their briefings, and the pool of unassigned records.",
    "ops": "For operators: health, metrics, and the meaning of problem codes. No token needed.",
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that the change is based on; a newer version answers 412.",
    "schema": {"type": "string"},
    "example": '"3"',
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 hours do the work once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "order-1001-created",
}
# The headers that an operation reads show in the refusals it declares.
_HEADERS = {"bad-if-match": _IF_MATCH, "bad-idempotency-key": _IDEMPOTENCY_KEY}
_VERBS = ("get", "put", "post", "delete", "patch")
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')


def install(app: FastAPI) -> None:
    """Serve the document at /openapi.json; it is built at the first request and kept as bytes."""

    @cache
    def built() -> bytes:
        return orjson.dumps(document(app))

    async def openapi_json(_: Request) -> Response:
        return Response(built(), media_type="application/json")

    app.add_route("/openapi.json", openapi_json, include_in_schema=False)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document of the application's routes."""
    built = get_openapi(
        title="Clientbase",
        version=VERSION,
        summary="The customer base of a company, over HTTP.",
        description=_DESCRIPTION,
        routes=app.routes,
        servers=[{"url": "/"}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = built.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    schemas |= _problem_schemas()
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    redirects.describe(built["paths"])
    for operation in operations(built):
        _complete(operation, schemas)
    _restore_bodies(app, built)
    used = {tag for operation in operations(built) for tag in operation["tags"]}
    built["tags"] = [{"name": tag, "description": _TAGS.get(tag, tag.capitalize() + ".")} for tag in sorted(used)]
    components["schemas"] = _referred(built, schemas)
    return built


def _restore_bodies(app: FastAPI, built: Mapping[str, Any]) -> None:
    """Give the examples of bodies back what FastAPI leaves out: the nulls, which clear a field."""
    for route in app.routes:
        if not isinstance(route, APIRoute):
            continue
        stated = (route.openapi_extra or {}).get("requestBody", {}).get("content", {})
        for verb in (route.methods or ()) if stated else ():
            body = built["paths"][route.path_format][verb.lower()]["requestBody"]
            for media, content in stated.items():
                body["content"][media] |= content


def operations(built: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of a document."""
    for path in built["paths"].values():
        yield from (path[verb] for verb in _VERBS if verb in path)


def _problem_schemas() -> dict[str, Any]:
    _, made = models_json_schema(
        [(Problem, "serialization"), (FieldProblem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    problem = made["$defs"]["Problem"]
    problem["additionalProperties"] = True  # a code may bring members of its own
    return dict(made["$defs"])


def _complete(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    scopes = operation.get("x-scopes", [])
    needed = " ".join(f"`{scope}`" for scope in scopes) or "none"
    operation["description"] = f"{operation.get('description', operation['summary'])}\n\nScopes: {needed}."
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    answers.update({str(status): answer for status, answer in responses(InternalError).items()})
    for code, header in _HEADERS.items():
        if any(code in _examples(answer) for answer in answers.values()):
            operation.setdefault("parameters", []).append(header)
    _exemplify(operation.get("requestBody", {}), schemas)
    for status, answer in answers.items():
        if status.startswith("2"):
            _exemplify(answer, schemas)


def _examples(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    return found


def _exemplify(part: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    for content in part.get("content", {}).values():
        if "example" not in content and "examples" not in content and content.get("schema"):
            content["example"] = with_nulls(sample(content["schema"], schemas), content["schema"], schemas)


def _referred(built: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that something leads to, and Problem; FastAPI's own error shapes are never answered."""
    wanted, waiting = {"Problem"}, ["Problem", *_names(built["paths"])]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += [inner for inner in _names(schemas[name]) if inner not in wanted]
    return {name: schemas[name] for name in sorted(wanted)}


def _names(part: Any) -> set[str]:
    return set(_REFERENCE.findall(orjson.dumps(part).decode()))
