"""What segmentation expects of a transaction: sums over purchases, within the caller's reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Protocol
from uuid import UUID

from service.domain.idempotency import Idempotency
from service.domain.ports import Journal
from service.domain.rules.model import Asked
from service.domain.rules.ports import RulesTransaction
from service.domain.segmentation.abc_analysis import AbcFigures, AbcMeasure, AbcOver
from service.domain.segmentation.abc_snapshots import AbcSnapshot
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import CellSum, Floors, ListedItem, ScoredSum, Wanted
from service.domain.segmentation.rfm import Cuts, Distribution, Monetary, RfmScheme, Tiles
from service.domain.segmentation.rfm_groups import Scores
from service.domain.segmentation.rfm_report import Cell, CutsUsed, Surroundings
from service.domain.segmentation.rfm_schemes import SavedScheme
from service.domain.segmentation.rfm_snapshots import Moved, Snapshot
from service.domain.segmentation.xyz_analysis import XyzScheme


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCustomer:
    customer_id: UUID
    name: str
    r: int
    f: int
    m: int
    last_on: date
    orders: int
    revenue: int


class Purchases(Protocol):
    """The population of every method: customers in reach with at least one counted order on the basis."""

    async def distribution(self, basis: Basis, monetary: Monetary, fractions: Sequence[Fraction]) -> Distribution:
        """How many customers there are, and the quantiles of each letter; no spreads without customers."""
        ...

    async def cells(self, basis: Basis, monetary: Monetary, scores: Cuts | Tiles, *, by_monetary: bool) -> list[Cell]:
        """Sums by scores, empty cells left out; `m` is None unless monetary scores are told apart."""
        ...

    async def scored(
        self,
        basis: Basis,
        monetary: Monetary,
        scores: Cuts | Tiles,
        wanted: Sequence[Scores],
        *,
        limit: int,
        after: UUID | None = None,
    ) -> list[ScoredCustomer]:
        """Customers whose (r, f, m) is wanted, by id, from the one after `after`."""
        ...

    async def among(self, population: Asked) -> "Purchases":
        """The same of those alone whom a rule means."""
        ...

    async def of_customer(self, basis: Basis, customer_id: UUID) -> tuple[date | None, int, int] | None:
        """Last day, counted orders and revenue of one customer (None, 0, 0 without any); None: not among them."""
        ...

    async def surroundings(self, basis: Basis) -> Surroundings:
        """Who and what stand beside the population."""
        ...

    async def abc(
        self, over: AbcOver, by: AbcMeasure, basis: Basis, borders: Sequence[int], *, limit: int
    ) -> AbcFigures:
        """Classes, curve (at most 200 points) and the first `limit` items, descending, equal totals by item."""
        ...

    async def abc_by_xyz(
        self, over: AbcOver, by: AbcMeasure, basis: Basis, floors: Floors, scheme: XyzScheme
    ) -> list[CellSum]:
        """Sums by class and letter; empty cells left out."""
        ...

    async def abc_by_scores(self, by: AbcMeasure, basis: Basis, floors: Floors, scores: Cuts) -> list[ScoredSum]:
        """Sums of customers by class, R and F; R and F are None of those without a counted order."""
        ...

    async def abc_page(
        self, over: AbcOver, by: AbcMeasure, basis: Basis, floors: Floors, scheme: XyzScheme, wanted: Wanted
    ) -> list[ListedItem]:
        """Items with class and letter, descending, equal totals by item."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """All that scores hang on: who and what is looked at, how, and between which cuts."""

    scheme: RfmScheme
    basis: Basis
    scores: Cuts | Tiles
    purchases: Purchases
    name: str | None = None


class RfmSchemes(Protocol):
    """The tenant's saved schemes, by name."""

    async def all(self) -> list[SavedScheme]: ...

    async def one(self, scheme_id: UUID) -> SavedScheme | None: ...

    async def add(self, scheme: SavedScheme) -> None:
        """Raises NameTaken."""
        ...

    async def change(self, scheme: SavedScheme) -> bool:
        """Whether it was still of that version. Raises NameTaken."""
        ...

    async def drop(self, scheme_id: UUID) -> None:
        """The scheme, and its snapshots with it."""
        ...


class RfmSnapshots(Protocol):
    async def take(
        self, scoring: Scoring, scheme_id: UUID | None, used: CutsUsed, *, in_rules: bool, scheduled: bool
    ) -> Snapshot:
        """Keep who scores what. Raises SnapshotUnderWay."""
        ...

    async def page(self, scheme_id: UUID | None, *, limit: int) -> list[Snapshot]:
        """Those of a scheme (None: the usual one), the latest day first."""
        ...

    async def everything(self) -> list[Snapshot]: ...

    async def one(self, snapshot_id: int) -> Snapshot | None: ...

    async def at(self, scheme_id: UUID | None, day: date) -> Snapshot | None:
        """The latest of the scheme that is of that day or before."""
        ...

    async def moves(self, before: Snapshot, after: Snapshot) -> list[Moved]:
        """Customers in reach by their groups in both."""
        ...

    async def compare(self, one: Scoring, other: Scoring) -> list[Moved]:
        """Customers in reach by their groups now under two schemes."""
        ...

    async def drop(self, snapshot_ids: Sequence[int]) -> None: ...

    async def sweep(self, most: int) -> int:
        """Take away scores of dropped snapshots, at most so many; how many."""
        ...

    async def here(self) -> tuple[str, str, bool]:
        """The tenant's time zone and currency, and whether anybody has bought anything."""
        ...


class PurchasesTransaction(RulesTransaction, Protocol):
    @property
    def purchases(self) -> Purchases: ...

    @property
    def rfm_schemes(self) -> RfmSchemes: ...


class AbcSnapshots(Protocol):
    async def take(
        self,
        purchases: Any,
        by: AbcMeasure,
        basis: Basis,
        borders: tuple[int, ...],
        floors: Floors,
        xyz: XyzScheme,
        *,
        scheduled: bool,
    ) -> AbcSnapshot:
        """Keep of which class and letter everybody is. Raises AbcSnapshotUnderWay."""
        ...

    async def one(self, snapshot_id: int) -> AbcSnapshot | None: ...

    async def page(self, *, limit: int) -> list[AbcSnapshot]:
        """The newest first."""
        ...

    async def tidy(self, kept: int, most: int) -> int:
        """Drop all but the newest, and take away classes of dropped ones, at most so many; how many."""
        ...


class AbcTransaction(PurchasesTransaction, Protocol):
    @property
    def abc_snapshots(self) -> AbcSnapshots: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...


class RfmTransaction(AbcTransaction, Protocol):
    @property
    def rfm_snapshots(self) -> RfmSnapshots: ...
