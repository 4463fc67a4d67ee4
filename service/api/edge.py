"""The outermost layer: a request id, a bound on the body, headers for browsers and caches, one log line, the metrics,
and the last resort.

A client's own X-Request-ID is taken when it is plain. The log names the route's template, never the path, the query
or the body: personal data can't hide in it.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import InternalError, problem_response
from service.api.refusals import Refusals
from service.domain.errors import DomainError, TooLarge
from service.domain.ids import new_id
from service.telemetry import log_request

# Requests are numbered within a process, whose own id is drawn once: a fresh random id would cost each a system call.
_PROCESS = new_id().hex[-20:]
_NUMBERS = count(1)
_PLAIN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_log = structlog.get_logger("api")
# For whatever comes back, unless the answer says it better (the pages under /docs have a policy of their own).
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_OF_DATA = (*_ALWAYS, (b"cache-control", b"no-store"))
_OVER_TLS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the surface lets through, and what stands in front of it."""

    body_bytes: int = 32 * 1024**2
    upload_bytes: int = 4 * 1024**3
    caller_per_minute: int = 0
    address_per_minute: int = 0
    trusted_proxies: Sequence[str] = ()
    behind_tls: bool = False


class Edge:
    def __init__(
        self,
        app: ASGIApp,
        *,
        requests: Counter,
        latency: Histogram,
        unavailable: Counter,
        bounds: Bounds,
    ) -> None:
        self._app = app
        over_tls = (_OVER_TLS,) if bounds.behind_tls else ()
        self._always, self._of_data = (*_ALWAYS, *over_tls), (*_OF_DATA, *over_tls)
        self._requests = requests
        self._latency = latency
        self._unavailable = unavailable
        self._lacking: dict[tuple[bool | bytes, ...], tuple[tuple[bytes, bytes], ...]] = {}
        self._bounds = bounds
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        # There once the service has started.
        self.refusals: Refusals | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._completed(scope, message["headers"], request_id)
            await send(message)

        try:
            await self._app(scope, self._bounded(scope, receive), answer)
        except DomainError as error:
            scope["refusal"] = error.code
            if status:
                _log.warning("broken off", request_id=request_id, code=error.code)
            else:
                await problem_response(error, scope["path"])(scope, receive, answer)
        except Exception as error:
            if status and isinstance(error.__cause__, DomainError):
                # The framework's complaint that an answer which is on its way can't become a refusal.
                scope["refusal"] = error.__cause__.code
                _log.warning("broken off", request_id=request_id, code=error.__cause__.code)
                return
            _log.error("failed", request_id=request_id, kind=type(error).__name__, exc_info=_where(error))
            if not status:
                problem = InternalError(request_id=request_id)
                await problem_response(problem, scope["path"], 500)(scope, receive, answer)
        finally:
            self._count(scope, request_id, status or 499, time.perf_counter() - started)

    def _completed(
        self, scope: Scope, given: Iterable[tuple[bytes, bytes]], request_id: str
    ) -> list[tuple[bytes, bytes]]:
        said = (scope["path"].startswith("/v1"), *[name for name, _ in given])
        lacking = self._lacking.get(said)
        if lacking is None:
            usual = self._of_data if said[0] else self._always
            # Routes answer with few sets of names; they are told apart once.
            lacking = self._lacking[said] = tuple(header for header in usual if header[0] not in said)
        return [*given, (b"x-request-id", request_id.encode()), *scope.get("rate_limit", ()), *lacking]

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        limit = self._bounds.upload_bytes if scope["path"] == "/v1/imports" else self._bounds.body_bytes
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                raise TooLarge(f"The body may have {limit} bytes at most.", limit_bytes=limit)
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLarge(f"The body may have {limit} bytes at most.", limit_bytes=limit)
            return message

        return bounded

    def _count(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        key = (scope["method"], route, status)
        child = self._children.get(key)
        if child is None:
            child = (self._requests.labels(*key), self._latency.labels(*key[:2]))
            self._children[key] = child
        child[0].inc()
        child[1].observe(seconds)
        if status == 503:
            self._unavailable.inc()
        if self.refusals is not None:
            self.refusals.note(scope, status)
        principal = scope.get("principal")
        log_request(
            request_id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            tenant=principal.tenant_id if principal else None,
            staff=str(principal.staff_id) if principal else None,
        )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _PLAIN_ID.fullmatch(value):
            return str(value.decode())
    return f"{_PROCESS}-{next(_NUMBERS):x}"


def _where(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    """The place of a failure without its message: a driver's text may quote a value."""
    return (_Silent, _Silent(type(error).__name__), error.__traceback__)


class _Silent(Exception):
    """Stands in for an error whose own words stay out of the log."""
