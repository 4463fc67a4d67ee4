"""Leak signals, canaries and the look back at one person, over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel, Field

from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, Cursor, Limit, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, LongText, Moment, Page, as_json
from service.domain.access import Scope
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.leaks.model import Kind, Severity
from service.domain.leaks.planting import PortfolioTooSmall
from service.domain.leaks.ports import SignalFilter
from service.domain.leaks.service import NobodyToLookBackAt, NoSignal, WholeTenantWatched

routes = router("access")
State = Literal["open", "acknowledged"]
_NO_STORE = {"Cache-Control": "no-store"}


class LeakSignal(BaseModel):
    """Something about a person's work that somebody should ask about."""

    signal_id: UUID
    at: datetime
    staff_id: UUID
    staff_name: str = Field(examples=["Анна Петрова"])
    kind: Kind
    severity: Severity
    sentence: str = Field(examples=["412 cards in a day, usually 38"])
    parts: dict[str, Any] = Field(description="The numbers of the sentence.")
    evidence: dict[str, Any] = Field(description="Ids of records and exports; never a name or a contact.")
    state: State
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    note: str | None
    delivered_at: datetime | None = Field(description="When the webhook took it.")


class NoteIn(Input):
    note: Annotated[LongText, Field(min_length=3, pattern=r"\S", description="What was found out.")]


class CanariesIn(Input):
    curator_id: UUID | None = Field(None, description="Whose portfolio; null for everyone's.")
    count: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="How many for each; null fills up to 1 % of the portfolio, ten at least."
    )


class Planted(BaseModel):
    curator_id: UUID
    planted: int


class PlantedOut(BaseModel):
    planted: int
    portfolios: list[Planted]


class Canary(BaseModel):
    customer_id: UUID
    curator_id: UUID | None
    planted_by: UUID
    planted_at: datetime


class ActivityDay(BaseModel):
    day: str = Field(examples=["2026-11-20"])
    cards: int
    reveals: int
    searches: int
    pages: int
    exported: int
    reassigned: int
    covered: int = Field(description="Distinct records seen in clear in the thirty days before.")


class ExportDone(BaseModel):
    export_id: UUID
    rows: int | None
    finished_at: datetime | None


class LookBack(BaseModel):
    """What one person has done in the last sixty days."""

    staff_id: UUID
    name: str
    state: str
    since: datetime
    base: int = Field(description="Records of the own portfolio today.")
    revealed: int = Field(description="Distinct records seen in clear, as far as the ledger of the budget goes back.")
    days: list[ActivityDay]
    exports: list[ExportDone]
    signals: list[LeakSignal]


def _example(value: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset, such as 2026-11-20T09:00:00+03:00")
    return moment


@routes.get(
    "/leaks",
    response_model=Page[LeakSignal],
    summary="List leak signals",
    **operation("leaks.list", Scope.AUDIT_READ, problems=(WholeTenantWatched, BadCursor)),
)
async def list_leaks(
    principal: Caller,
    services: Wired,
    staff_id: UUID | None = None,
    kind: Kind | None = None,
    severity: Severity | None = None,
    state: State | None = None,
    since: Annotated[Moment, AfterValidator(_aware)] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest first. An `alert` wants somebody to ask today; a `notice` is worth a look in passing."""
    wanted = SignalFilter(staff_id=staff_id, kind=kind, severity=severity, state=state, since=since)
    rows = await services.leaks.signals(principal, wanted, before=id_of(cursor, "before"), limit=limit + 1)
    more = encode({"before": rows[limit - 1]["signal_id"]}) if len(rows) > limit else None
    return as_json({"items": rows[:limit], "next_cursor": more, "count": None}, headers=_NO_STORE)


@routes.post(
    "/leaks/{signal_id}/acknowledge",
    response_model=LeakSignal,
    summary="Acknowledge a leak signal",
    **operation(
        "leaks.acknowledge",
        Scope.AUDIT_READ,
        problems=(WholeTenantWatched, NoSignal),
        requestBody=_example({"note": "Asked; a mailing had come back"}),
    ),
)
async def acknowledge_leak(signal_id: UUID, body: NoteIn, principal: Caller, services: Wired) -> Response:
    """Somebody has seen to it. The first note stays."""
    return as_json(await services.leaks.acknowledge(principal, signal_id, body.note.strip()), headers=_NO_STORE)


@routes.get(
    "/staff/{staff_id}/look-back",
    response_model=LookBack,
    summary="Look back at sixty days of a person",
    **operation("staff.look_back", Scope.AUDIT_READ, problems=(WholeTenantWatched, NobodyToLookBackAt)),
)
async def look_back(staff_id: UUID, principal: Caller, services: Wired) -> Response:
    """What a person has looked at, exported and re-assigned, with the signals; to be read when somebody leaves."""
    return as_json(await services.leaks.look_back(principal, staff_id), headers=_NO_STORE)


@routes.post(
    "/canaries",
    response_model=PlantedOut,
    status_code=201,
    summary="Plant canaries",
    **operation(
        "canaries.plant",
        Scope.TENANT_ADMIN,
        problems=(WholeTenantWatched, PortfolioTooSmall, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody=_example({"curator_id": None, "count": None}),
    ),
)
async def plant_canaries(body: CanariesIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Records that look like those of the portfolio and are nobody: who sees one in clear raises a leak signal. They
    are in lists and counts, and have no purchases."""
    answer = await patiently(
        lambda: services.leaks.plant(principal, curator_id=body.curator_id, count=body.count, once=once)
    )
    return as_json(answer, 201, headers=_NO_STORE)


@routes.get(
    "/canaries",
    response_model=Page[Canary],
    summary="List canaries",
    **operation("canaries.list", Scope.TENANT_ADMIN, problems=(WholeTenantWatched, BadCursor)),
)
async def list_canaries(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """All that there are, so that counts can be reconciled; each look at the list is audited."""
    after = id_of(cursor, "after")
    rows, count = await services.leaks.canaries(principal, after=after, limit=limit + 1)
    more = encode({"after": rows[limit - 1]["customer_id"]}) if len(rows) > limit else None
    return as_json({"items": rows[:limit], "next_cursor": more, "count": count}, headers=_NO_STORE)
