"""Snapshots of ABC and XYZ over HTTP: the classes that rules ask for."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import OnceKey, Wired
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Page, as_json
from service.domain.access import Principal, Reach, Scope
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.segmentation.abc_analysis import DEFAULT_BORDERS, AbcBordersInvalid, AbcMeasure
from service.domain.segmentation.abc_service import AbcAsked
from service.domain.segmentation.abc_snapshots import KEPT, AbcSnapshot, AbcSnapshotUnderWay, NoAbcSnapshot
from service.domain.segmentation.basis import WindowInvalid
from service.domain.segmentation.xyz_analysis import Period, XyzBordersInvalid, XyzScheme
from service.domain.staff import TenantReachNeeded

routes = router("abc")
_Percent = Annotated[int, Field(ge=1, le=10_000)]


class AbcSnapshotIn(Input):
    """How customers are classed; the nights go on in the same way."""

    by: Literal["revenue", "orders"] = "revenue"
    borders: Annotated[list[_Percent], Field(min_length=2, max_length=9)] = Field(
        default_factory=lambda: list(DEFAULT_BORDERS), description="Rising whole percents, 1 to 99."
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = Field(
        None, description="The tenant's, unless stated."
    )
    window_days: Annotated[int, Field(ge=1, le=36_525)] | None = Field(None, description="All time, unless stated.")
    as_of: date | None = Field(None, description="Today, unless stated.")
    period: Period = Period.MONTH
    xyz_borders: Annotated[list[_Percent], Field(min_length=2, max_length=2)] = Field(
        default_factory=lambda: list(XyzScheme().borders)
    )


class AbcSnapshotOut(BaseModel):
    snapshot_id: int = Field(description="Numbered within the tenant; rules ask for the last one.")
    as_of: date
    computed_at: datetime
    by: AbcMeasure
    borders: list[int]
    currency: str
    window_days: int | None
    period: Period
    xyz_borders: list[int]
    customers: int | None = Field(description="Of the whole tenant; null for those who do not reach it.")
    scheduled: bool


def _shown(found: AbcSnapshot, principal: Principal) -> dict[str, Any]:
    names = ("snapshot_id", "as_of", "computed_at", "by", "borders", "currency", "window_days", "scheduled")
    return {name: getattr(found, name) for name in names} | {
        "period": found.xyz.period,
        "xyz_borders": found.xyz.borders,
        "customers": found.customers if principal.reach is Reach.TENANT else None,
    }


@routes.post(
    "/abc/snapshots",
    response_model=AbcSnapshotOut,
    status_code=201,
    summary="Take an ABC and XYZ snapshot of customers",
    **operation(
        "abc.take_snapshot",
        Scope.SEGMENTS_WRITE,
        problems=(
            TenantReachNeeded, AbcSnapshotUnderWay, NoAbcSnapshot, AbcBordersInvalid, XyzBordersInvalid, WindowInvalid,
            KeyReused, StillRunning, BadIdempotencyKey,
        ),
        requestBody={"content": {"application/json": {"example": {"borders": [70, 90]}}}},
    ),
)  # fmt: skip
async def take_snapshot(body: AbcSnapshotIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Keep of which class and letter every customer is, for rules to ask for (`abc.class`, `abc.xyz`); one is made each
    night besides, in the way of the last."""
    asked = AbcAsked(
        by=body.by,
        borders=body.borders,
        currency=body.currency,
        as_of=body.as_of,
        window_days=body.window_days,
    )
    first, second = body.xyz_borders
    xyz = XyzScheme(period=body.period, borders=(first, second))
    return as_json(_shown(await services.abc.take(principal, asked, xyz, once=once), principal), 201)


@routes.get(
    "/abc/snapshots",
    response_model=Page[AbcSnapshotOut],
    summary="List ABC and XYZ snapshots",
    **operation("abc.list_snapshots", Scope.SEGMENTS_READ),
)
async def list_snapshots(
    principal: Caller, services: Wired, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Response:
    """The last few that are kept, the newest first."""
    async with services.uow.begin(principal) as tx:
        found = await tx.abc_snapshots.page(limit=min(limit, KEPT))
    return as_json({"items": [_shown(one, principal) for one in found], "next_cursor": None, "count": None})
