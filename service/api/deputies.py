"""Deputies: who looks after whose customers, and on which days. It holds from the next request on."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.paging import BadCursor, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import Input, Page, as_json
from service.domain.access import Scope
from service.domain.assignments.errors import DeputyKnown, DeputyUnfit, LeadNeeded, NoDeputy
from service.domain.assignments.model import bounds_of

routes = router("staff")
_EXAMPLE = {
    "owner_id": "019377a4-6c00-7000-8000-000000000001",
    "deputy_id": "019377a4-6c00-7000-8000-000000000002",
    "from_on": "2026-12-01",
    "until_on": "2026-12-14",
}


class DeputyIn(Input):
    owner_id: UUID = Field(description="Whose customers are looked after.")
    deputy_id: UUID = Field(description="By whom, besides his own.")
    from_on: date | None = Field(None, description="The first day, in the tenant's time zone; today, unless stated.")
    until_on: date | None = Field(None, description="The last day; null is until further notice.")


class DeputyOut(BaseModel):
    owner_id: UUID
    owner: str = Field(examples=["Анна Петрова"])
    deputy_id: UUID
    deputy: str = Field(examples=["Борис Орлов"])
    from_on: date
    until_on: date | None


@routes.get(
    "/deputies",
    response_model=Page[DeputyOut],
    summary="List deputies",
    **operation("deputies.list", Scope.ASSIGNMENTS_WRITE, problems=(LeadNeeded, BadCursor)),
)
async def list_deputies(
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Past, present and future ones, of your teams or of the tenant."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.assignments.deputies(bounds_of(principal), _after(cursor), limit + 1)
    shown, more = rows[:limit], None
    if len(rows) > limit:
        more = encode({name: shown[-1][name] for name in ("deputy_id", "owner_id", "from_on")})
    return as_json({"items": shown, "next_cursor": more, "count": None})


@routes.post(
    "/deputies",
    response_model=DeputyOut,
    status_code=201,
    summary="Name a deputy",
    **operation(
        "deputies.create",
        Scope.ASSIGNMENTS_WRITE,
        problems=(LeadNeeded, DeputyUnfit, DeputyKnown),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def create_deputy(body: DeputyIn, principal: Caller, services: Wired) -> Response:
    """On these days the deputy sees and keeps the owner's customers besides his own."""
    from_on = await services.assignments.deputise(principal, **body.model_dump())
    services.principals.forget(body.deputy_id)
    async with services.uow.begin(principal) as tx:
        row = await tx.assignments.deputy(body.owner_id, body.deputy_id, from_on)
    if row is None:  # ended by somebody else meanwhile
        raise NoDeputy
    return as_json(dict(row), 201)


@routes.delete(
    "/deputies/{owner_id}/{deputy_id}/{from_on}",
    status_code=204,
    summary="End a deputy",
    **operation("deputies.delete", Scope.ASSIGNMENTS_WRITE, problems=(LeadNeeded, NoDeputy)),
)
async def end_deputy(owner_id: UUID, deputy_id: UUID, from_on: date, principal: Caller, services: Wired) -> Response:
    """From now on the owner's customers are out of the deputy's reach; the days that have passed stay on record."""
    await services.assignments.end_deputy(principal, owner_id=owner_id, deputy_id=deputy_id, from_on=from_on)
    services.principals.forget(deputy_id)
    return Response(status_code=204)


def _after(cursor: str | None) -> tuple[Any, ...] | None:
    if cursor is None:
        return None
    position = decode(cursor, "deputy_id", "owner_id", "from_on")
    try:
        return UUID(position["deputy_id"]), UUID(position["owner_id"]), date.fromisoformat(position["from_on"])
    except (ValueError, TypeError, AttributeError):
        raise BadCursor(pointer="/cursor") from None
