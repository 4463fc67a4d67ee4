"""What exports expect of a transaction. Everything is seen within the reach of its principal."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.domain.exports.policy import ExportPlan, ExportRequest
from service.domain.files import Files
from service.domain.idempotency import Idempotency
from service.domain.jobs import Jobs
from service.domain.ports import Journal, Transaction
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.ports import Purchases
from service.domain.segmentation.rfm import Cuts, Monetary
from service.domain.segmentation.rfm_groups import Scores

Sink = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExport:
    """An export as it stands; `scopes` are those it was asked for with, `clear` is whether the file shows contacts."""

    export_id: UUID
    staff_id: UUID
    state: str
    request: ExportRequest
    scopes: Sequence[str]
    clear: bool
    rows: int | None
    file_id: UUID | None


class Exports(Protocol):
    async def add(self, export_id: UUID, job_id: UUID, request: ExportRequest, plan: ExportPlan) -> None:
        """A new export, asked for with the scopes of the transaction's principal."""
        ...

    async def find(self, export_id: UUID) -> StoredExport | None: ...

    async def card(self, export_id: UUID) -> Mapping[str, Any] | None:
        """The export with the progress of its job and its file; None when it is not within reach."""
        ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Exports within reach, the newest first."""
        ...

    async def choose(self, basis: Basis, monetary: Monetary, scores: Cuts, wanted: Sequence[Scores]) -> None:
        """Narrow `count` and `stream` to the customers of these scores, for the rest of the transaction."""
        ...

    async def count(self, filters: Mapping[str, str]) -> int:
        """How many rows `stream` will write in the same snapshot."""
        ...

    async def stream(
        self, plan: ExportPlan, request: ExportRequest, currency: str, sink: Sink, *, expected: int
    ) -> int:
        """Send the CSV, header included, to the sink as fast as it takes it; returns the number of rows.

        `expected` is what `count` said; it chooses the way, not the rows.
        """
        ...

    def taken(self, request: ExportRequest) -> AsyncIterator[Sequence[str]]:
        """The ids of the rows that `stream` writes in the same snapshot, in their order, a page of chunks at a time.

        A chunk is a thousand ids as the text of an array.
        """
        ...

    async def record(self, export_id: UUID, chunks: Sequence[str]) -> None:
        """Keep in the ledger which records the export holds."""
        ...

    async def settle(
        self,
        export_id: UUID,
        state: str,
        *,
        rows: int | None = None,
        file_id: UUID | None = None,
        clear: bool = False,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """The end of an export, whichever."""
        ...


class ExportsTransaction(Transaction, Protocol):
    @property
    def exports(self) -> Exports: ...

    @property
    def files(self) -> Files: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def purchases(self) -> Purchases: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
