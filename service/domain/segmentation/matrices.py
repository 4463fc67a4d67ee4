"""ABC crossed with another judgement of the same items: XYZ (how steady), or RFM groups (how alive customers are).

Totals of cells are sums of positive totals, as those of the classes are; rows and columns are all there, empty ones
too. RFM groups are those of the default scheme on the same basis; who has returns but no counted order is `no_orders`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from service.domain.errors import Rejected
from service.domain.segmentation.abc_analysis import AbcMeasure, AbcOver, AbcReport, class_name, share_of
from service.domain.segmentation.rfm_groups import GroupMap
from service.domain.segmentation.xyz_analysis import LETTERS, Period, XyzScheme

NO_ORDERS = "no_orders"
# The least total within each border of ABC; None where no item is.
Floors = tuple[int | None, ...]


class MatrixOverCustomersOnly(Rejected):
    code = "abc-matrix-over-customers-only"
    title = "RFM groups are of customers: a matrix with them is over customers."


class MatrixWith(StrEnum):
    XYZ = "xyz"
    RFM = "rfm"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSum:
    """What storage sums up of one class of ABC and one column."""

    index: int
    column: str
    items: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSum:
    """The same of one class and one cell of RFM."""

    index: int
    r: int | None
    f: int | None
    items: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedItem:
    """An item with its class and letter; `periods` is how many the letter was read from."""

    item: str | None
    name: str | None
    total: int
    class_name: str
    letter: str
    periods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Of which classes (by index) and letters, how many, and after which item of which total."""

    indexes: tuple[int, ...]
    letters: tuple[str, ...]
    limit: int
    after: tuple[int, str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    row: str
    column: str
    items: int
    total: int
    items_share: Decimal | None
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcMatrix:
    """`period` and `xyz_borders` are those of XYZ, None beside RFM."""

    over: AbcOver
    by: AbcMeasure
    crossed: MatrixWith
    currency: str
    as_of: date
    window_days: int | None
    computed_at: datetime
    borders: tuple[int, ...]
    period: Period | None
    xyz_borders: tuple[int, ...] | None
    items: int
    total: int
    negative: int
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[MatrixCell, ...]


def floors(classes: AbcReport) -> Floors:
    """The least total within each border: that of the class, or of the last one above it that has items."""
    found: list[int | None] = [None]
    for one in classes.classes[:-1]:
        found.append(found[-1] if one.least is None else one.least)
    return tuple(found[1:])


def with_xyz(classes: AbcReport, cells: Iterable[CellSum], scheme: XyzScheme) -> AbcMatrix:
    """ABC in rows, the steadiness in columns."""
    return _matrix(classes, cells, MatrixWith.XYZ, LETTERS, scheme)


def with_groups(classes: AbcReport, cells: Iterable[ScoredSum], groups: GroupMap) -> AbcMatrix:
    """ABC in rows, RFM groups in columns."""
    named = (
        CellSum(
            index=cell.index,
            column=NO_ORDERS if cell.r is None or cell.f is None else groups.group_of(cell.r, cell.f),
            items=cell.items,
            total=cell.total,
        )
        for cell in cells
    )
    return _matrix(classes, named, MatrixWith.RFM, (*groups.names, NO_ORDERS), None)


def _matrix(
    classes: AbcReport, cells: Iterable[CellSum], crossed: MatrixWith, columns: tuple[str, ...], xyz: XyzScheme | None
) -> AbcMatrix:
    sums: dict[tuple[int, str], tuple[int, int]] = {}
    for cell in cells:
        items, total = sums.get((cell.index, cell.column), (0, 0))
        sums[cell.index, cell.column] = items + cell.items, total + cell.total
    return AbcMatrix(
        over=classes.over,
        by=classes.by,
        crossed=crossed,
        currency=classes.currency,
        as_of=classes.as_of,
        window_days=classes.window_days,
        computed_at=classes.computed_at,
        borders=classes.borders,
        period=xyz.period if xyz else None,
        xyz_borders=xyz.borders if xyz else None,
        items=classes.items,
        total=classes.total,
        negative=classes.negative,
        rows=tuple(class_name(index) for index in range(len(classes.borders) + 1)),
        columns=columns,
        cells=tuple(
            _cell(index, column, *sums.get((index, column), (0, 0)), classes)
            for index in range(len(classes.borders) + 1)
            for column in columns
        ),
    )


def _cell(index: int, column: str, items: int, total: int, classes: AbcReport) -> MatrixCell:
    return MatrixCell(
        row=class_name(index),
        column=column,
        items=items,
        total=total,
        items_share=share_of(items, classes.items) if classes.items else None,
        share=share_of(total, classes.total) if classes.total else None,
    )
