"""What imports need from storage. Every method sees only what the importer reaches."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.attributes import Attributes
from service.domain.customers.ports import Customers
from service.domain.files import Files
from service.domain.idempotency import Idempotency
from service.domain.ingestion.batches import Options
from service.domain.ingestion.blocks import Head
from service.domain.ingestion.documents import Documents
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.reader import Block
from service.domain.jobs import Jobs
from service.domain.orders.ports import Totals
from service.domain.ports import Journal, Transaction
from service.domain.staff import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """An upload that was taken in and waits for its job; in quarantine its kind may not be known yet."""

    import_id: UUID
    job_id: UUID
    file_id: UUID
    kind: str | None
    preset: str | None
    source: str
    mapping: Mapping[str, Any]
    content_hash: bytes
    state: str = "queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRun:
    """An import as it is now; `verdict` is what the virus scanner has said of its file."""

    import_id: UUID
    job_id: UUID
    file_id: UUID
    size: int
    verdict: str | None
    content_hash: bytes
    created_at: datetime
    kind: str | None
    source: str
    mapping: Mapping[str, Any]
    state: str
    watermark: int
    report: Mapping[str, Any]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a batch changed: customers (of orders: whose totals must follow), how many of each thing, and what could not
    be applied."""

    customers: Sequence[UUID]
    counts: Counter[str]
    rejects: Sequence[Reject]


class Imports(Protocol):
    async def same_content(self, kind: str | None, content_hash: bytes, but: UUID | None = None) -> UUID | None:
        """The import of this tenant, `but` this one, that has (or is to have) the same file applied."""
        ...

    async def add(self, new: NewImport) -> None:
        """Raises AlreadyImported when the same file came in at the same moment."""
        ...

    async def release(self, import_id: UUID, *, kind: str, preset: str | None, mapping: Mapping[str, Any]) -> None:
        """Out of quarantine into the queue, with what is known of the file now that it could be read."""
        ...

    async def find(self, import_id: UUID) -> ImportRun | None: ...

    async def by_job(self, job_id: UUID) -> ImportRun | None: ...

    async def card(self, import_id: UUID) -> Mapping[str, Any] | None:
        """What people see of an import; None when it is out of reach."""
        ...

    async def page(self, before: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
        """Cards, newest first, from the one before `before` on."""
        ...

    async def rejects(self, import_id: UUID, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """Rejected rows in the order of the file, from the one after row `after` on."""
        ...

    async def note(
        self, import_id: UUID, *, watermark: int, report: Mapping[str, Any], counts: Mapping[str, int]
    ) -> None:
        """The watermark of the batch that this transaction applies."""
        ...

    async def keep_rejects(self, import_id: UUID, rejects: Sequence[Reject]) -> None: ...

    async def finish(self, import_id: UUID, state: str, error: Mapping[str, Any] | None = None) -> None: ...


class Parcel(Protocol):
    """Records on their way, packed."""

    @property
    def count(self) -> int: ...

    def opened(self) -> Block: ...


class FileReader(Protocol):
    """Reads files that nobody vouches for where they can do no harm. Both raise UnreadableFile for one that tries."""

    async def look(self, start: bytes, options: Options) -> Head:
        """The first look at a file that begins with these bytes."""
        ...

    def blocks(
        self, parts: AsyncIterable[bytes], options: Options, *, size: int, most: int | None = None
    ) -> AsyncGenerator[Parcel | int, None]:
        """The records of a file of that size; beyond so many bytes of them numbers of records alone, which are enough
        for who only counts. The first records, with the header, come in any case."""
        ...


class Loading(Protocol):
    """Sets of rows on their way into the base; each call is a handful of statements, whatever the number of rows."""

    async def take_turn(self) -> bool:
        """Be the one import of the tenant for as long as this transaction lives; False while there is another."""
        ...

    async def apply_documents(self, documents: Documents, *, import_id: UUID, source: str) -> Applied: ...

    async def placing(self) -> tuple[Mapping[str, UUID], Mapping[str, UUID]]:
        """Staff by subject and by name, and channels by code."""
        ...


class IngestionTransaction(Transaction, Protocol):
    @property
    def policies(self) -> Policies: ...

    @property
    def imports(self) -> Imports: ...

    @property
    def loading(self) -> Loading: ...

    @property
    def files(self) -> Files: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def customers(self) -> Customers: ...

    @property
    def attributes(self) -> Attributes: ...

    @property
    def totals(self) -> Totals: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
