"""What has changed, for partner systems that keep a copy in step."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.paging import BadCursor, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import as_json
from service.domain.access import Scope
from service.domain.changes import Place, UnknownPlace

routes = router("changes")
_NOW = "now"
_LARGEST = 2**63 - 1


class Change(BaseModel):
    at: datetime
    entity: str = Field(examples=["customer"])
    entity_id: UUID
    kind: str = Field(examples=["updated"])
    customer_id: UUID | None = Field(description="Whose record it touches; read it again to see what it is now.")


class ChangePage(BaseModel):
    items: list[Change] = Field(description="The oldest first.")
    next_since: str = Field(description="Send it as `since` to go on, now or later; it never expires.")
    more: bool = Field(description="Whether there are more already.")


@routes.get(
    "/changes",
    response_model=ChangePage,
    summary="What has changed since",
    **operation("changes.list", Scope.CUSTOMERS_READ, problems=(BadCursor, UnknownPlace)),
)
async def list_changes(
    principal: Caller,
    services: Wired,
    since: Annotated[
        str | None,
        Query(
            max_length=1000,
            description="`next_since` of the answer before; from the beginning unless stated; `now` for the present.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    """Records and orders created, changed or deleted within your reach, once each and in order. What is being written
    right now follows when it is done, even if it was begun before; purchases need `orders:read`. In a reach narrower
    than the tenant, a record that was deleted or handed over is no longer told of."""
    async with services.uow.begin(principal) as tx:
        place = await tx.changes.present() if since == _NOW else _place(since)
        told = await tx.changes.since(place, limit=limit, orders=principal.may(Scope.ORDERS_READ))
    behind = encode({"t": told.behind.transaction, "n": told.behind.change_id})
    return as_json({"items": told.changes, "next_since": behind, "more": told.more})


def _place(since: str | None) -> Place:
    if since is None:
        return Place()
    given = decode(since, "t", "n")
    if not all(_counts(value) for value in given.values()):
        raise BadCursor(pointer="/since")
    return Place(transaction=given["t"], change_id=given["n"])


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
