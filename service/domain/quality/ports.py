"""What the scans and the numbers of data quality need from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.attributes import Attributes
from service.domain.idempotency import Idempotency
from service.domain.jobs import Jobs
from service.domain.ports import Journal, Transaction
from service.domain.quality.examining import Found, Judged, Look
from service.domain.rules.model import Asked
from service.domain.staff import Policies

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan as it stands: behind which record it goes on."""

    scan_id: UUID
    job_id: UUID
    scope: str
    watermark: UUID | None
    examined: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Some records as JSON, each as a `RecordRow`, in the order of their ids."""

    ids: Sequence[UUID]
    rows: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What a scan has to know of its tenant."""

    time_zone: str
    currency: str


class Examiner(Protocol):
    """Examines records, in other processes where they are many."""

    async def examine(self, rows: Sequence[str], look: Look) -> tuple[Sequence[Judged], Sequence[Found]]: ...

    @property
    def at_once(self) -> int:
        """How many batches it takes side by side."""
        ...

    async def rest(self) -> None:
        """There is nothing to do for a while."""
        ...


class QualityScanning(Protocol):
    """Reads records with their contacts in clear, and keeps what was found; within the principal's reach."""

    async def here(self) -> Here: ...

    async def scanned_on(self) -> date | None:
        """When the whole base was last looked through by night."""
        ...

    async def add_scan(self, scan_id: UUID, job_id: UUID, scope: str) -> None: ...

    async def running(self) -> UUID | None:
        """The job of a scan that has not ended."""
        ...

    async def scan_of(self, job_id: UUID) -> Scan | None: ...

    async def size(self, scope: str) -> int:
        """About how many records there are to examine."""
        ...

    async def after(self, scope: str, watermark: UUID | None, limit: int) -> Cards:
        """The next records to examine, in the order of their ids."""
        ...

    async def cards(self, ids: Sequence[UUID]) -> Cards:
        """These records, as far as they are there."""
        ...

    async def own_found(self, asked: Asked, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Whom of these a rule means."""
        ...

    async def keep(self, ids: Sequence[UUID], judged: Sequence[Judged], found: Sequence[Found]) -> None:
        """The scores of these records, if they are still as they were examined, and what is found no longer."""
        ...

    async def keep_found(self, found: Sequence[Found], versions: Mapping[str, int]) -> int:
        """Findings on records that are still of these versions, where one is named; how many are new or different.

        The records are locked until the transaction ends; those that somebody writes to are left out.
        """
        ...

    async def note(self, scan: Scan) -> None:
        """How far a scan is."""
        ...

    async def finish(self, scan: Scan, today: date) -> None:
        """A scan has come to its end: the numbers of the day are noted."""
        ...

    async def tidy(self, first: UUID | None, last: UUID | None) -> None:
        """Take away the scores of records between these that are gone."""
        ...

    async def base_wide(self, code: str, values: Mapping[str, object]) -> Sequence[Found]:
        """What only the whole base can tell, by one of its checks."""
        ...

    async def base_wide_gone(self, code: str, found: Sequence[Found]) -> None:
        """Findings of that check that are no longer found."""
        ...

    async def take_turn(self) -> bool:
        """Be the only one who follows the changes of this tenant, until the transaction ends."""
        ...

    async def changed(self, limit: int) -> tuple[Sequence[UUID], tuple[int, int], bool]:
        """Records changed since the last place, the place behind them, and whether there is more."""
        ...

    async def followed(self, place: tuple[int, int]) -> None: ...

    async def asked_for(self, today: date) -> bool:
        """The whole base is asked for on this day; False when it was already."""
        ...

    async def measure(self, today: date) -> None:
        """Note the numbers of the day, one part for each portfolio."""
        ...


class Quality(Protocol):
    """Findings and numbers as people see them; all within the principal's reach."""

    async def page(self, filters: Mapping[str, object], after: tuple[UUID, UUID] | None, limit: int) -> Sequence[Row]:
        """Findings by record, newest records first."""
        ...

    async def count(self, filters: Mapping[str, object]) -> int: ...

    async def of_customer(self, customer_id: UUID) -> Row | None:
        """The score of a record with its open findings; None when it is not within reach."""
        ...

    async def summary(self) -> Row: ...

    async def trend(self, since: date, until: date) -> Sequence[Row]: ...


class ScanTransaction(Transaction, Protocol):
    @property
    def quality_scanning(self) -> QualityScanning: ...

    @property
    def policies(self) -> Policies: ...

    @property
    def attributes(self) -> Attributes: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...


class QualityTransaction(ScanTransaction, Protocol):
    @property
    def quality(self) -> Quality: ...
