"""Long work over HTTP: how far a job is, a stream that tells it, and the wish to stop it.

The stream looks twice a second, each time in a short transaction of its own, so it holds no connection; it tells only
what changed. It ends with the job, with the caller's right to see it, and after a quarter of an hour at most.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from service.api.deps import Wired
from service.api.routing import Caller, by_now, operation, router
from service.api.schemas import as_json
from service.api.services import Services
from service.domain.access import Principal
from service.domain.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from service.domain.jobs import JobOver, NoJob, progress

routes = router("jobs")
_POLL_S = 0.5
_HEARTBEAT_S = 15.0
_LONGEST_S = 900.0
_ENDED = ("done", "failed", "cancelled")
_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM_EXAMPLE = 'event: progress\ndata: {"state":"running","done":40000,"total":100000,"unit":"rows"}\n\n'
# For other resources whose progress is that of a job.
STREAM_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event: progress` with a job each time it has moved on, and `event: end` with it at the end.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE}},
    }
}


class JobOut(BaseModel):
    job_id: UUID
    kind: str = Field(examples=["import"])
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: int = Field(examples=[40000])
    total: int | None = Field(description="Null as long as nobody knows.", examples=[100000])
    unit: str = Field(description="What is counted.", examples=["rows"])
    rate: float | None = Field(description="Per second, over the whole run.", examples=[21500.0])
    eta_seconds: float | None = Field(description="An estimate of the time left.", examples=[2.8])
    cancel_requested: bool
    error: dict[str, Any] | None = Field(description="Why it failed.", examples=[None])
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


async def job_card(services: Services, principal: Principal, job_id: UUID) -> dict[str, Any]:
    """The job as it is now. Raises NoJob."""
    async with services.uow.begin(principal) as tx:
        row = await tx.jobs.card(job_id)
    if row is None:
        raise NoJob
    return _card(row, services.clock.now())


def _card(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    far = progress(row["done"], row["total"], row["started_at"], now, running=row["state"] == "running")
    rounded = {"rate": far.rate and round(far.rate, 1), "eta_seconds": far.eta_seconds and round(far.eta_seconds, 1)}
    return dict(row) | rounded


async def job_events(
    services: Services, caller: Callable[[], Awaitable[Principal]], job_id: UUID
) -> AsyncIterator[bytes]:
    """Server-sent events of a job until it ends, the client goes or a quarter of an hour is over.

    `caller` tells each time anew who asks; when it refuses, the stream ends too.
    """
    started = spoken = time.monotonic()
    told: object = None
    while time.monotonic() - started < _LONGEST_S:
        try:
            card = await job_card(services, await caller(), job_id)
        except Unavailable:
            card = None  # The stream outlives a database that is away for a moment.
        except (NotFound, Unauthenticated, Forbidden):
            return
        moved = card and (card["state"], card["done"], card["total"], card["cancel_requested"])
        if card and moved != told:
            told, spoken = moved, time.monotonic()
            yield _event("progress", card)
        if card and card["state"] in _ENDED:
            yield _event("end", card)
            return
        if time.monotonic() - spoken >= _HEARTBEAT_S:
            spoken = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(_POLL_S)


def _event(name: str, card: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), bytes(as_json(card).body))


async def event_stream(services: Services, request: Request, job_id: UUID) -> Response:
    """The stream as an answer; a job that the caller can't see is refused before it begins. Raises NoJob."""
    await job_card(services, await by_now(request), job_id)
    return StreamingResponse(
        job_events(services, partial(by_now, request), job_id), media_type="text/event-stream", headers=_STREAM_HEADERS
    )


@routes.get(
    "/jobs/{job_id}",
    response_model=JobOut,
    summary="Read a job",
    **operation("jobs.get", problems=(NoJob,)),
)
async def get_job(job_id: UUID, principal: Caller, services: Wired) -> Response:
    """State, progress, rate and time left of a job of yours (with reach over the tenant: of anyone's)."""
    return as_json(await job_card(services, principal, job_id), headers={"Cache-Control": "no-store"})


_EVENTS = operation("jobs.events", problems=(NoJob,))
_EVENTS["responses"] |= STREAM_RESPONSE


@routes.get("/jobs/{job_id}/events", response_class=StreamingResponse, summary="Follow a job", **_EVENTS)
async def follow_job(job_id: UUID, request: Request, services: Wired) -> Response:
    """Server-sent events: progress at most twice a second, the end once; connect again when the stream closes early."""
    return await event_stream(services, request, job_id)


@routes.post(
    "/jobs/{job_id}/cancel",
    response_model=JobOut,
    status_code=202,
    summary="Cancel a job",
    **operation("jobs.cancel", problems=(NoJob, JobOver)),
)
async def cancel_job(job_id: UUID, principal: Caller, services: Wired) -> Response:
    """Ask a job to stop: a waiting one ends at once, a running one at its next step. What it has written stays."""
    async with services.uow.begin(principal) as tx:
        if await tx.jobs.card(job_id) is None:
            raise NoJob
        if not await tx.jobs.cancel(job_id):
            raise JobOver
        await tx.journal.audit("jobs.cancel", "job", job_id)
        await tx.commit()
    return as_json(await job_card(services, principal, job_id), 202)
