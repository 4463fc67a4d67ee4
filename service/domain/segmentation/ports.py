"""What segmentation expects of a transaction: sums over purchases, within the caller's reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Protocol
from uuid import UUID

from service.domain.ports import Transaction
from service.domain.segmentation.abc_analysis import AbcFigures, AbcMeasure, AbcOver
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import CellSum, Floors, ListedItem, ScoredSum, Wanted
from service.domain.segmentation.rfm import Cuts, Distribution, Monetary, Tiles
from service.domain.segmentation.rfm_groups import Scores
from service.domain.segmentation.rfm_report import Cell, Surroundings
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


class PurchasesTransaction(Transaction, Protocol):
    @property
    def purchases(self) -> Purchases: ...
