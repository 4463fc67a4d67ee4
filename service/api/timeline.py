"""The timeline of a record: purchases, changes, status, curators, imports, exports, notes, contacts made, consents."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import Query, Response
from pydantic import BaseModel, BeforeValidator, Field

from service.api.deps import Wired
from service.api.paging import BadCursor, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import Page, as_json, money
from service.domain.access import Scope
from service.domain.customers.errors import NoCustomer
from service.domain.timeline import Position, hidden

routes = router("customers")
Kind = Literal[
    "order",
    "refund",
    "curator",
    "import",
    "export",
    "note",
    "interaction",
    "consent",
    "created",
    "updated",
    "status",
    "verified",
    "restricted",
    "unrestricted",
    "linked",
    "unlinked",
    "merged",
    "unmerged",
    "erased",
]
_MONEY = ("total", "refunded", "amount")


def _apart(given: object) -> object:
    """`kinds=order,note` means what `kinds=order&kinds=note` means."""
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return [word for one in given for word in one.split(",") if word]
    return given


Kinds = Annotated[list[Kind] | None, BeforeValidator(_apart), Query(max_length=40)]


class Who(BaseModel):
    staff_id: UUID
    name: str | None = Field(examples=["Анна Петрова"])


class TimelineItem(BaseModel):
    at: datetime
    kind: str = Field(examples=["updated"])
    id: UUID
    by: Who | None = Field(description="Who did it, where somebody of the staff did.")
    source: str | None = Field(description="Where a change came from.", examples=["api"])
    detail: dict[str, Any] = Field(
        description="What it was, by kind: changed fields with old and new, the order's total, the note's text …",
        examples=[{"fields": {"city": ["Казань", "Москва"]}}],
    )


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    detail = orjson.loads(row["detail"])
    if row["kind"] in ("order", "refund"):
        detail |= {name: money(detail[name]) for name in _MONEY if name in detail}
    by = None if row["staff_id"] is None else {"staff_id": row["staff_id"], "name": row["staff_name"]}
    return {"at": row["at"], "kind": row["kind"], "id": row["id"], "by": by, "source": row["source"], "detail": detail}


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    given = decode(cursor, "at", "kind", "id")
    try:
        moment = datetime.fromisoformat(given["at"]).astimezone(UTC)
        if not isinstance(given["kind"], str) or "\x00" in given["kind"]:
            raise BadCursor(pointer="/cursor")
        return Position(at=moment, kind=given["kind"], item_id=UUID(given["id"]))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise BadCursor(pointer="/cursor") from None


def _page(rows: Sequence[Mapping[str, Any]], limit: int) -> Response:
    cursor = None
    if len(rows) > limit:
        last = rows[limit - 1]
        cursor = encode({"at": last["at"], "kind": last["kind"], "id": last["id"]})
    return as_json({"items": [_item(row) for row in rows[:limit]], "next_cursor": cursor, "count": None})


@routes.get(
    "/customers/{customer_id}/timeline",
    response_model=Page[TimelineItem],
    summary="What befell a customer",
    **operation("customers.timeline", Scope.CUSTOMERS_READ, problems=(NoCustomer, BadCursor)),
)
async def customer_timeline(
    customer_id: UUID,
    principal: Caller,
    services: Wired,
    kinds: Kinds = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Everything that happened with a record, the newest first; `kinds=order,note` narrows it. Purchases are left out
    for those without `orders:read`; imports and exports are shown as far as you may see them."""
    asked = kinds or None
    without = hidden(principal, asked)
    async with services.uow.begin(principal) as tx:
        rows = await tx.timeline.page(customer_id, asked, after=_position(cursor), limit=limit + 1, without=without)
    if rows is None:
        raise NoCustomer
    return _page(rows, limit)
