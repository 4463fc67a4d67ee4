"""RFM over time over HTTP: snapshots, what has moved between two, two schemes side by side, and what would move one."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field

from service.api import rfm_chart
from service.api.deps import OnceKey, Wired
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Micros, Page, as_json, money
from service.api.segmentation import SCHEME_PROBLEMS, RfmQuery, Share, texts
from service.domain.access import Principal, Reach, Scope
from service.domain.customers.errors import NoCustomer
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.segmentation.rfm import RfmSchemeInvalid
from service.domain.segmentation.rfm_schemes import NoScheme, OfScheme, WithoutCuts
from service.domain.segmentation.rfm_snapshots import Moved, NoSnapshot, Snapshot, SnapshotUnderWay, TooManySnapshots
from service.domain.staff import TenantReachNeeded

routes = router("segmentation")


def _place(text: str) -> str:
    if not text.isdigit():
        date.fromisoformat(text)
    return text


_Place = Annotated[str, Field(max_length=10, examples=["2026-03-01", "17"]), AfterValidator(_place)]
_Shape = dict[str, Any]


class SnapshotIn(Input):
    scheme_id: UUID | None = Field(None, description="The usual scheme, unless stated.")
    as_of: date | None = Field(
        None, description="Today, unless stated; a day of the past is told by what is known now."
    )


class SchemeQuery(Input):
    scheme_id: UUID | None = None


class NextQuery(SchemeQuery):
    as_of: date | None = None


class SnapshotsQuery(SchemeQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class MigrationQuery(SchemeQuery):
    from_: _Place | None = Field(None, alias="from", description="A day or a number; the last but one, unless stated.")
    to: _Place | None = Field(None, description="A day or the number of a snapshot; the last one, unless stated.")


class CompareQuery(Input):
    a: UUID | None = Field(None, description="A saved scheme; the usual one, unless stated.")
    b: UUID | None = None
    as_of: date | None = None


class SnapshotOut(BaseModel):
    snapshot_id: int = Field(description="Numbered within the tenant.")
    scheme_id: UUID | None
    as_of: date
    computed_at: datetime
    currency: str
    bins: int
    customers: int | None = Field(description="Of the whole tenant; null for those who do not reach it.")
    cuts: _Shape
    groups: list[str]
    in_rules: bool = Field(description="Rules ask for the latest of these.")
    scheduled: bool


class MovedOut(BaseModel):
    before: str | None = Field(description="The group; null: not in the population.")
    after: str | None
    customers: int
    revenue_before: Micros
    revenue_after: Micros


class MigrationOut(BaseModel):
    """Customers in reach by their groups in two snapshots."""

    before: SnapshotOut
    after: SnapshotOut
    customers: int
    moves: list[MovedOut]


class ComparisonOut(BaseModel):
    """Customers in reach by their groups under two schemes; `agreement` is the share of those in equal groups."""

    as_of: date
    customers: int
    agreed: int
    agreement: Share
    moves: list[MovedOut]


class StepOut(BaseModel):
    group: str
    orders: int = Field(description="So many more orders by today.")
    money: Micros
    days: int | None = Field(description="For so many days from then on, without another order; null: for good.")
    r: int
    f: int
    m: int


class NextOut(BaseModel):
    """What would move the customer, the nearest group first; the cuts are those of your reach."""

    customer_id: UUID
    currency: str
    last_on: date | None
    orders: int
    revenue: Micros
    group: str | None = Field(description="null: without a counted order.")
    r: int | None
    f: int | None
    m: int | None
    stays_days: int | None = Field(description="Without an order he stays so many days; null: for good.")
    slips_to: str | None
    steps: list[StepOut]


def _with_svg(described: _Shape) -> _Shape:
    picture = {"content": {"image/svg+xml": {"schema": {"type": "string"}, "example": "<svg>…</svg>"}}}
    return described | {"responses": {200: picture, **described["responses"]}}


def _snapshot(found: Snapshot, principal: Principal) -> _Shape:
    shown = asdict(found)
    shown["cuts"]["monetary"] = [money(cut) for cut in found.cuts.monetary]
    return shown | ({} if principal.reach is Reach.TENANT else {"customers": None})


def _moves(moves: Sequence[Moved]) -> list[_Shape]:
    shown = [asdict(one) for one in moves]
    return [one | {name: money(one[name]) for name in ("revenue_before", "revenue_after")} for one in shown]


def _asked(place: str | None) -> int | date | None:
    if place is None:
        return None
    return min(int(place), 2**31 - 1) if place.isdigit() else date.fromisoformat(place)


@routes.post(
    "/rfm/snapshots",
    response_model=SnapshotOut,
    status_code=201,
    summary="Take an RFM snapshot",
    **operation(
        "rfm.take_snapshot",
        Scope.SEGMENTS_WRITE,
        problems=(
            TenantReachNeeded, SnapshotUnderWay, TooManySnapshots, KeyReused, StillRunning, BadIdempotencyKey,
            *SCHEME_PROBLEMS,
        ),
        requestBody={"content": {"application/json": {"example": {"as_of": "2026-03-01"}}}},
    ),
)  # fmt: skip
async def take_snapshot(body: SnapshotIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Keep who scores what in the whole tenant; one is made each night besides."""
    wanted = OfScheme(scheme_id=body.scheme_id, as_of=body.as_of)
    return as_json(_snapshot(await services.rfm.take(principal, wanted, once=once), principal), 201)


@routes.get(
    "/rfm/snapshots",
    response_model=Page[SnapshotOut],
    summary="List RFM snapshots",
    **operation("rfm.list_snapshots", Scope.SEGMENTS_READ),
)
async def list_snapshots(query: Annotated[SnapshotsQuery, Query()], principal: Caller, services: Wired) -> Response:
    """Those of a scheme, the latest day first."""
    async with services.uow.begin(principal) as tx:
        found = await tx.rfm_snapshots.page(query.scheme_id, limit=query.limit)
    return as_json({"items": [_snapshot(one, principal) for one in found], "next_cursor": None, "count": None})


@routes.get(
    "/rfm/migration",
    response_model=MigrationOut,
    summary="Who moved between RFM groups",
    **operation("rfm.migration", Scope.SEGMENTS_READ, problems=(NoSnapshot, NoScheme)),
)
async def migration(query: Annotated[MigrationQuery, Query()], principal: Caller, services: Wired) -> Response:
    """Customers and revenue by the group then and the group now; for a day the latest snapshot up to it."""
    found = await services.rfm.migration(principal, query.scheme_id, _asked(query.from_), _asked(query.to))
    return as_json(
        {
            "before": _snapshot(found.before, principal),
            "after": _snapshot(found.after, principal),
            "customers": sum(one.customers for one in found.moves),
            "moves": _moves(found.moves),
        }
    )


@routes.get(
    "/rfm/compare",
    response_model=ComparisonOut,
    summary="Compare two RFM schemes",
    **operation("rfm.compare", Scope.SEGMENTS_READ, problems=SCHEME_PROBLEMS),
)
async def compare(query: Annotated[CompareQuery, Query()], principal: Caller, services: Wired) -> Response:
    """The same customers under two schemes, now and within your reach; revenue is what each scheme counts."""
    sides = (OfScheme(scheme_id=one, as_of=query.as_of) for one in (query.a, query.b))
    found = await services.rfm.compare(principal, *sides)
    shown = texts({name: getattr(found, name) for name in ("as_of", "customers", "agreed", "agreement")})
    return as_json(shown | {"moves": _moves(found.moves)})


@routes.get(
    "/rfm/customers/{customer_id}/next",
    response_model=NextOut,
    summary="What would move a customer to another RFM group",
    **operation("rfm.next", Scope.SEGMENTS_READ, problems=(NoCustomer, WithoutCuts, *SCHEME_PROBLEMS)),
)
async def next_groups(
    customer_id: UUID, query: Annotated[NextQuery, Query()], principal: Caller, services: Wired
) -> Response:
    """The fewest orders and the least money for each group within reach, and how long it would last."""
    wanted = OfScheme(scheme_id=query.scheme_id, as_of=query.as_of)
    found, standing, currency = await services.rfm.next(principal, customer_id, wanted)
    steps = [asdict(one) | {"money": money(one.money)} for one in found.steps]
    where = asdict(standing) | {"revenue": money(standing.revenue)}
    return as_json({"customer_id": customer_id, "currency": currency, **where, **asdict(found), "steps": steps})


@routes.get(
    "/rfm/chart.svg",
    response_class=Response,
    summary="RFM as a picture",
    **_with_svg(operation("rfm.chart", Scope.SEGMENTS_READ, problems=(RfmSchemeInvalid, *SCHEME_PROBLEMS))),
)
async def chart(query: Annotated[RfmQuery, Query()], principal: Caller, services: Wired) -> Response:
    """The grid of recency and frequency in the colours of the groups, with their shares, for a slide."""
    return rfm_chart.grid(await services.segmentation.rfm_report(principal, query.scheme))
