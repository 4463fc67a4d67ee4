"""ABC over HTTP: classes, matrices with XYZ and RFM, their items, and charts; computed now, over what is reached."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api import abc_chart
from service.api.deps import Wired
from service.api.paging import BadCursor, bounded, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import Page, as_json, money
from service.api.segmentation import Share, Window, texts
from service.domain.access import Scope
from service.domain.segmentation.abc_analysis import AbcBordersInvalid, AbcMeasure, AbcOver, MarginUnknown
from service.domain.segmentation.abc_service import AbcAsked
from service.domain.segmentation.matrices import MatrixOverCustomersOnly, MatrixWith
from service.domain.segmentation.xyz_analysis import Period, XyzBordersInvalid, XyzScheme

routes = router("abc")
_PROBLEMS = (AbcBordersInvalid, MarginUnknown)
_Letter = Literal["X", "Y", "Z", "too_short"]


class AbcBasis(Window):
    over: AbcOver = AbcOver.CUSTOMERS
    by: Literal["revenue", "orders", "margin"] = Field(
        "revenue", description="Margin is refused for as long as costs are not recorded."
    )
    borders: Annotated[str, Field(pattern=r"^[0-9]{1,2}(,[0-9]{1,2}){1,8}$", examples=["80,95"])] = "80,95"

    @property
    def asked(self) -> AbcAsked:
        return AbcAsked(
            over=self.over,
            by=self.by,
            borders=[int(border) for border in self.borders.split(",")],
            currency=self.currency,
            as_of=self.as_of,
            window_days=self.window_days,
        )


class AbcQuery(AbcBasis):
    top: Annotated[int, Field(ge=0, le=200, description="How many of the best items to name.")] = 20


class _Steadiness(AbcBasis):
    period: Period = Field(Period.MONTH, description="Whole past periods are compared; weeks begin on Mondays.")
    xyz_borders: Annotated[str, Field(pattern=r"^[0-9]{1,5},[0-9]{1,5}$", examples=["10,25"])] = "10,25"

    @property
    def xyz(self) -> XyzScheme:
        return XyzScheme(period=self.period, borders=tuple(int(border) for border in self.xyz_borders.split(",")))


class AbcMatrixQuery(_Steadiness):
    crossed: MatrixWith = Field(MatrixWith.XYZ, alias="with")


class AbcItemsQuery(_Steadiness):
    class_name: Annotated[str | None, Field(alias="class", pattern=r"^[A-J]$", examples=["A"])] = None
    xyz_letter: Annotated[_Letter | None, Field(alias="xyz")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=2000)] | None = None


class AbcChartQuery(_Steadiness):
    of: Literal["curve", "xyz", "rfm"] = Field("curve", description="The Pareto curve, or a matrix.")


class AbcClassOut(BaseModel):
    name: Literal["A", "B", "C"] | str
    items: int
    total: str
    least: str | None = Field(description="The smallest total of the class.")
    items_share: Share
    share: Share


class AbcItemOut(BaseModel):
    item: str | None
    name: str | None
    total: str
    place: int
    class_name: str


class ParetoOut(BaseModel):
    items: int
    total: str
    items_share: str
    share: str


class _Analysed(BaseModel):
    over: AbcOver
    by: AbcMeasure
    currency: str
    as_of: date
    window_days: int | None
    computed_at: datetime
    borders: list[int]
    items: int
    total: str = Field(description="The sum of the positive totals.")
    negative: str


class AbcOut(_Analysed):
    """Items in classes by what they bring; totals are money strings, or counts when `by` is orders."""

    classes: list[AbcClassOut]
    top: list[AbcItemOut]
    curve: list[ParetoOut] = Field(description="The Pareto curve in at most 200 points.")
    bringers: Share = Field(description="The share of items that brings the first border's share of the total.")


class AbcCellOut(BaseModel):
    row: str = Field(examples=["A"])
    column: str = Field(examples=["X"])
    items: int
    total: str
    items_share: Share
    share: Share


class AbcMatrixOut(_Analysed):
    """ABC in rows, XYZ or RFM groups in columns; every cell is there."""

    crossed: MatrixWith
    period: Period | None
    xyz_borders: list[int] | None
    rows: list[str]
    columns: list[str]
    cells: list[AbcCellOut]


class AbcListedOut(BaseModel):
    item: str | None = Field(description="An id or a code; null for what bears none.")
    name: str | None
    total: str
    class_name: str
    letter: _Letter
    periods: int = Field(description="How many whole past periods the letter was read from.")


@routes.get(
    "/abc",
    response_model=AbcOut,
    summary="ABC report",
    **operation("abc.report", Scope.SEGMENTS_READ, problems=_PROBLEMS),
)
async def abc_report(query: Annotated[AbcQuery, Query()], principal: Caller, services: Wired) -> Response:
    """Who or what brings 80, 15 and 5 % of the whole, with the Pareto curve."""
    report = await services.abc.report(principal, query.asked, limit=query.top)
    shown: dict[str, Any] = texts(asdict(report))
    _write(report.by, shown, *shown["classes"], *shown["top"], *shown["curve"])
    return as_json(shown)


@routes.get(
    "/abc/matrix",
    response_model=AbcMatrixOut,
    summary="ABC crossed with XYZ or RFM",
    **operation("abc.matrix", Scope.SEGMENTS_READ, problems=(*_PROBLEMS, XyzBordersInvalid, MatrixOverCustomersOnly)),
)
async def abc_matrix(query: Annotated[AbcMatrixQuery, Query()], principal: Caller, services: Wired) -> Response:
    """How many items are valuable and steady, valuable but irregular …; or in which RFM groups they are."""
    matrix = await services.abc.matrix(principal, query.asked, query.crossed, query.xyz)
    shown: dict[str, Any] = texts(asdict(matrix))
    _write(matrix.by, shown, *shown["cells"])
    return as_json(shown)


@routes.get(
    "/abc/items",
    response_model=Page[AbcListedOut],
    summary="Items of a class, of a letter, or of a cell",
    **operation("abc.items", Scope.SEGMENTS_READ, problems=(*_PROBLEMS, XyzBordersInvalid, BadCursor)),
)
async def abc_items(query: Annotated[AbcItemsQuery, Query()], principal: Caller, services: Wired) -> Response:
    """The items with their class and letter, the best first."""
    query = bounded(principal, query)
    after = None if query.cursor is None else _after(query.cursor)
    found = await services.abc.items(
        principal,
        query.asked,
        xyz=query.xyz,
        class_name=query.class_name,
        letter=query.xyz_letter,
        limit=query.limit + 1,
        after=after,
    )
    page = found[: query.limit]
    items = [asdict(one) for one in page]
    for one in items:
        one["total"] = _written(query.by, one["total"])
    more = encode({"total": page[-1].total, "item": page[-1].item}) if len(found) > query.limit else None
    return as_json({"items": items, "next_cursor": more, "count": None})


_CHART = operation("abc.chart", Scope.SEGMENTS_READ, problems=(*_PROBLEMS, XyzBordersInvalid, MatrixOverCustomersOnly))
_CHART["responses"] |= {
    200: {
        "description": "The chart.",
        "content": {"image/svg+xml": {"schema": {"type": "string"}, "example": "<svg>…</svg>"}},
    }
}


@routes.get(
    "/abc/chart.svg",
    response_class=Response,
    summary="Chart of the ABC analysis",
    **_CHART,
)
async def abc_chart_svg(query: Annotated[AbcChartQuery, Query()], principal: Caller, services: Wired) -> Response:
    """The Pareto curve with its classes, or a matrix, ready for a slide."""
    if query.of == "curve":
        return abc_chart.curve(await services.abc.report(principal, query.asked, limit=0))
    return abc_chart.matrix(await services.abc.matrix(principal, query.asked, MatrixWith(query.of), query.xyz))


def _write(by: AbcMeasure, *places: dict[str, Any]) -> None:
    """Totals as the measure is written."""
    for place in places:
        place |= {
            name: _written(by, place[name]) for name in ("total", "negative", "least") if place.get(name) is not None
        }


def _written(by: str, total: int) -> str | None:
    return money(total) if by == AbcMeasure.REVENUE else str(total)


def _after(cursor: str) -> tuple[int, str | None]:
    position: Mapping[str, Any] = decode(cursor, "total", "item")
    total, item = position["total"], position["item"]
    whole = isinstance(total, int) and not isinstance(total, bool) and -(2**63) <= total < 2**63
    if not whole or not (item is None or (isinstance(item, str) and "\x00" not in item)):
        raise BadCursor(pointer="/cursor")
    return total, item
