"""The RFM report: groups, the grid of R × F, the cuts, and what was left out.

`no_orders` are customers with a record of purchases (returns, cancelled or uncounted orders, orders outside the
window) but no counted order; `prospects` have no record at all. Shares of an empty or non-positive whole are None.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import Cuts, Method, Monetary, RfmScheme, Tiles
from service.domain.segmentation.rfm_groups import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Customers with the same scores; `m` is None where monetary scores were not told apart."""

    r: int
    f: int
    m: int | None
    customers: int
    revenue: int
    orders: int
    recency_days: int
    monetary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Who and what stand beside the population: all customers in reach, those with any record, orders left out."""

    customers: int
    recorded: int
    orders_in_other_currencies: int
    orders_after_as_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludedOrders:
    """Counted orders that the report leaves out."""

    other_currencies: int
    after_as_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    group: str
    customers: int
    share: Decimal | None
    revenue: int
    revenue_share: Decimal | None
    mean_recency_days: Decimal | None
    mean_frequency: Decimal | None
    mean_monetary: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCell:
    r: int
    f: int
    group: str | None
    customers: int
    revenue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CutsUsed:
    """From worse to better: days since the last order, numbers of orders, micros. `ntile` has none."""

    recency_days: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmReport:
    as_of: date
    currency: str
    window_days: int | None
    bins: int
    method: Method
    monetary: Monetary
    computed_at: datetime
    population: int
    revenue: int
    no_orders: int
    prospects: int
    groups: tuple[GroupFigures, ...]
    grid: tuple[GridCell, ...]
    cuts: CutsUsed
    undistinguished: tuple[str, ...]
    excluded_orders: ExcludedOrders
    # The name of a saved scheme.
    scheme: str | None = None


def report(
    cells: Iterable[Cell],
    *,
    scheme: RfmScheme,
    basis: Basis,
    scores: Cuts | Tiles,
    surroundings: Surroundings,
    computed_at: datetime,
    name: str | None = None,
) -> RfmReport:
    """The figures of the scored cells; every group of the map is there, empty ones too."""
    found = list(cells)
    population = sum(cell.customers for cell in found)
    revenue = sum(cell.revenue for cell in found)
    return RfmReport(
        as_of=basis.as_of,
        currency=basis.currency,
        window_days=basis.window_days,
        bins=scheme.bins,
        method=scheme.method,
        monetary=scheme.monetary,
        computed_at=computed_at,
        population=population,
        revenue=revenue,
        no_orders=surroundings.recorded - population,
        prospects=surroundings.customers - surroundings.recorded,
        groups=_groups(found, scheme, population, revenue),
        grid=_grid(found, scheme),
        cuts=cuts_used(scores, basis.as_of),
        undistinguished=scores.undistinguished if isinstance(scores, Cuts) else (),
        excluded_orders=ExcludedOrders(
            other_currencies=surroundings.orders_in_other_currencies, after_as_of=surroundings.orders_after_as_of
        ),
        scheme=name,
    )


def cuts_used(scores: Cuts | Tiles, as_of: date) -> CutsUsed:
    """The cuts as people read them."""
    if isinstance(scores, Tiles):
        return CutsUsed(recency_days=(), frequency=(), monetary=())
    return CutsUsed(
        recency_days=tuple(as_of.toordinal() - cut for cut in scores.recency.cuts),
        frequency=scores.frequency.cuts,
        monetary=scores.monetary.cuts,
    )


def _groups(cells: list[Cell], scheme: RfmScheme, population: int, revenue: int) -> tuple[GroupFigures, ...]:
    members: dict[str, list[Cell]] = {name: [] for name in scheme.groups.names}
    for cell in cells:
        members[scheme.groups.group_of(cell.r, cell.f, cell.m)].append(cell)
    return tuple(_figures(name, found, population, revenue) for name, found in members.items())


def _figures(name: str, cells: list[Cell], population: int, revenue: int) -> GroupFigures:
    customers = sum(cell.customers for cell in cells)
    brought = sum(cell.revenue for cell in cells)
    money = sum(cell.monetary for cell in cells)
    return GroupFigures(
        group=name,
        customers=customers,
        share=_ratio(customers, population, 6),
        revenue=brought,
        revenue_share=_ratio(brought, revenue, 6),
        mean_recency_days=_ratio(sum(cell.recency_days for cell in cells), customers, 2),
        mean_frequency=_ratio(sum(cell.orders for cell in cells), customers, 2),
        mean_monetary=round(Fraction(money, customers)) if customers else None,
    )


def _ratio(part: int, whole: int, places: int) -> Decimal | None:
    """The exact quotient, rounded half to even once."""
    if whole <= 0:
        return None
    return Decimal(round(Fraction(part * 10**places, whole))).scaleb(-places)


def _grid(cells: list[Cell], scheme: RfmScheme) -> tuple[GridCell, ...]:
    sums: dict[Scores, tuple[int, int]] = {}
    for cell in cells:
        customers, revenue = sums.get((cell.r, cell.f), (0, 0))
        sums[cell.r, cell.f] = customers + cell.customers, revenue + cell.revenue
    scores = range(1, scheme.bins + 1)
    return tuple(
        GridCell(
            r=r,
            f=f,
            # A map over R × F × M has no one group for a cell of R × F.
            group=None if scheme.groups.by_monetary else scheme.groups.group_of(r, f),
            customers=sums.get((r, f), (0, 0))[0],
            revenue=sums.get((r, f), (0, 0))[1],
        )
        for r in scores
        for f in scores
    )
