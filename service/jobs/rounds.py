"""What the worker does beside its jobs, again and again; a round that fails is made good by the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from service.domain.errors import Unavailable

Work = Callable[[], Awaitable[object]]
Tenants = Callable[[], Awaitable[Sequence[int]]]


async def keep(work: Work, shutdown: asyncio.Event, *, every_s: float, log: Any, trouble: str) -> None:
    """A round every so many seconds until `shutdown` is set; `trouble` is what the log says of one that fails."""
    while not shutdown.is_set():
        await tried(work, log, trouble)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)


async def tried(work: Work, log: Any, trouble: str) -> bool:
    """Whether it went well. Of an error the log has the kind alone: its words may quote a value."""
    try:
        await work()
    except Unavailable as error:
        log.warning(trouble, code=error.code)
    except Exception as error:
        log.error(trouble, error=type(error).__name__)
    else:
        return True
    return False


async def for_each(tenants: Tenants, work: Callable[[int], Awaitable[object]], log: Any, trouble: str) -> None:
    """One tenant's trouble is not that of the next; a database that is away is everybody's."""
    for tenant_id in await tenants():
        try:
            await work(tenant_id)
        except Unavailable:
            raise
        except Exception as error:
            log.error(trouble, tenant=tenant_id, error=type(error).__name__)
