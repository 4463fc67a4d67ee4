"""Long work: who runs it, how far it is, and how it ends.

Each run of a job carries an epoch, taken when it starts and checked in each of its transactions: a worker that was
thought dead and comes back finds that its epoch has passed and writes nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.errors import Conflict, DomainError, NotFound
from service.domain.ports import Journal, Transaction


class NoJob(NotFound):
    code = "job-not-found"
    title = "There is no such job within the caller's reach."


class JobOver(Conflict):
    code = "job-over"
    title = "The job has ended already."


class Superseded(DomainError):
    """Another run of the job has taken over; this one must stop."""

    code = "job-superseded"
    title = "Another run of this job has taken over."


class Cancelled(DomainError):
    code = "job-cancelled"
    title = "The job was cancelled."


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of a piece of long work; `scopes` are those of the token that asked for it."""

    job_id: UUID
    kind: str
    epoch: int
    request: Mapping[str, Any]
    scopes: Sequence[str]


class Jobs(Protocol):
    async def enqueue(self, kind: str, *, unit: str, request: Mapping[str, Any]) -> UUID:
        """Queue work in this transaction (a rollback drops it); returns the id to ask for its progress."""
        ...

    async def card(self, job_id: UUID) -> Mapping[str, Any] | None:
        """What people see of a job; None when it is out of reach."""
        ...

    async def cancel(self, job_id: UUID) -> bool:
        """Ask a job to stop; False when it has ended."""
        ...

    async def start(self, job_id: UUID) -> Job | None:
        """Take a new epoch and mark it running; None when it has ended (or was cancelled) already."""
        ...

    async def advance(self, job: Job, *, done: int, total: int | None) -> None:
        """Note progress. Raises Superseded when another run took over, Cancelled when somebody asked for that."""
        ...

    async def finish(self, job: Job, state: str, error: Mapping[str, Any] | None = None) -> None:
        """Ends it as done, failed or cancelled. Raises Superseded."""
        ...

    async def refuse(self, job_id: UUID, error: Mapping[str, Any]) -> Sequence[tuple[str, UUID]]:
        """Fail a job that must not run (any more), with the import or export that it was to do; names what it ended."""
        ...


class JobsTransaction(Transaction, Protocol):
    @property
    def jobs(self) -> Jobs: ...

    @property
    def journal(self) -> Journal: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is; the rate is over the whole run, the rest is an estimate."""

    done: int
    total: int | None
    rate: float | None
    eta_seconds: float | None


def progress(done: int, total: int | None, started_at: datetime | None, now: datetime, *, running: bool) -> Progress:
    """Rate and time left from what was done since the start."""
    seconds = (now - started_at).total_seconds() if started_at else 0.0
    rate = done / seconds if running and seconds > 0 and done else None
    left = (total - done) / rate if rate and total is not None and total >= done else None
    return Progress(done=done, total=total, rate=rate, eta_seconds=left)
