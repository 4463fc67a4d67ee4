"""Who calls: the bearer token is verified once, before any routing, and no connection is taken before that.

The principal is the token plus the staff row, at most two seconds old: whoever is blocked, moved or deputised is so at
once, whatever the token says.
"""

import asyncio
import time
from collections import OrderedDict
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem_response
from service.api.tokens import Claims, TokenVerifier
from service.domain.access import Principal
from service.domain.errors import DomainError, Unauthenticated
from service.domain.staff import Directory

_FRESH_S = 2.0
_REMEMBERED = 10_000
_Key = tuple[str, str, tuple[str, ...]]


class NoToken(Unauthenticated):
    code = "no-token"
    title = "Send a bearer token in the Authorization header."


class Principals:
    """Principals of verified tokens, each read from the staff at most every two seconds, one read at a time."""

    def __init__(self, verifier: TokenVerifier, directory: Directory) -> None:
        self._verifier = verifier
        self._directory = directory
        self._known: OrderedDict[_Key, tuple[float, Principal]] = OrderedDict()
        self._asking: dict[_Key, asyncio.Future[Principal]] = {}

    async def of_token(self, token: str) -> Principal:
        """The principal of a token. Raises InvalidToken, StaffBlocked, Unavailable."""
        claims = await self._verifier.verify(token)
        key = (claims.tenant, claims.subject, claims.scopes)
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _FRESH_S:
            return known[1]
        return await self._ask(key, claims)

    async def _ask(self, key: _Key, claims: Claims) -> Principal:
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._read(key, claims))
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._settled(key, done))
        # A caller who goes away must not take the answer from the others.
        return await asyncio.shield(asking)

    async def _read(self, key: _Key, claims: Claims) -> Principal:
        started = time.monotonic()
        principal = await self._directory.by_subject(claims.tenant, claims.subject, claims.scopes)
        self._known[key] = (started, principal)
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return principal

    def _settled(self, key: _Key, done: "asyncio.Future[Principal]") -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # the callers have it; nobody else needs to hear of it

    def forget(self, staff_id: UUID) -> None:
        """Drop what is remembered of a staff member who was just changed in this process."""
        for key in [key for key, (_, principal) in self._known.items() if principal.staff_id == staff_id]:
            del self._known[key]


class Gate:
    """ASGI: nothing under /v1 is reached without a principal."""

    def __init__(self, app: ASGIApp, principals: Principals) -> None:
        self._app = app
        self._principals = principals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1"):
            try:
                scope["principal"] = await self._principals.of_token(_bearer(scope))
            except DomainError as error:
                await problem_response(error, scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.decode("latin-1").partition(" ")
            if kind.lower() == "bearer" and token:
                return str(token)
    raise NoToken
