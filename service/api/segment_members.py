"""Members of saved segments over HTTP: who is in or was, how many from day to day, lists that people edit, and why."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import File, Form, Query, Response, UploadFile

from service.api.channels import Day
from service.api.customer_search import card
from service.api.deps import OnceKey, Wired, patiently
from service.api.imports import UploadedPieces
from service.api.paging import BadCursor, Cursor, Limit, decode, encode, page_size
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS
from service.api.saved_segments import EXAMPLE_ID, ONCE, TIMEOUT_MS, an_example, fresh, segment_card
from service.api.schemas import Moment, as_json
from service.api.segment_schemas import EditedOut, HistoryOut, MembershipOut, MembersIn, MembersOut, UploadedOut
from service.api.segments import shown_verdict
from service.domain.access import Scope
from service.domain.channels import EndsBeforeItBegins
from service.domain.customers.errors import NoCustomer
from service.domain.segments.errors import NoSegment, NotListed
from service.domain.segments.listing import ListUnreadable
from service.domain.segments.ports import Card

routes = router("segments")
_LONGEST_HISTORY = timedelta(days=1_100)


@routes.get(
    "/segments/{segment_id}/members",
    response_model=MembersOut,
    summary="List members of a segment",
    **operation("segments.members", Scope.SEGMENTS_READ, Scope.CUSTOMERS_READ, problems=(NoSegment, BadCursor)),
)
async def list_members(
    segment_id: UUID,
    principal: Caller,
    services: Wired,
    as_of: Annotated[Moment | None, Query(description="Who was in at that moment; now unless stated.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Cards of the members within your reach, contacts masked, newest records first."""
    limit = page_size(principal, limit)
    services.activity.listed(principal, None, {"segment_id": segment_id}, further=cursor is not None)
    async with services.uow.begin(principal, snapshot=True, timeout_ms=TIMEOUT_MS) as tx:
        segment = await tx.saved_segments.card(segment_id)
        if segment is None:
            raise NoSegment
        rows = await tx.saved_segments.members(segment_id, as_of=as_of, after=_after(cursor), limit=limit + 1)
        shown = rows[:limit]
        cards = {str(row["customer_id"]): card(row) for row in await tx.search.cards(_ids(shown), None)}
    items = [
        {"entered_at": row["entered_at"], "left_at": row["left_at"], "customer": cards[str(row["customer_id"])]}
        for row in shown
    ]
    more = encode({"after": shown[-1]["customer_id"]}) if len(rows) > limit else None
    answer = {"segment_id": segment_id, "as_of": as_of, "items": items, "next_cursor": more}
    return as_json(answer | fresh(segment))


def _ids(rows: Sequence[Card]) -> list[str]:
    return [str(row["customer_id"]) for row in rows]


def _after(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(decode(cursor, "after")["after"])
    except (ValueError, AttributeError, TypeError):
        raise BadCursor(pointer="/cursor") from None


@routes.get(
    "/segments/{segment_id}/history",
    response_model=HistoryOut,
    summary="Size of a segment over time",
    **operation("segments.history", Scope.SEGMENTS_READ, problems=(NoSegment, EndsBeforeItBegins)),
)
async def segment_history(
    segment_id: UUID,
    principal: Caller,
    services: Wired,
    from_on: Annotated[Day | None, Query(alias="from", description="30 days back unless stated.")] = None,
    until_on: Annotated[Day | None, Query(alias="to", description="Today unless stated.")] = None,
) -> Response:
    """Day by day who entered and left, and how many were in at its end, within your reach."""
    since, until = _period(from_on, until_on, services.clock.today(principal.time_zone))
    async with services.uow.begin(principal, snapshot=True, timeout_ms=TIMEOUT_MS) as tx:
        segment = await tx.saved_segments.card(segment_id)
        if segment is None:
            raise NoSegment
        days = await tx.saved_segments.history(segment_id, since, until, principal.time_zone)
    return as_json({"segment_id": segment_id, "items": [dict(day) for day in days]} | fresh(segment))


def _period(since: date | None, until: date | None, today: date) -> tuple[date, date]:
    last = until or today
    first = since or last - timedelta(days=30)
    if first > last:
        raise EndsBeforeItBegins(pointer="/to")
    return max(first, last - _LONGEST_HISTORY), last


@routes.post(
    "/segments/{segment_id}/members",
    response_model=EditedOut,
    summary="Edit the list of a static segment",
    **operation(
        "segments.edit_members",
        Scope.SEGMENTS_WRITE,
        problems=(NoSegment, NotListed, *ONCE),
        **an_example(add=[EXAMPLE_ID]),
    ),
)
async def edit_members(
    segment_id: UUID, body: MembersIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """Up to ten thousand ids to add and to remove; who is in both is removed."""
    edited = await patiently(
        lambda: services.segments.edit(principal, segment_id, add=body.add, remove=body.remove, once=once)
    )
    return as_json({**edited, **fresh(await segment_card(services, principal, segment_id))})


@routes.post(
    "/segments/{segment_id}/members/upload",
    response_model=UploadedOut,
    summary="Upload a list of members of a static segment",
    **operation(
        "segments.upload_members", Scope.SEGMENTS_WRITE, problems=(NoSegment, NotListed, ListUnreadable, *ONCE)
    ),
)
async def upload_members(
    segment_id: UUID,
    principal: Caller,
    services: Wired,
    once: OnceKey,
    file: Annotated[UploadFile, File(description="Text, one id a line; further cells of a line are passed over.")],
    source: Annotated[
        str | None, Form(max_length=100, description="The system whose ids these are; ours, unless stated.")
    ] = None,
    remove: Annotated[bool, Form(description="Take them off the list.")] = False,
) -> Response:
    """Up to 200 000 ids; all are taken or, where a line can't be read, none. Who is not within reach is unknown."""
    edited = await patiently(
        lambda: services.segments.upload(
            principal, segment_id, UploadedPieces(file), source=source, remove=remove, once=once
        )
    )
    return as_json({**edited, **fresh(await segment_card(services, principal, segment_id))})


@routes.get(
    "/segments/{segment_id}/explain/{customer_id}",
    response_model=MembershipOut,
    summary="Explain a membership",
    **operation(
        "segments.explain_member",
        Scope.SEGMENTS_READ,
        problems=(NoSegment, NoCustomer, *RULE_PROBLEMS),
    ),
)
async def explain_member(segment_id: UUID, customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """Whether a customer is in and since when, and of each clause of the rule what it says of him now."""
    async with services.uow.begin(principal) as tx:
        segment = await tx.saved_segments.card(segment_id)
        if segment is None:
            raise NoSegment
        if not await tx.search.cards([str(customer_id)], ("customer_id",)):
            raise NoCustomer
        entered_at = await tx.saved_segments.entered_at(segment_id, customer_id)
    meant, verdicts = None, []
    if segment["kind"] == "live":
        asked = await services.rules.asked(principal, text=segment["text"])
        meant, found = await services.rules.explain(principal, asked, customer_id)
        verdicts = [shown_verdict(one) for one in found]
    answer = {"segment_id": segment_id, "customer_id": customer_id, "member": entered_at is not None}
    return as_json(answer | {"entered_at": entered_at, "meant": meant, "clauses": verdicts} | fresh(segment))
