"""The HTTP application: every route, one gate in front of /v1, one edge around all."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service import telemetry
from service.api import (
    abc_reports,
    abc_snapshots,
    access_requests,
    around,
    assignments,
    attributes,
    audit,
    changes,
    channels,
    customer_search,
    customers,
    deputies,
    docs,
    duplicates,
    exports,
    health,
    imports,
    jobs,
    leaks,
    merging,
    openapi,
    orders,
    overview,
    policies,
    privacy,
    problems,
    quality,
    quality_checks,
    quality_fixes,
    quality_tasks,
    records,
    redirects,
    reveals,
    revocations,
    rfm_schemes,
    rfm_snapshots,
    saved_segments,
    segment_members,
    segmentation,
    segments,
    staff,
    tags,
    terms,
    timeline,
)
from service.api.addresses import networks
from service.api.edge import Bounds, Edge
from service.api.quotas import Quota
from service.api.routing import HotPaths
from service.api.security import Gate, Principals
from service.api.services import Services

Opened = Callable[[], AbstractAsyncContextManager[Services]]
# Reads by key and lists come first: routes are tried in this order.
_MODULES = (
    customers,
    records,
    reveals,
    attributes,
    around,
    access_requests,
    privacy,
    customer_search,
    duplicates,
    quality,
    quality_checks,
    orders,
    segmentation,
    rfm_schemes,
    rfm_snapshots,
    abc_reports,
    abc_snapshots,
    segments,
    saved_segments,
    segment_members,
    imports,
    exports,
    jobs,
    leaks,
    overview,
    staff,
    deputies,
    policies,
    quality_fixes,
    quality_tasks,
    assignments,
    merging,
    changes,
    channels,
    tags,
    audit,
    timeline,
    terms,
    revocations,
    health,
    docs,
)


class Application(FastAPI):
    """FastAPI with edge and gate around all of it: what they answer, and every hot read, passes none of its layers."""

    around: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.around is None or scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.around(scope, receive, send)

    async def within(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything that is FastAPI's own."""
        await super().__call__(scope, receive, send)


class _Late:
    """The gate asks for principals that are there only once the service has started."""

    def __init__(self) -> None:
        self.principals: Principals | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.principals, name)


def assemble(opened: Opened | None = None, bounds: Bounds = Bounds()) -> FastAPI:  # noqa: B008 (it is frozen)
    """The application; `opened` gives the services for as long as it runs (none are needed to describe it)."""
    late = _Late()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        assert opened is not None
        async with opened() as services:
            app.state.services = services
            late.principals = services.principals
            edge.refusals = services.refusals
            yield
            await services.refusals.aclose()

    app = Application(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for module in _MODULES:
        app.router.routes.extend(module.routes.routes)
    problems.install(app)
    redirects.install(app)
    openapi.install(app)
    app.add_exception_handler(Exception, _failed)
    app.state.trusted_proxies = networks(bounds.trusted_proxies)
    gate = Gate(
        HotPaths(app.within, app.router.routes),
        principals=late,  # type: ignore[arg-type]
        callers=Quota("caller", limit=bounds.caller_per_minute),
        addresses=Quota("address", limit=bounds.address_per_minute),
        came=lambda principal, token_id, address: app.state.services.activity.came(principal, token_id, address),
    )
    edge = Edge(
        gate,
        requests=telemetry.REQUESTS,
        latency=telemetry.LATENCY,
        unavailable=telemetry.UNAVAILABLE,
        bounds=bounds,
    )
    app.around = edge
    return app


async def _failed(request: Request, _: Exception) -> Response:
    # FastAPI lets the exception through afterwards, and the edge writes it down.
    problem = problems.InternalError(request_id=request.scope["request_id"])
    return problems.problem_response(problem, request.url.path, 500)
