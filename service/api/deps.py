"""What endpoints ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from service.api.schemas import expected_version, once
from service.api.services import Services
from service.domain.idempotency import Once, StillRunning

T = TypeVar("T")
_PAUSE_S = 0.1
_TRIES = 20


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Wait up to two seconds, holding no connection, for a copy of the same request that is still being carried out."""
    for _ in range(_TRIES):
        try:
            return await work()
        except StillRunning:
            await asyncio.sleep(_PAUSE_S)
    return await work()


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Wired = Annotated[Services, Depends(services_of)]
OnceKey = Annotated[Once | None, Depends(once)]
Expected = Annotated[int | None, Depends(expected_version)]
