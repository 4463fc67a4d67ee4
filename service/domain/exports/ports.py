"""What exports expect of a transaction. Everything is seen within the reach of its principal."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.attributes import Attributes
from service.domain.exports.marks import MarkKey
from service.domain.exports.policy import ExportPlan, ExportRequest
from service.domain.files import Files
from service.domain.idempotency import Idempotency
from service.domain.jobs import Jobs
from service.domain.leaks.ports import Canaries, Watch
from service.domain.ports import Journal, Transaction
from service.domain.rules.model import Asked
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.ports import Purchases
from service.domain.segmentation.rfm import Cuts, Monetary
from service.domain.segmentation.rfm_groups import Scores
from service.domain.staff import Policies

Sink = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExport:
    """An export as it stands; `scopes` are those it was asked for with, `clear` is whether the file shows contacts,
    `asked_rows` what was agreed to, `approvers` who has agreed in this round."""

    export_id: UUID
    staff_id: UUID
    state: str
    request: ExportRequest
    scopes: Sequence[str]
    clear: bool
    rows: int | None
    file_id: UUID | None
    asked_rows: int
    needs: int
    round: int
    fetches: int
    approvers: Sequence[UUID]


class Exports(Protocol):
    async def lately(self, except_id: UUID) -> int:
        """Rows that the caller took out in the last day without anybody's word; copies of him wait their turn."""
        ...

    async def add(
        self, export_id: UUID, job_id: UUID | None, request: ExportRequest, plan: ExportPlan, *, rows: int, needs: int
    ) -> None:
        """A new export, asked for with the scopes of the transaction's principal; it waits for those it needs."""
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

    async def choose_meant(self, asked: Asked) -> None:
        """The same for the customers that a rule means; after `choose`, those of both."""
        ...

    async def forget_choice(self) -> None:
        """Before what the transaction wrote is kept: who was chosen is nobody's business afterwards."""
        ...

    def leave_out(self, customer_ids: Sequence[UUID]) -> None:
        """Narrow `count`, `stream` and `taken` to all others, for the rest of the transaction."""
        ...

    async def count(self, filters: Mapping[str, str]) -> int:
        """How many rows `stream` will write in the same snapshot."""
        ...

    async def stream(
        self,
        plan: ExportPlan,
        request: ExportRequest,
        currency: str,
        sink: Sink,
        *,
        expected: int,
        key: MarkKey | None = None,
    ) -> int:
        """Send the CSV, header included, to the sink as fast as it takes it; returns the number of rows.

        `expected` is what `count` said; it chooses the way, not the rows. With a key the cells are marked by it.
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
        mark: bytes | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """The end of an export, whichever."""
        ...


class Approvals(Protocol):
    async def waiting(self, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Cards of exports that the caller may decide on and has not agreed to yet, the newest first."""
        ...

    async def find(self, export_id: UUID) -> StoredExport | None:
        """The export, held until the transaction ends, so that deciders go one after the other."""
        ...

    async def fresh(self, export_id: UUID) -> Sequence[UUID]:
        """Who has agreed in this round, as far as it is not too long ago."""
        ...

    async def agree(self, export: StoredExport) -> None:
        """The caller's word for this round."""
        ...

    async def release(self, export: StoredExport) -> UUID:
        """Queue its job, as its requester with the scopes of his request; returns the id."""
        ...

    async def reject(self, export_id: UUID, error: Mapping[str, Any]) -> None: ...

    async def ask_again(self, export_id: UUID, *, rows: int, needs: int) -> None:
        """A new round, for that many rows; the words given before are void."""
        ...


class Fetches(Protocol):
    async def add_link(self, export_id: UUID, token_hash: bytes, expires_at: datetime) -> None:
        """A link of the caller's."""
        ...

    async def use_link(self, export_id: UUID, token_hash: bytes) -> bool:
        """Use the caller's link up; False when there is none, it was used, or its time is over."""
        ...

    async def count(self, export_id: UUID, *, first: bool) -> bool:
        """One fetch more; with `first` only if there was none, False otherwise."""
        ...

    async def expire(self, file_id: UUID) -> None:
        """The file has had its time; who is reading it reads on."""
        ...

    async def let_go(self, export_id: UUID) -> None:
        """Delete the file of the export."""
        ...


class ExportsTransaction(Transaction, Protocol):
    @property
    def exports(self) -> Exports: ...

    @property
    def export_approvals(self) -> Approvals: ...

    @property
    def export_fetches(self) -> Fetches: ...

    @property
    def leaks(self) -> Watch: ...

    @property
    def canaries(self) -> Canaries: ...

    @property
    def attributes(self) -> Attributes: ...

    @property
    def policies(self) -> Policies: ...

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
