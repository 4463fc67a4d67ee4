"""What there is to mend for whom, and by when, over HTTP."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.paging import BadCursor, Cursor, Limit, decode, encode, page_size
from service.api.routing import Caller, operation, router
from service.api.schemas import Input, Page, as_json
from service.domain.access import Scope
from service.domain.quality.fixing import NoIssue
from service.domain.quality.model import Cause, Severity
from service.domain.quality.tasks import DueTooFar

routes = router("quality")
_PRIVATE = {"Cache-Control": "no-store"}


class TaskOut(BaseModel):
    issue_id: UUID
    customer_id: UUID
    display_name: str = Field(examples=["Иванов Иван"])
    curator_id: UUID
    code: str = Field(examples=["phone-impossible"])
    field: str = Field(examples=["contacts"])
    detail_id: UUID | None
    cause: Cause
    severity: Severity
    confidence: float
    fixable: bool = Field(description="There is a fix to look at and to apply.")
    found_at: datetime
    due_on: date
    overdue: bool


class WorkloadOut(BaseModel):
    curator_id: UUID
    open: int = Field(examples=[41])
    overdue: int = Field(examples=[3])
    customers: int = Field(description="Records with something to mend.", examples=[38])
    next_due_on: date


class DueIn(Input):
    due_on: date | None = Field(description="Null: the usual number of days from when it was found.")


class DueOut(BaseModel):
    issue_id: UUID
    due_on: date | None


def _task(row: Mapping[str, Any], today: date) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name != "proposal"}
    return shown | {"fixable": row["proposal"] is not None, "overdue": row["due_on"] < today}


@routes.get(
    "/quality/tasks",
    response_model=Page[TaskOut],
    summary="List what a curator has to mend",
    **operation("quality.tasks", Scope.QUALITY_READ, Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def list_tasks(
    principal: Caller,
    services: Wired,
    curator_id: Annotated[
        UUID | None, Query(description="Whose records; your own, and those you stand in for, if absent.")
    ] = None,
    overdue: Annotated[bool, Query(description="Only what should have been done before today.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Open issues by the day they are due: so many days from when they were found, as the tenant has decided for each
    severity, or the day that somebody has set."""
    limit = page_size(principal, limit)
    page = await services.tasks.page(
        principal, curator_id=curator_id, overdue=overdue, after=_after(cursor), limit=limit + 1
    )
    items = [_task(row, page.today) for row in page.rows[:limit]]
    following = None
    if len(page.rows) > limit:
        following = encode({"on": items[-1]["due_on"].isoformat(), "after": items[-1]["issue_id"]})
    return as_json({"items": items, "next_cursor": following, "count": None}, headers=_PRIVATE)


@routes.get(
    "/quality/tasks/curators",
    response_model=Page[WorkloadOut],
    summary="How much each curator has to mend",
    **operation("quality.workload", Scope.QUALITY_READ, problems=(BadCursor,)),
)
async def list_workload(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Of each curator of records within your reach, in the order of their ids."""
    after = _id_of(decode(cursor, "after")["after"]) if cursor else None
    rows = await services.tasks.workload(principal, after=after, limit=limit + 1)
    items = [dict(row) for row in rows[:limit]]
    following = encode({"after": items[-1]["curator_id"]}) if len(rows) > limit else None
    return as_json({"items": items, "next_cursor": following, "count": None})


@routes.put(
    "/quality/issues/{issue_id}/due",
    response_model=DueOut,
    summary="Set the day by which an issue is due",
    **operation(
        "quality.schedule",
        Scope.QUALITY_WRITE,
        problems=(NoIssue, DueTooFar),
        requestBody={"content": {"application/json": {"example": {"due_on": None}}}},
    ),
)
async def schedule(issue_id: UUID, body: DueIn, principal: Caller, services: Wired) -> Response:
    """Of an open issue; today at the earliest."""
    card = await services.tasks.schedule(principal, issue_id, body.due_on)
    return as_json({"issue_id": issue_id, "due_on": card["due_on"]})


def _after(cursor: str | None) -> tuple[date, UUID] | None:
    if cursor is None:
        return None
    position = decode(cursor, "on", "after")
    try:
        return date.fromisoformat(str(position["on"])), _id_of(position["after"])
    except ValueError:
        raise BadCursor(pointer="/cursor") from None


def _id_of(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise BadCursor(pointer="/cursor") from None
