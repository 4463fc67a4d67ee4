"""For operators: alive, ready, and the numbers. No token is asked for, and no tenant's data is told.

Alive never asks the database: a restart would not mend it. Ready does, and says what fails. The numbers come even
when the database doesn't: then the jobs are unknown (NaN), not none.
"""

import math
import os
from typing import Any, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.problems import responses
from service.api.schemas import as_json
from service.domain.errors import Unavailable
from service.telemetry import JOBS, POOL, REGISTRY

routes = APIRouter(tags=["ops"])
_PUBLIC: dict[str, Any] = {"x-scopes": [], "security": []}
# An old number would pass for a present one; processes that share their numbers can't take one back.
_LIVE_STATES = ("queued", "picked")
_UNCACHED = {"Cache-Control": "no-store"}


class NotReady(Unavailable):
    code = "not-ready"
    title = "This process can't serve requests yet; `failures` says what is missing."


class Alive(BaseModel):
    status: Literal["alive"]


class Ready(BaseModel):
    status: Literal["ready"]
    revision: str = Field(description="The revision of the schema.", examples=["2026_11_22_1620"])
    antivirus: Literal["off", "answers", "silent"] = Field(
        description="`off`: none is configured, uploads are read unscanned; `silent`: new uploads wait in quarantine."
    )


@routes.get(
    "/healthz",
    response_model=Alive,
    summary="Is the process alive?",
    operation_id="ops.health",
    openapi_extra=_PUBLIC,
)
async def healthz() -> Response:
    """Answers as long as the process does; the database is not asked."""
    return as_json({"status": "alive"}, headers=_UNCACHED)


@routes.get(
    "/readyz",
    response_model=Ready,
    summary="Can the process serve requests?",
    operation_id="ops.ready",
    responses=responses(NotReady),
    openapi_extra=_PUBLIC,
)
async def readyz(services: Wired) -> Response:
    """The database answers within a second and its schema is at or after the revision that this version needs.

    A virus scanner that is not there keeps nobody from being served, and is told.
    """
    readiness = await services.operations.readiness()
    if not readiness.ready:
        raise NotReady(" ".join(readiness.failures), failures=readiness.failures)
    scanner = services.scanner
    antivirus = "off" if not scanner.on else "answers" if await scanner.answers() else "silent"
    return as_json({"status": "ready", "revision": readiness.schema, "antivirus": antivirus}, headers=_UNCACHED)


@routes.get(
    "/metrics",
    response_class=Response,
    summary="Metrics for Prometheus",
    operation_id="ops.metrics",
    responses={
        200: {
            "description": "Prometheus text; with PROMETHEUS_MULTIPROC_DIR, of all processes that share the folder.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": 'clientbase_jobs{state="queued"} 0.0'}},
        }
    },
    openapi_extra=_PUBLIC,
)
async def metrics(services: Wired) -> Response:
    """Requests, latencies, connections, jobs by state and rows imported."""
    for state, connections in services.operations.pool_numbers().items():
        POOL.labels(state).set(connections)
    try:
        for state, count in (await services.operations.queue_states()).items():
            JOBS.labels(state).set(count)
    except Unavailable:
        for state in _LIVE_STATES:
            JOBS.labels(state).set(math.nan)
    return Response(generate_latest(_registry()), media_type=CONTENT_TYPE_LATEST, headers=_UNCACHED)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared
