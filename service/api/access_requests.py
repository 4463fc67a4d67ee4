"""Asking over HTTP for a record of another portfolio, and answering."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Key, LongText, Page, Source, as_json
from service.domain.access import Scope
from service.domain.around.errors import (
    AccessAsked,
    AccessDecided,
    AskedForNothing,
    AskerGone,
    BadRequestToken,
    NoAccessRequest,
    NotAnswering,
    OwnRequest,
    WithinReach,
)
from service.domain.customers.errors import NoCustomer
from service.domain.customers.model import ExternalId
from service.domain.customers.search import ProbesUsedUp
from service.domain.idempotency import KeyReused, StillRunning

routes = router("around")
State = Literal["open", "granted", "refused"]
_ASK = {"request_token": "kJx0f3…", "reason": "She has called me about an order"}
_ANSWER = {"answer": "Yours from today on"}
_DECIDING = (NoAccessRequest, OwnRequest, NotAnswering, AccessDecided, NoCustomer)


class AccessRequestIn(Input):
    request_token: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="From the refusal of a duplicate."
    )
    external_id: Key | None = Field(None, description="Instead of the token: the record's id in another system.")
    source: Source = Field("", description="The system of the external id.")
    reason: Annotated[LongText, Field(min_length=3, pattern=r"\S")]


class AccessAnswerIn(Input):
    answer: LongText | None = Field(None, description="A word to the one who asked.")


class AccessRequest(BaseModel):
    """A wish to have a record, and the answer."""

    request_id: UUID
    staff_id: UUID = Field(description="Who asks.")
    staff_name: str = Field(examples=["Анна Петрова"])
    customer_id: UUID | None = Field(description="Null for those who don't reach the record.")
    kind: Literal["person", "organisation"] | None
    display_name: str | None = Field(description="Masked for those who don't reach the record.", examples=["И••• М•••"])
    reason: str
    state: State
    created_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    answer: str | None


def _example(value: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


@routes.post(
    "/access-requests",
    response_model=AccessRequest,
    status_code=201,
    summary="Ask for a record of another portfolio",
    **operation(
        "access.ask",
        Scope.CUSTOMERS_READ,
        problems=(
            AskedForNothing,
            BadRequestToken,
            NoCustomer,
            NoAccessRequest,
            WithinReach,
            AccessAsked,
            ProbesUsedUp,
            KeyReused,
            StillRunning,
            BadIdempotencyKey,
        ),
        requestBody=_example(_ASK),
    ),
)
async def ask_for_access(body: AccessRequestIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Name the record by the token that the refusal of a duplicate gave you, or by its exact external id, which counts
    against your probes. You see its masked name until the request is granted."""
    named = None if body.external_id is None else ExternalId(source=body.source, external_id=body.external_id)
    card = await patiently(
        lambda: services.access.ask(
            principal, body.reason.strip(), token=body.request_token, external_id=named, once=once
        )
    )
    return as_json(card, 201)


@routes.get(
    "/access-requests",
    response_model=Page[AccessRequest],
    summary="List requests for access",
    **operation("access.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def list_access_requests(
    principal: Caller,
    services: Wired,
    view: Annotated[
        Literal["all", "asked", "answering"], Query(description="`asked`: your own; `answering`: for your records.")
    ] = "all",
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Requests that you have made, and those for records within your reach, the newest first."""
    before = id_of(cursor, "before")
    own = None if view == "all" else view == "asked"
    rows = await services.access.page(principal, own=own, state=state, before=before, limit=limit + 1)
    more = encode({"before": rows[limit - 1]["request_id"]}) if len(rows) > limit else None
    return as_json({"items": rows[:limit], "next_cursor": more, "count": None}, headers={"Cache-Control": "no-store"})


@routes.post(
    "/access-requests/{request_id}/grant",
    response_model=AccessRequest,
    summary="Grant a request for access",
    **operation(
        "access.grant",
        Scope.CUSTOMERS_WRITE,
        problems=(*_DECIDING, AskerGone),
        requestBody=_example(_ANSWER),
    ),
)
async def grant_access(request_id: UUID, body: AccessAnswerIn, principal: Caller, services: Wired) -> Response:
    """The record moves: who asked becomes its curator, and its team becomes his unless he is in it; the history keeps
    the move. For the record's curator, a deputy, or whoever reaches it with `assignments:write`."""
    return as_json(await services.access.answer(principal, request_id, grant=True, answer=body.answer))


@routes.post(
    "/access-requests/{request_id}/refuse",
    response_model=AccessRequest,
    summary="Refuse a request for access",
    **operation("access.refuse", Scope.CUSTOMERS_WRITE, problems=_DECIDING, requestBody=_example(_ANSWER)),
)
async def refuse_access(request_id: UUID, body: AccessAnswerIn, principal: Caller, services: Wired) -> Response:
    """Nothing moves; who asked sees the answer."""
    return as_json(await services.access.answer(principal, request_id, grant=False, answer=body.answer))
