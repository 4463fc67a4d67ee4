"""Hand-overs over HTTP: a portfolio goes to a person, to a team or over its members; briefings, history, the pool."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response

from service.api.assignment_schemas import (
    AssignmentIn,
    AssignmentOut,
    BriefingOut,
    ConcentrationOut,
    PoolRecordOut,
    TenuresOut,
    UndoneOut,
)
from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, encode, id_of, page_size
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, rule_of
from service.api.schemas import BadIdempotencyKey, Page, as_json, money
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
from service.domain.assignments.model import Target
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


def _card(row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    outcome = row["outcome"]
    return {
        **{name: row[name] for name in ("assignment_id", "state", "records", "request", "made_by", "created_at")},
        **{name: outcome[name] for name in ("unchanged", "missing", "receivers")},
        "currency": currency,
        "undone": outcome.get("undone"),
        "undone_at": row["undone_at"],
    }


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
        *RULE_PROBLEMS,
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
    asked = await rule_of(body.select, principal, services, "/select/rule")
    selection = replace(body.select.selection, rule=asked)
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
        rows = await tx.assignments.page(id_of(cursor, "after"), limit + 1)
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
    limit = page_size(principal, limit)
    rows, size = await services.assignments.pool(
        principal, after=id_of(cursor, "after"), limit=limit + 1, counted=count is not None
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
