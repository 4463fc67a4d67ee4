"""Beside a record over HTTP: notes, contacts made, consents. Where the record is out of reach, so is all of this."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, decode, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, LongText, Moment, Page, Source, Text, as_json
from service.api.services import ApiTransaction, Services
from service.domain.access import Principal, Scope
from service.domain.around.errors import InTheFuture, NoInteraction, NoNote, NotYours
from service.domain.around.model import NewConsent, NewInteraction
from service.domain.customers.errors import CustomerErased, NoCustomer
from service.domain.idempotency import KeyReused, StillRunning

routes = router("around")
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Said = Annotated[LongText, Field(min_length=1, pattern=r"\S")]
InteractionKind = Literal["call", "email", "message", "meeting", "letter", "visit", "other"]
Purpose = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$", examples=["mailing"])]
_ONCE = (KeyReused, StillRunning, BadIdempotencyKey)
_PRIVATE = {"Cache-Control": "no-store"}
Rows = Sequence[Mapping[str, Any]]


class NoteIn(Input):
    text: Said = Field(examples=["Prefers to be called after six"])


class NoteOut(BaseModel):
    note_id: UUID
    staff_id: UUID = Field(description="Who has written it.")
    text: str
    created_at: datetime


class InteractionIn(Input):
    kind: InteractionKind
    direction: Literal["in", "out"] = Field(description="`in`: the customer came to us.")
    at: Moment | None = Field(None, description="When it was (without a zone, the tenant's); now if absent.")
    outcome: Text | None = None
    text: LongText | None = None


class InteractionOut(BaseModel):
    interaction_id: UUID
    staff_id: UUID
    kind: InteractionKind
    direction: Literal["in", "out"]
    at: datetime
    outcome: str | None
    text: str | None
    created_at: datetime


class ConsentIn(Input):
    purpose: Purpose = Field(description="What for, in a word of the tenant's choice.")
    given: bool = Field(description="False when it was withdrawn.")
    channel: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_.-]{0,59})?$", examples=["sms"])] = Field(
        "", description="By which channel; empty for all."
    )
    at: Moment | None = Field(None, description="When it was given or withdrawn; now if absent.")
    source: Source = Field("", description="Where it was given: a form, a shop, a call.", examples=["web form"])
    proof: LongText | None = Field(None, description="What proves it: a document's number, a recording's address.")


class ConsentOut(BaseModel):
    consent_id: UUID
    purpose: str
    channel: str
    given: bool
    at: datetime
    source: str
    proof: str | None
    staff_id: UUID
    created_at: datetime


class Consents(Page[ConsentOut]):
    """What counts now by purpose and channel, and a page of the history, the latest first."""

    standing: list[ConsentOut]


def _example(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


def _moment_before(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    position = decode(cursor, "at", "before")
    try:
        at = datetime.fromisoformat(str(position["at"]))
        if at.tzinfo is None:
            raise BadCursor(pointer="/cursor")
        return at, UUID(str(position["before"]))
    except ValueError:
        raise BadCursor(pointer="/cursor") from None


def _page(rows: Rows, limit: int, key: str, *, by_moment: bool = False, **more: object) -> Response:
    shown = rows[:limit]
    cursor = None
    if len(rows) > limit:
        position = {"before": shown[-1][key]}
        cursor = encode(position | {"at": shown[-1]["at"].isoformat()} if by_moment else position)
    items = [dict(row) for row in shown]
    return as_json({"items": items, "next_cursor": cursor, "count": None, **more}, headers=_PRIVATE)


async def _read(
    services: Services,
    principal: Principal,
    customer_id: UUID,
    ask: Callable[[ApiTransaction], Awaitable[tuple[Rows, ...]]],
) -> tuple[Rows, ...]:
    async with services.uow.begin(principal) as tx:
        if not await tx.around.reaches(customer_id):
            raise NoCustomer
        return await ask(tx)


@routes.get(
    "/customers/{customer_id}/notes",
    response_model=Page[NoteOut],
    summary="List the notes on a customer",
    **operation("notes.list", Scope.CUSTOMERS_READ, problems=(NoCustomer, BadCursor)),
)
async def list_notes(
    customer_id: UUID, principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What colleagues have written down, the newest first."""

    async def ask(tx: ApiTransaction) -> tuple[Rows, ...]:
        return (await tx.around.notes(customer_id, before=id_of(cursor, "before"), limit=limit + 1),)

    (rows,) = await _read(services, principal, customer_id, ask)
    return _page(rows, limit, "note_id")


@routes.post(
    "/customers/{customer_id}/notes",
    response_model=NoteOut,
    status_code=201,
    summary="Write a note on a customer",
    **operation(
        "notes.create",
        Scope.CUSTOMERS_WRITE,
        problems=(NoCustomer, NoNote, CustomerErased, *_ONCE),
        requestBody=_example({"text": "Prefers to be called after six"}),
    ),
)
async def write_note(customer_id: UUID, body: NoteIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A note that everyone sees who reaches the record; it can't be changed, only taken back by its author."""
    note = await patiently(lambda: services.around.write_note(principal, customer_id, body.text, once))
    return as_json(dict(note), 201)


@routes.delete(
    "/customers/{customer_id}/notes/{note_id}",
    status_code=204,
    summary="Take a note back",
    **operation("notes.delete", Scope.CUSTOMERS_WRITE, problems=(NoCustomer, NoNote, NotYours, CustomerErased)),
)
async def delete_note(customer_id: UUID, note_id: UUID, principal: Caller, services: Wired) -> Response:
    """Remove a note of your own."""
    await services.around.take_note_back(principal, customer_id, note_id)
    return Response(status_code=204)


@routes.get(
    "/customers/{customer_id}/interactions",
    response_model=Page[InteractionOut],
    summary="List the contacts made with a customer",
    **operation("interactions.list", Scope.CUSTOMERS_READ, problems=(NoCustomer, BadCursor)),
)
async def list_interactions(
    customer_id: UUID, principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Calls, messages and meetings, the latest first."""

    async def ask(tx: ApiTransaction) -> tuple[Rows, ...]:
        return (await tx.around.interactions(customer_id, before=_moment_before(cursor), limit=limit + 1),)

    (rows,) = await _read(services, principal, customer_id, ask)
    return _page(rows, limit, "interaction_id", by_moment=True)


@routes.post(
    "/customers/{customer_id}/interactions",
    response_model=InteractionOut,
    status_code=201,
    summary="Record a contact made with a customer",
    **operation(
        "interactions.create",
        Scope.CUSTOMERS_WRITE,
        problems=(NoCustomer, NoInteraction, CustomerErased, InTheFuture, *_ONCE),
        requestBody=_example({"kind": "call", "direction": "out", "outcome": "Will order in May"}),
    ),
)
async def write_interaction(
    customer_id: UUID, body: InteractionIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """A call, message or meeting that took place, with its outcome."""
    new = NewInteraction(**body.model_dump())
    made = await patiently(lambda: services.around.write_interaction(principal, customer_id, new, once))
    return as_json(dict(made), 201)


@routes.delete(
    "/customers/{customer_id}/interactions/{interaction_id}",
    status_code=204,
    summary="Take a contact made back",
    **operation(
        "interactions.delete", Scope.CUSTOMERS_WRITE, problems=(NoCustomer, NoInteraction, NotYours, CustomerErased)
    ),
)
async def delete_interaction(customer_id: UUID, interaction_id: UUID, principal: Caller, services: Wired) -> Response:
    """Remove an interaction that you have recorded yourself."""
    await services.around.take_interaction_back(principal, customer_id, interaction_id)
    return Response(status_code=204)


@routes.get(
    "/customers/{customer_id}/consents",
    response_model=Consents,
    summary="Read a customer's consents",
    **operation("consents.list", Scope.CUSTOMERS_READ, problems=(NoCustomer, BadCursor)),
)
async def list_consents(
    customer_id: UUID, principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What counts now for each purpose and channel (`standing`), and all that was given and withdrawn before."""

    async def ask(tx: ApiTransaction) -> tuple[Rows, ...]:
        history = await tx.around.consents(customer_id, before=_moment_before(cursor), limit=limit + 1)
        return history, await tx.around.standing_consents(customer_id)

    rows, standing = await _read(services, principal, customer_id, ask)
    return _page(rows, limit, "consent_id", by_moment=True, standing=[dict(row) for row in standing])


@routes.post(
    "/customers/{customer_id}/consents",
    response_model=ConsentOut,
    status_code=201,
    summary="Record a consent given or withdrawn",
    **operation(
        "consents.create",
        Scope.CUSTOMERS_WRITE,
        problems=(NoCustomer, CustomerErased, InTheFuture, *_ONCE),
        requestBody=_example(
            {"purpose": "mailing", "channel": "sms", "given": True, "source": "web form", "proof": "form 17, row 4"}
        ),
    ),
)
async def write_consent(
    customer_id: UUID, body: ConsentIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """One more row of the history, which is never changed; the latest of a purpose and channel counts."""
    new = NewConsent(**body.model_dump())
    made = await patiently(lambda: services.around.record_consent(principal, customer_id, new, once))
    return as_json(dict(made), 201)
