"""Beside the jobs, the worker compares new and changed records with their like."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.domain.duplicates.model import Matched
from service.jobs.rounds import keep

_log = structlog.get_logger("duplicates")
_EVERY_S = 2.0


async def keep_matched(
    refresh: Callable[[], Awaitable[Matched]], shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Match every few seconds until `shutdown` is set."""

    async def once() -> None:
        done = await refresh()
        if done.pairs:
            _log.info("records matched", records=done.records, pairs=done.pairs)

    await keep(once, shutdown, every_s=every_s, log=_log, trouble="records not matched")
