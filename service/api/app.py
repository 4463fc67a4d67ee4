"""The HTTP application: every route, one gate in front of /v1, one edge around all."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from service import telemetry
from service.api import (
    customers,
    docs,
    exports,
    health,
    imports,
    jobs,
    openapi,
    orders,
    overview,
    problems,
    segmentation,
    staff,
)
from service.api.edge import Edge
from service.api.security import Gate, Principals
from service.api.services import Services

Opened = Callable[[], AbstractAsyncContextManager[Services]]
# Reads by key and lists come first: routes are tried in this order.
_MODULES = (customers, orders, segmentation, imports, exports, jobs, overview, staff, health, docs)


class _Late:
    """The gate asks for principals that are there only once the service has started."""

    def __init__(self) -> None:
        self.principals: Principals | None = None

    async def of_token(self, token: str) -> object:
        assert self.principals is not None
        return await self.principals.of_token(token)


def assemble(
    opened: Opened | None = None, *, body_bytes: int = 32 * 1024**2, upload_bytes: int = 4 * 1024**3
) -> FastAPI:
    """The application; `opened` gives the services for as long as it runs (none are needed to describe it)."""
    late = _Late()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        assert opened is not None
        async with opened() as services:
            app.state.services = services
            late.principals = services.principals
            yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for module in _MODULES:
        app.router.routes.extend(module.routes.routes)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(Gate, principals=late)  # type: ignore[arg-type]
    app.add_middleware(
        Edge,
        requests=telemetry.REQUESTS,
        latency=telemetry.LATENCY,
        unavailable=telemetry.UNAVAILABLE,
        body_bytes=body_bytes,
        upload_bytes=upload_bytes,
    )
    return app
