"""Hand-overs over HTTP: a portfolio goes to a person, to a team or over its members; briefings, history, the pool."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, LongText, Micros, Page, Text, as_json, money
from service.domain.access import Scope
from service.domain.assignments.errors import (
    AssignmentUndone,
    LeadNeeded,
    NoAssignment,
    OutsideOwnTeams,
    ReceiverUnfit,
    SelectionChanged,
    SelectionEmpty,
    TargetUnclear,
)
from service.domain.assignments.model import Selection, Spread, Target
from service.domain.assignments.portfolio import HORIZON_DAYS, NO_QUALITY, Portfolio
from service.domain.customers.errors import NoCustomer
from service.domain.errors import UnknownReference
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.segmentation.abc_analysis import class_name
from service.domain.staff import NoStaff

routes = router("assignments")
_EXAMPLE = {
    "select": {"curator_id": "019377a4-6c00-7000-8000-000000000001", "status": "customer"},
    "to": {"team_id": "019377a4-6c00-7000-8000-000000000002", "spread": "balanced"},
    "dry_run": True,
    "reason": "Anna leaves on Friday.",
}
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Top = Annotated[int, Query(ge=1, le=100, description="How many customers each list names at most.")]
_FILTERS = ("status", "kind", "curator_id", "team_id", "city", "region", "channel", "tag")


class SelectIn(Input):
    """Which records; all that is given must hold. At least one member is needed."""

    customer_ids: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    curator_id: UUID | None = Field(None, description="All of this person, who receives none of them when spread.")
    team_id: UUID | None = None
    unassigned: bool = Field(False, description="The pool: records with neither curator nor team.")
    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    kind: Literal["person", "organisation"] | None = None
    city: Text | None = None
    region: Text | None = None
    channel: Text | None = Field(None, description="Code of the acquisition channel.")
    tag: Text | None = None

    @property
    def selection(self) -> Selection:
        filters = {name: getattr(self, name) for name in _FILTERS if getattr(self, name) is not None}
        ids = None if self.customer_ids is None else tuple(self.customer_ids)
        return Selection(filters=filters, customer_ids=ids, unassigned=self.unassigned)


class TargetIn(Input):
    """To a person (and the team, where he is in several), to a team, over the members of a team, or into the pool."""

    curator_id: UUID | None = None
    team_id: UUID | None = None
    spread: Spread | None = Field(
        None, description="Over the active members of the team: `round_robin` by id, or `balanced` by revenue."
    )
    unassigned: bool = Field(False, description="Back into the pool, where nobody answers for the records.")


class AssignmentIn(Input):
    select: SelectIn
    to: TargetIn
    dry_run: bool = Field(True, description="True, unless said otherwise: say who would get what, and change nothing.")
    expected_records: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Refuse with `selection-changed` unless just so many records move (from a dry run)."
    )
    reason: LongText | None = Field(None, description="Kept in the audit trail; no personal data of customers.")


class ReceiverOut(BaseModel):
    curator_id: UUID | None
    team_id: UUID | None
    name: str | None = Field(examples=["Анна Петрова"])
    records: int = Field(description="Records that move to this receiver.")
    unchanged: int = Field(description="Records of the selection that this receiver had already.")
    revenue: Micros


class UndoneOut(BaseModel):
    returned: int
    kept: int = Field(description="Records that have moved on since, and stay where they are.")
    kept_ids: list[UUID] = Field(description="At most 1 000 of them.")


class AssignmentOut(BaseModel):
    """A hand-over, or the dry run of one: without an id, nothing was changed."""

    assignment_id: UUID | None
    state: Literal["dry_run", "done", "undone"]
    records: int
    unchanged: int
    missing: int = Field(description="Ids of the list that are not within the caller's bounds, or don't exist.")
    receivers: list[ReceiverOut]
    currency: str = Field(examples=["RUB"])
    request: dict[str, Any] = Field(
        examples=[{"select": {"customer_ids": 120}, "to": {"curator_id": "…"}, "reason": None}]
    )
    made_by: str | None = Field(examples=["Вера Смирнова"])
    created_at: datetime | None
    undone: UndoneOut | None
    undone_at: datetime | None


class PoolRecordOut(BaseModel):
    customer_id: UUID
    display_name: str = Field(examples=["Иванова Мария"])
    kind: Literal["person", "organisation"]
    status: Literal["prospect", "customer", "lapsed", "archived"]
    region: str | None
    city: str | None
    channel: str | None
    import_id: UUID | None
    created_at: datetime
    revenue: Micros | None


class TenureOut(BaseModel):
    since: datetime
    until: datetime | None = Field(description="Null: still.")
    curator_id: UUID | None
    team_id: UUID | None
    decided_by: UUID | None = Field(description="Null for the first of them, which came with the record.")
    assignment_id: UUID | None = Field(description="The hand-over, or null when a single record was changed.")


class TenuresOut(BaseModel):
    items: list[TenureOut]


class StatusSize(BaseModel):
    status: Literal["prospect", "customer", "lapsed", "archived"]
    customers: int


class ClassSize(BaseModel):
    class_name: Literal["A", "B", "C"]
    customers: int
    revenue: Micros


class TopCustomer(BaseModel):
    customer_id: UUID
    display_name: str
    class_name: Literal["A", "B", "C"]
    orders: int
    revenue: Micros
    last_on: date | None


class GroupSize(BaseModel):
    group: str = Field(examples=["at_risk"])
    customers: int
    revenue: Micros


class AtRiskCustomer(BaseModel):
    customer_id: UUID
    display_name: str
    group: str = Field(examples=["cant_lose"])
    last_on: date
    orders: int
    revenue: Micros


class Birthday(BaseModel):
    customer_id: UUID
    display_name: str
    on: date = Field(description="29 February falls on the 28th of other years.")
    turns: int | None = Field(description="Null when the year of birth is unknown.")


class Birthdays(BaseModel):
    count: int
    items: list[Birthday]


class ExpectedOrder(BaseModel):
    customer_id: UUID
    display_name: str
    on: date = Field(description="The last order plus the mean interval between the first and the last.")
    last_on: date
    orders: int
    revenue: Micros


class ExpectedOrders(BaseModel):
    count: int
    overdue: int = Field(description="Customers whose expected day has passed without an order.")
    items: list[ExpectedOrder]


class BriefingOut(BaseModel):
    """What a successor should know of a portfolio, as far as the caller reaches it."""

    as_of: date
    horizon_days: int = Field(examples=[HORIZON_DAYS])
    currency: str = Field(examples=["RUB"])
    computed_at: datetime
    customers: int
    orders: int
    revenue: Micros
    statuses: list[StatusSize]
    classes: list[ClassSize] = Field(description="ABC within the portfolio.")
    top: list[TopCustomer]
    groups: list[GroupSize] = Field(description="RFM by the cuts of all that the caller reaches.")
    at_risk: list[AtRiskCustomer] = Field(description="The groups at_risk, cant_lose and about_to_sleep, by revenue.")
    birthdays: Birthdays
    expected_orders: ExpectedOrders
    open_quality_issues: int | None
    notes: list[str] = Field(examples=[[NO_QUALITY]])


class CuratorShare(BaseModel):
    curator_id: UUID | None = Field(description="Null: the records that nobody answers for.")
    name: str | None = Field(examples=["Анна Петрова"])
    customers: int
    revenue: Micros
    a_customers: int
    a_revenue: Micros
    share: str | None = Field(description="Of the revenue of class A, as a decimal string 0…1.", examples=["0.412500"])


class ConcentrationOut(BaseModel):
    """How much of the revenue of class A hangs on whom, by falling share."""

    as_of: date
    currency: str = Field(examples=["RUB"])
    computed_at: datetime
    a_customers: int
    a_revenue: Micros
    curators: list[CuratorShare]


def _card(row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    outcome = row["outcome"]
    return {
        **{name: row[name] for name in ("assignment_id", "state", "records", "request", "made_by", "created_at")},
        **{name: outcome[name] for name in ("unchanged", "missing", "receivers")},
        "currency": currency,
        "undone": outcome.get("undone"),
        "undone_at": row["undone_at"],
    }


def _after(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(str(decode(cursor, "after")["after"]))
    except ValueError:
        raise BadCursor(pointer="/cursor") from None


def _cut(rows: Sequence[Mapping[str, Any]], limit: int, key: str) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    shown = rows[:limit]
    return shown, encode({"after": shown[-1][key]}) if len(rows) > limit else None


_CREATE = operation(
    "assignments.create",
    Scope.ASSIGNMENTS_WRITE,
    problems=(
        LeadNeeded,
        SelectionEmpty,
        TargetUnclear,
        ReceiverUnfit,
        OutsideOwnTeams,
        UnknownReference,
        SelectionChanged,
        KeyReused,
        StillRunning,
        BadIdempotencyKey,
    ),
    requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
)
_CREATE["responses"] = {200: {"description": "A dry run.", "model": AssignmentOut}, **_CREATE["responses"]}


@routes.post(
    "/assignments",
    response_model=AssignmentOut,
    status_code=201,
    summary="Hand over a portfolio",
    **_CREATE,
)
async def create_assignment(body: AssignmentIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Moves the selected records to a person or a team, or spreads them over a team: all of them or none, and seen at
    once. It is a dry run unless `dry_run` is false. Who leads teams moves what these teams have, or the pool, within
    these teams. A balanced spread deals by falling revenue, there and back; what receivers had does not count."""
    selection = body.select.selection
    target = Target(**body.to.model_dump())
    if body.dry_run:
        found = await services.assignments.preview(principal, selection, target)
        empty = dict.fromkeys(("made_by", "created_at", "undone", "undone_at"))
        request = {"select": selection.told, "to": target.told, "reason": body.reason}
        return as_json(
            {**asdict(found), **empty, "state": "dry_run", "currency": principal.currency, "request": request}
        )
    assignment_id = await patiently(
        lambda: services.assignments.hand_over(
            principal, selection, target, expected=body.expected_records, reason=body.reason, once=once
        )
    )
    async with services.uow.begin(principal) as tx:
        row = await tx.assignments.card(assignment_id)
    assert row is not None
    headers = {"Location": f"/v1/assignments/{assignment_id}"}
    return as_json(_card(row, principal.currency), 201, headers)


@routes.get(
    "/assignments",
    response_model=Page[AssignmentOut],
    summary="List hand-overs",
    **operation("assignments.list", Scope.ASSIGNMENTS_WRITE, problems=(BadCursor,)),
)
async def list_assignments(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The newest first: all of the tenant, or your own when your reach is narrower."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.assignments.page(_after(cursor), limit + 1)
    shown, more = _cut(rows, limit, "assignment_id")
    items = [_card(row, principal.currency) for row in shown]
    return as_json({"items": items, "next_cursor": more, "count": None})


@routes.get(
    "/assignments/pool",
    response_model=Page[PoolRecordOut],
    summary="List the pool of unassigned records",
    **operation("assignments.pool", Scope.ASSIGNMENTS_WRITE, problems=(LeadNeeded, BadCursor)),
)
async def list_pool(
    principal: Caller,
    services: Wired,
    limit: Limit = 50,
    cursor: Cursor = None,
    count: Annotated[Literal["exact"] | None, Query()] = None,
) -> Response:
    """Records that nobody answers for, for those who may hand them out; `select: {"unassigned": true}` takes them."""
    rows, size = await services.assignments.pool(
        principal, after=_after(cursor), limit=limit + 1, counted=count is not None
    )
    shown, more = _cut(rows, limit, "customer_id")
    items = [{**row, "revenue": money(row["revenue"])} for row in shown]
    return as_json({"items": items, "next_cursor": more, "count": size})


@routes.get(
    "/assignments/{assignment_id}",
    response_model=AssignmentOut,
    summary="Read a hand-over",
    **operation("assignments.get", Scope.ASSIGNMENTS_WRITE, problems=(NoAssignment,)),
)
async def get_assignment(assignment_id: UUID, principal: Caller, services: Wired) -> Response:
    """Who moved what to whom, and whether it was undone."""
    async with services.uow.begin(principal) as tx:
        row = await tx.assignments.card(assignment_id)
    if row is None:
        raise NoAssignment
    return as_json(_card(row, principal.currency))


@routes.post(
    "/assignments/{assignment_id}/undo",
    response_model=UndoneOut,
    summary="Undo a hand-over",
    **operation("assignments.undo", Scope.ASSIGNMENTS_WRITE, problems=(LeadNeeded, NoAssignment, AssignmentUndone)),
)
async def undo_assignment(assignment_id: UUID, principal: Caller, services: Wired) -> Response:
    """Give back what has not moved since, and say what has. It is done once; a second time is refused."""
    return as_json(asdict(await services.assignments.undo(principal, assignment_id)))


@routes.get(
    "/assignments/{assignment_id}/briefing",
    response_model=BriefingOut,
    summary="Briefing of a portfolio that was handed over",
    **operation("assignments.briefing", Scope.CUSTOMERS_READ, problems=(NoAssignment,)),
)
async def assignment_briefing(
    assignment_id: UUID,
    principal: Caller,
    services: Wired,
    curator_id: Annotated[UUID | None, Query(description="Only what this receiver got.")] = None,
    top: Top = 20,
) -> Response:
    """Sizes, first customers, who is at risk, birthdays and expected orders of the records that moved."""
    return await _briefing(services, principal, Portfolio(assignment_id=assignment_id, staff_id=curator_id), top)


@routes.get(
    "/staff/{staff_id}/briefing",
    response_model=BriefingOut,
    summary="Briefing of a curator's portfolio",
    **operation("staff.briefing", Scope.CUSTOMERS_READ, problems=(NoStaff,)),
)
async def staff_briefing(staff_id: UUID, principal: Caller, services: Wired, top: Top = 20) -> Response:
    """Sizes, first customers, who is at risk, birthdays and expected orders of a person's records in your reach."""
    return await _briefing(services, principal, Portfolio(staff_id=staff_id), top)


@routes.get(
    "/customers/{customer_id}/ownerships",
    response_model=TenuresOut,
    summary="Who answered for a customer, and when",
    **operation("customers.ownerships", Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
async def list_ownerships(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """The dated history of curator and team, newest first, without gaps since the record was made."""
    found = await services.assignments.history(principal, customer_id)
    return as_json({"items": [asdict(one) for one in found]})


@routes.get(
    "/curators/concentration",
    response_model=ConcentrationOut,
    summary="Share of A-class revenue per curator",
    **operation("curators.concentration", Scope.SEGMENTS_READ, takes_input=False),
)
async def concentration(principal: Caller, services: Wired) -> Response:
    """Which part of the revenue of class A would go with whom; class A is that of all you reach."""
    found = asdict(await services.briefings.concentration(principal))
    found["a_revenue"] = money(found["a_revenue"])
    for row in found["curators"]:
        row["revenue"], row["a_revenue"] = money(row["revenue"]), money(row["a_revenue"])
    return as_json(found)


async def _briefing(services: Wired, principal: Caller, portfolio: Portfolio, top: int) -> Response:
    made = await services.briefings.briefing(principal, portfolio, top=top)
    found = made.found
    return as_json(
        {
            "as_of": made.as_of,
            "horizon_days": HORIZON_DAYS,
            "currency": made.currency,
            "computed_at": made.computed_at,
            "customers": found["customers"],
            "orders": found["orders"],
            "revenue": money(found["revenue"]),
            "statuses": _named(found["statuses"], "status", "customers"),
            "classes": [
                {**one, "class_name": class_name(one["class_name"])}
                for one in _named(found["classes"], "class_name", "customers", "revenue")
            ],
            "top": [
                {**one, "class_name": class_name(one["class_name"])}
                for one in _named(
                    found["top"], "customer_id", "display_name", "class_name", "orders", "revenue", "last_on"
                )
            ],
            "groups": [{**one, "revenue": money(one["revenue"])} for one in made.groups],
            "at_risk": [
                {name: one[name] for name in ("customer_id", "display_name", "group", "last_on", "orders")}
                | {"revenue": money(one["revenue"])}
                for one in made.at_risk
            ],
            "birthdays": {
                "count": found["birthdays"],
                "items": _named(found["next_birthdays"], "customer_id", "display_name", "on", "turns"),
            },
            "expected_orders": {
                "count": found["expected"],
                "overdue": found["overdue"],
                "items": _named(
                    found["next_orders"], "customer_id", "display_name", "on", "last_on", "orders", "revenue"
                ),
            },
            "open_quality_issues": None,
            "notes": [NO_QUALITY],
        }
    )


def _named(rows: Sequence[Sequence[Any]], *names: str) -> list[dict[str, Any]]:
    """Rows that the database packed into one value, with their names; sums as money."""
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [one | {"revenue": money(one["revenue"])} if "revenue" in one else one for one in found]
