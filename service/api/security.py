"""Who calls: the bearer token is verified once, before any routing, and no connection is taken before that.

The principal is the token plus the staff row, at most two seconds old: whoever is blocked, moved or deputised is so at
once, whatever the token says, and so is a token that was taken back. A row that could not be read for five seconds is
not trusted any more: the answer is 503 then, never access of yesterday.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.addresses import client_address, home_of
from service.api.problems import problem_response
from service.api.quotas import Header, Quota
from service.api.tokens import Claims, TokenVerifier
from service.domain.access import Principal
from service.domain.errors import DomainError, Unauthenticated, Unavailable
from service.domain.staff import Directory
from service.domain.tokens import Held

_FRESH_S = 2.0
_TRUSTED_S = 5.0
_REMEMBERED = 10_000
# Probes of the process itself are never refused.
_UNCOUNTED = frozenset({"/healthz"})
_Key = tuple[str, str, tuple[str, ...], str]
# When the reading began, and what it found: somebody, or the kind of the refusal.
_Found = tuple[float, Principal | type[Unauthenticated]]


class NoToken(Unauthenticated):
    code = "no-token"
    title = "Send a bearer token in the Authorization header."


class Principals:
    """Principals of verified tokens, each read from the staff at most every two seconds, one read at a time."""

    def __init__(
        self, verifier: TokenVerifier, directory: Directory, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._verifier = verifier
        self._directory = directory
        self._clock = clock
        self._known: OrderedDict[_Key, _Found] = OrderedDict()
        self._asking: dict[_Key, asyncio.Future[_Found]] = {}
        self._changes = 0

    async def verified(self, token: str) -> Claims:
        """What a token says, without any look into the database. Raises InvalidToken, SigningKeysUnavailable."""
        return await self._verifier.verify(token)

    async def of(self, claims: Claims) -> Principal:
        """Who stands behind a verified token by now. Raises StaffBlocked, TokenRevoked, Unavailable."""
        key = (claims.tenant, claims.subject, claims.scopes, claims.token_id)
        found = self._known.get(key)
        if found is None or self._clock() - found[0] >= _FRESH_S:
            found = await self._ask(key, claims)
            if self._clock() - found[0] >= _TRUSTED_S:
                raise Unavailable
        somebody = found[1]
        if isinstance(somebody, Principal):
            return somebody
        raise somebody

    async def _ask(self, key: _Key, claims: Claims) -> _Found:
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._read(key, claims))
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._settled(key, done))
        # A caller who goes away must not take the answer from the others.
        return await asyncio.shield(asking)

    async def _read(self, key: _Key, claims: Claims) -> _Found:
        started, changes = self._clock(), self._changes
        held = Held(token_id=claims.token_id, issued_at=claims.issued_at)
        somebody: Principal | type[Unauthenticated]
        try:
            async with asyncio.timeout(_TRUSTED_S):
                somebody = await self._directory.by_subject(claims.tenant, claims.subject, claims.scopes, held=held)
        except TimeoutError:
            raise Unavailable from None
        except Unauthenticated as refusal:
            # Remembered too: whoever was dismissed must not keep the database busy with his old token.
            somebody = type(refusal)
        found = (started, somebody)
        # What was read while somebody was changed here may be from before the change: good for this once.
        if changes == self._changes:
            self._known[key] = found
            self._known.move_to_end(key)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _settled(self, key: _Key, done: "asyncio.Future[_Found]") -> None:
        if self._asking.get(key) is done:
            del self._asking[key]
        if not done.cancelled():
            done.exception()  # the callers have it; nobody else needs to hear of it

    def forget(self, staff_id: UUID) -> None:
        """Drop what is remembered of somebody who was just changed in this process; refusals name nobody and go too."""
        self._drop(lambda _, somebody: not isinstance(somebody, Principal) or somebody.staff_id == staff_id)

    def forget_tenant(self, tenant_id: int) -> None:
        """Drop what is remembered of a tenant whose terms of use were just changed in this process."""
        self._drop(lambda _, somebody: isinstance(somebody, Principal) and somebody.tenant_id == tenant_id)

    def forget_token(self, token_id: str) -> None:
        """Drop what is remembered of a token that was just taken back in this process."""
        self._drop(lambda key, _: key[3] == token_id)

    def _drop(self, which: Callable[[_Key, Principal | type[Unauthenticated]], bool]) -> None:
        for key in [key for key, (_, somebody) in self._known.items() if which(key, somebody)]:
            del self._known[key]
        self._asking.clear()
        self._changes += 1


class Gate:
    """ASGI: nothing under /v1 is reached without a principal, and nobody calls more often than he may.

    A caller is counted by tenant and subject; whoever has not proved who he is, by his address.
    """

    def __init__(
        self,
        app: ASGIApp,
        principals: Principals,
        *,
        callers: Quota,
        addresses: Quota,
        came: Callable[[Principal, str, str], None],
    ) -> None:
        """`came` hears of every principal, by which token and from where."""
        self._app = app
        self._came = came
        self._principals = principals
        self._callers = callers
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                if scope["path"].startswith("/v1"):
                    scope["principal"] = await self._admitted(scope)
                elif scope["path"] not in _UNCOUNTED:
                    self._count(scope, self._addresses, home_of(client_address(scope)))
            except DomainError as error:
                await problem_response(error, scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope) -> Principal:
        try:
            claims = await self._principals.verified(_bearer(scope))
        except Unauthenticated:
            self._count(scope, self._addresses, home_of(client_address(scope)))
            raise
        self._count(scope, self._callers, (claims.tenant, claims.subject))
        scope["claims"] = claims
        principal = await self._principals.of(claims)
        self._came(principal, claims.token_id, home_of(client_address(scope)))
        return principal

    @staticmethod
    def _count(scope: Scope, quota: Quota, key: object) -> None:
        headers: tuple[Header, ...] = ()
        try:
            headers = quota.take(key)
        except DomainError:
            headers = quota.told(key)
            raise
        finally:
            scope["rate_limit"] = headers


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.decode("latin-1").partition(" ")
            if kind.lower() == "bearer" and token:
                return str(token)
    raise NoToken
