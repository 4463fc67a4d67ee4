"""At the edge: what somebody known is refused (403, and a budget's 429) goes into the audit trail, beside the answer.

The answer never waits for it and never fails by it: refusals are gathered, and written once in a quarter of a second in
a transaction of their own. While the database is away they wait, as counts; a 401 has nobody behind it and is counted
in the metrics alone.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog
from starlette.types import Scope

from service.domain.audit.refusals import Refusal, RefusalBook, Waiting
from service.domain.errors import Unavailable
from service.telemetry import REFUSALS

_log = structlog.get_logger("audit")
_TOLD = (403, 429)
_EVERY_S = 0.25


class Refusals:
    def __init__(self, book: RefusalBook, *, every_s: float = _EVERY_S) -> None:
        self._book = book
        self._every_s = every_s
        self._waiting = Waiting()
        self._writing: asyncio.Task[None] | None = None

    def note(self, scope: Scope, status: int) -> None:
        """Remember how a request ended."""
        if status < 400:
            return
        if status in (401, *_TOLD):
            REFUSALS.labels(status).inc()
        principal = scope.get("principal")
        if status not in _TOLD or principal is None:
            return
        route = scope.get("route")
        operation = getattr(route, "operation_id", None) or "unmatched"
        code = scope.get("refusal") or ("missing-scope" if status == 403 else "too-many-requests")
        refusal = Refusal(operation=operation, status=status, code=code, entity_id=_record(scope))
        self._waiting.add(principal, refusal)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def _write_soon(self) -> None:
        while len(self._waiting):
            await asyncio.sleep(self._every_s)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; what can't be written waits on."""
        for principal, counted in self._waiting.take():
            try:
                await self._book.keep(principal, counted)
            except Unavailable as error:
                _log.warning("refusals wait", code=error.code)
                for refusal, times in counted.items():
                    self._waiting.add(principal, refusal, times)
            except Exception as error:
                _log.error("refusals lost", error=type(error).__name__, times=sum(counted.values()))

    async def aclose(self) -> None:
        """Write what waits, once more."""
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        await self.flush()


def _record(scope: Scope) -> UUID | None:
    """The id in the path, the last one where there are several."""
    for value in reversed((scope.get("path_params") or {}).values()):
        with suppress(ValueError, AttributeError, TypeError):
            return value if isinstance(value, UUID) else UUID(value)
    return None
