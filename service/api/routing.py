"""Operations: each says its id, its scopes and its refusals in one place, which both enforces and documents them.

A route without scopes does not start: deny by default. A *hot* operation (a read by key, a list) answers from the row
without FastAPI's dependency solving, which took half of such a request; its signature documents it all the same.
"""

import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from service.api.problems import InvalidRequest, responses
from service.api.quotas import RateLimited
from service.api.security import NoToken
from service.api.signing_keys import InvalidToken
from service.api.tokens import Claims
from service.domain.access import Principal, Scope
from service.domain.errors import DomainError, MissingScope, Unavailable
from service.domain.terms import TermsRequired, require_terms
from service.domain.tokens import TokenRevoked

_DEEPEST = 64
Hot = Callable[[Request], Awaitable[Response]]


class ExactRequest(Request):
    """A request whose JSON numbers keep every digit; what only Python takes for JSON (NaN) is refused."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            value = json.loads(await self.body(), parse_float=Decimal, parse_constant=_no_number)
            _require_shallow(value)
            self._json = value
        return self._json


def _require_shallow(value: object) -> None:
    # Level by level; the interpreter's own bound is its stack, and what reads the value later may have a smaller one.
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inside(one)]
        if not level:
            return
    raise ValueError(f"values may be nested {_DEEPEST} deep")


def _inside(one: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return one.values() if isinstance(one, dict) else one


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class SecuredRoute(APIRoute):
    """A route that checks the principal's scopes before anything of the request is read."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        extra = options.get("openapi_extra") or {}
        if "x-scopes" not in extra:
            raise ValueError(f"{path} names no scopes; use operation(…)")
        super().__init__(path, endpoint, **options)
        self.scopes = tuple(Scope(name) for name in extra["x-scopes"])
        # Closed unless it says otherwise: an operation can only say that it touches nothing personal.
        self.needs_terms = not extra.get("x-without-terms", False)
        self.hot: Hot | None = getattr(endpoint, "hot", None)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def exactly(request: Request) -> Response:
            return await answer(ExactRequest(request.scope, request.receive))

        return exactly

    async def handle(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["principal"]
        if self.needs_terms:
            require_terms(principal)
        for needed in self.scopes:
            principal.require(needed)
        if self.hot is not None and scope["method"] in (self.methods or ()):
            response = await self.hot(Request(scope, receive))
            await response(scope, receive, send)
            return
        await super().handle(scope, receive, send)


class HotPaths:
    """ASGI: hot operations are answered here, by their path alone; everything else goes on into FastAPI."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._hot = [route for route in routes if isinstance(route, SecuredRoute) and route.hot]
        for route in self._hot:
            _refuse_shadowing(route, routes)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path = scope["path"]
            for route in self._hot:
                if match := route.path_regex.match(path):
                    scope["route"] = route
                    scope["path_params"] = match.groupdict()
                    await route.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _refuse_shadowing(hot: SecuredRoute, routes: Sequence[BaseRoute]) -> None:
    """A hot path is tried first, so no route that was declared before it may answer some of its paths."""
    for route in routes[: routes.index(hot)]:
        if isinstance(route, SecuredRoute) and "GET" in (route.methods or ()) and hot.path_regex.match(route.path):
            raise ValueError(f"{hot.path} would hide {route.path}")


def router(tag: str) -> APIRouter:
    return APIRouter(prefix="/v1", tags=[tag], route_class=SecuredRoute)


def operation(
    operation_id: str,
    *scopes: Scope,
    problems: tuple[type[DomainError], ...] = (),
    takes_input: bool = True,
    needs_terms: bool = True,
    creates: type[BaseModel] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """The keyword arguments of a route decorator: a stable id, the scopes it needs, the refusals it can give.

    `creates` is what an operation that may change or create answers with when it has created. Only what shows and
    changes nothing personal may do without `needs_terms`, the acceptance of the terms of use.
    """
    always: tuple[type[DomainError], ...] = (NoToken, InvalidToken, TokenRevoked, RateLimited, Unavailable)
    if scopes:
        always = (*always, MissingScope)
    if needs_terms:
        always = (*always, TermsRequired)
    if takes_input:
        always = (*always, InvalidRequest)
    created: dict[int | str, dict[str, Any]] = {201: {"model": creates, "description": "Created"}} if creates else {}
    return {
        "operation_id": operation_id,
        "responses": created | responses(*problems, *always),
        "openapi_extra": {
            "x-scopes": [str(scope) for scope in scopes],
            "security": [{"bearer": []}],
            **({} if needs_terms else {"x-without-terms": True}),
            **extra,
        },
    }


def hot(fast: Hot) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a documented endpoint as answered by `fast`, which takes the bare request."""

    def mark(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        endpoint.hot = fast  # type: ignore[attr-defined]
        return endpoint

    return mark


def _caller(request: Request) -> Principal:
    principal: Principal = request.scope["principal"]
    return principal


def _claims(request: Request) -> Claims:
    claims: Claims = request.scope["claims"]
    return claims


async def by_now(request: Request) -> Principal:
    """The caller as he is at this moment, held to the operation's scopes: for an answer that goes on for minutes."""
    principal: Principal = await request.app.state.services.principals.of(request.scope["claims"])
    for needed in request.scope["route"].scopes:
        principal.require(needed)
    return principal


Caller = Annotated[Principal, Depends(_caller)]
Token = Annotated[Claims, Depends(_claims)]
