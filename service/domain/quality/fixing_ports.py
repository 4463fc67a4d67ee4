"""What mending records needs from storage. Every method sees only what the principal reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.ports import CustomersTransaction, Stored
from service.domain.quality.fixing import Detail, Swap
from service.domain.rules.model import Asked

Card = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which open issues are meant: those named, or all that fit; what is None or empty asks for nothing."""

    issue_ids: Sequence[UUID] | None = None
    codes: Sequence[str] = ()
    causes: Sequence[str] = ()
    severities: Sequence[str] = ()
    fields: Sequence[str] = ()
    source: str | None = None
    customer_id: UUID | None = None
    curator_id: UUID | None = None
    import_id: UUID | None = None
    rule: Asked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A finding as it is kept; `proposal` is what was proposed then, contacts masked."""

    issue_id: UUID
    customer_id: UUID
    code: str
    field: str
    detail_id: UUID | None
    proposal: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One fix that is made; `changes` for people, `images` for its undo."""

    fix_id: UUID
    issue: Issue
    confidence: float
    changes: Sequence[Mapping[str, Any]]
    images: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFix:
    """A fix that was made, with its images in clear."""

    fix_id: UUID
    customer_id: UUID
    issue_id: UUID
    undone: bool
    images: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAsk:
    """Which tasks: of these curators, due by that day, behind that place in the list."""

    curators: Sequence[UUID]
    by: date | None = None
    after: tuple[date, UUID] | None = None
    limit: int = 50


class Mending(Protocol):
    async def issues(
        self, chosen: Chosen, *, fixable: bool, least: float, after: UUID | None, limit: int
    ) -> Sequence[Issue]:
        """Open issues in the order of their ids; with `fixable` those with a proposal of at least that confidence.

        Records whose processing is restricted are left out of what is not named one by one.
        """
        ...

    async def issue(self, issue_id: UUID) -> Card | None:
        """One issue with what there is to say of it; None when it is not within reach."""
        ...

    async def seen(self, customer_ids: Sequence[UUID]) -> Mapping[UUID, Stored]:
        """The records, without a lock."""
        ...

    async def details(self, customer_ids: Sequence[UUID]) -> Mapping[UUID, tuple[Detail, ...]]:
        """The contacts of locked records, in clear."""
        ...

    async def swap(self, swaps: Mapping[UUID, Sequence[Swap]]) -> None:
        """Write what became of the contacts of these records."""
        ...

    async def keep(self, run_id: UUID, fixes: Sequence[Fix], *, automatic: bool) -> None: ...

    async def decide(self, issue_ids: Sequence[UUID], state: str) -> int:
        """Close or reopen issues; open ones have no decision. How many there were."""
        ...

    async def kept(self, fix_ids: Sequence[UUID] | None, run_id: UUID | None, limit: int) -> Sequence[KeptFix]:
        """Fixes that stand (a named one undone or not), the latest first."""
        ...

    async def undone(self, fix_ids: Sequence[UUID]) -> None: ...

    async def fixes(
        self, *, customer_id: UUID | None, run_id: UUID | None, before: UUID | None, limit: int
    ) -> Sequence[Card]:
        """Fixes as people see them, the latest first."""
        ...

    async def fix(self, fix_id: UUID) -> Card | None: ...

    async def policy(self) -> tuple[Mapping[str, Any], str]:
        """What the tenant has decided on quality, and its time zone."""
        ...


class Tasks(Protocol):
    async def schedule(self, issue_id: UUID, due_on: date | None) -> bool:
        """Set or take back the day of an open issue; False where there is none."""
        ...

    async def tasks(self, ask: TaskAsk, days: Mapping[str, int], time_zone: str) -> Sequence[Card]:
        """Open issues of these curators' records by the day they are due."""
        ...

    async def workload(
        self, days: Mapping[str, int], time_zone: str, today: date, after: UUID | None, limit: int
    ) -> Sequence[Card]:
        """Of each curator within reach how many issues are open and overdue."""
        ...

    async def verified(self, customer_id: UUID, fields: Sequence[str], details: Sequence[UUID]) -> int:
        """What was found right is stale no longer."""
        ...


class MendingTransaction(CustomersTransaction, Protocol):
    @property
    def mending(self) -> Mending: ...

    @property
    def tasks(self) -> Tasks: ...
