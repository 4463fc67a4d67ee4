"""Every refusal as a problem document (RFC 9457): one shape, one code, the place and the cure.

`type` is /problems/<code>. A fault that nobody foresaw answers 500 with the request's id and nothing else.
"""

from collections.abc import Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.rule_schemas import untagged
from service.domain import errors
from service.domain.errors import DomainError

_log = structlog.get_logger("api")
MEDIA_TYPE = "application/problem+json"
# The first category that fits decides.
_STATUS: Sequence[tuple[type[DomainError], int]] = (
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Precondition, 412),
    (errors.Conflict, 409),
    (errors.TooLarge, 413),
    (errors.TooMany, 429),
    (errors.Unavailable, 503),
    (errors.Rejected, 422),
)


class InvalidRequest(errors.Rejected):
    code = "invalid-request"
    title = "The request has values that can't be accepted."


class NoSuchPath(errors.NotFound):
    code = "no-such-path"
    title = "There is nothing at this path."


class MethodNotAllowed(DomainError):
    code = "method-not-allowed"
    title = "This path does not take this method."


class InternalError(DomainError):
    code = "internal-error"
    title = "Something failed that should not have; the request id helps to find out what."


class MalformedBody(errors.Rejected):
    code = "malformed-body"
    title = "The body can't be read."


class FieldProblem(BaseModel):
    pointer: str = Field(description="JSON Pointer to the value in question.", examples=["/family_name"])
    detail: str = Field(examples=["String should have at most 200 characters"])


class Problem(BaseModel):
    """What went wrong, where, and what to do about it."""

    type: str = Field(examples=["/problems/customer-not-found"])
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None


def status_of(error: DomainError) -> int:
    return next((status for category, status in _STATUS if isinstance(error, category)), 500)


def document(error: DomainError, *, status: int, instance: str) -> dict[str, Any]:
    """The members of the problem document of a refusal."""
    return {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": status,
        "detail": error.detail,
        "instance": instance,
        **error.extra,
    }


def problem_response(error: DomainError, instance: str, status: int | None = None) -> Response:
    status = status or status_of(error)
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = "1"
    if status == 429:
        headers["Retry-After"] = str(error.extra.get("retry_after_seconds", 1))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = orjson.dumps(document(error, status=status, instance=instance), default=str)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def pointer(location: Sequence[int | str]) -> str:
    """JSON Pointer of a validation error's place; where the request's part is plain, it is left out."""
    # A member's name may be half of a surrogate pair, which no answer could hold.
    parts = [str(part).encode(errors="replace").decode() for part in location]
    if parts and parts[0] in ("body", "path", "query", "header"):
        parts = parts[1:]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def install(app: FastAPI) -> None:
    """Answer every kind of failure in the one shape."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)
        request.scope["refusal"] = error.code
        return problem_response(error, request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        places = (untagged(one["loc"], {"body": error.body}) for one in error.errors()[:100])
        found = [
            {"pointer": pointer(place), "detail": one["msg"]}
            for place, one in zip(places, error.errors(), strict=False)
        ]
        malformed = any(one["type"] == "json_invalid" for one in error.errors())
        kind = MalformedBody if malformed else InvalidRequest
        return problem_response(kind(found[0]["detail"] if found else None, errors=found), request.url.path)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, DomainError):  # a refusal while the body was being read
            return problem_response(error.__cause__, request.url.path)
        kinds: dict[int, type[DomainError]] = {404: NoSuchPath, 405: MethodNotAllowed, 413: errors.TooLarge}
        kind = kinds.get(error.status_code, MalformedBody)
        status = error.status_code if error.status_code in kinds else 422
        return problem_response(kind(), request.url.path, status)

    app.add_exception_handler(DomainError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def responses(*kinds: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI answers of these refusals, grouped by status, each with its code as an example."""
    grouped: dict[int, list[type[DomainError]]] = {}
    for kind in kinds:
        grouped.setdefault(status_of(kind()), []).append(kind)
    return {
        status: {
            "description": " ".join(dict.fromkeys(kind.title for kind in found)),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        kind.code: {"value": document(kind(), status=status, instance="/v1/…")} for kind in found
                    },
                }
            },
        }
        for status, found in sorted(grouped.items())
    }
