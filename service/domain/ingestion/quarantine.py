"""Between an upload and its first byte read stands the virus scanner; what it can't judge waits."""

from collections.abc import AsyncIterable
from typing import Literal

from service.domain.access import Principal
from service.domain.ingestion.ports import ImportRun, IngestionTransaction
from service.domain.ingestion.scanning import (
    Clean,
    FileInfected,
    FileNotScanned,
    Infected,
    NotScanned,
    Scanner,
    StillQuarantined,
    TooLargeToScan,
    next_try,
    wait_limit,
)
from service.domain.ports import Clock, UnitOfWork

Stands = Literal["unscanned", "waiting", "clean"]


class Quarantine:
    def __init__(self, uow: UnitOfWork[IngestionTransaction], clock: Clock, scanner: Scanner) -> None:
        self._uow = uow
        self._clock = clock
        self._scanner = scanner

    async def at_upload(self, principal: Principal, content: AsyncIterable[bytes], size: int | None) -> Stands:
        """How a file stands that is coming in. Raises FileInfected, TooLargeToScan."""
        scanner = self._scanner
        if not scanner.on:
            return "unscanned"
        if size is not None and size > scanner.most_bytes:
            raise TooLargeToScan(most_bytes=scanner.most_bytes)
        if not scanner.at_once(size):
            return "waiting"
        verdict = await scanner.scan(content, waiting=True)
        if isinstance(verdict, Infected):
            async with self._uow.begin(principal) as tx:
                await tx.journal.audit("imports.infected", "import", signature=verdict.signature, bytes=size)
                await tx.commit()
            raise FileInfected(_found(verdict), signature=verdict.signature)
        if isinstance(verdict, NotScanned) and verdict.for_good:
            raise TooLargeToScan
        return "clean" if isinstance(verdict, Clean) else "waiting"

    def holds(self, run: ImportRun) -> bool:
        """Whether nothing of the file may be read yet, be it that another process took it in without a scanner."""
        return run.state == "quarantined" or (self._scanner.on and run.verdict != "clean")

    async def judge(self, principal: Principal, run: ImportRun, content: AsyncIterable[bytes]) -> None:
        """Returns when the file is clean. Raises FileInfected, StillQuarantined, FileNotScanned."""
        verdict = await self._scanner.scan(content, waiting=False)
        if isinstance(verdict, Infected):
            raise FileInfected(_found(verdict), signature=verdict.signature)
        if isinstance(verdict, NotScanned):
            async with self._uow.begin(principal) as tx:
                limit = wait_limit(await tx.policies.read())
            now = self._clock.now()
            if verdict.for_good or now - run.created_at >= limit:
                raise FileNotScanned(f"{FileNotScanned.title} ({verdict.reason[0].upper()}{verdict.reason[1:]}.)")
            raise StillQuarantined(retry_in=next_try(run.created_at, now).total_seconds())


def _found(verdict: Infected) -> str:
    return f"The virus scanner found {verdict.signature} in the file; it was not kept."
