"""Saved segments over HTTP: kept, listed, compared and explained; members are those within the caller's reach."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import product
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from service.api.channels import Day
from service.api.customer_search import card
from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.paging import BadCursor, Cursor, Limit, after_key, decode, encode, page_size
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, TEXT_EXAMPLE, rule_json
from service.api.schemas import BadIdempotencyKey, BadVersion, Moment, Page, as_json
from service.api.segment_schemas import (
    EditedOut,
    FreezeIn,
    HistoryOut,
    MembershipOut,
    MembersIn,
    MembersOut,
    OverlapIn,
    OverlapOut,
    SegmentBrief,
    SegmentChange,
    SegmentIn,
    SegmentOut,
)
from service.api.segments import shown_verdict
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.channels import EndsBeforeItBegins
from service.domain.customers.errors import NoCustomer
from service.domain.errors import NameTaken, Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.segments.errors import NoSegment, NotListed, NotRuled, SegmentCycle, SegmentInUse
from service.domain.segments.model import NewSegment
from service.domain.segments.ports import Card
from service.domain.segments.service import Given

routes = router("segments")
_ONCE = (KeyReused, StillRunning, BadIdempotencyKey)
# Of a segment of a large base.
_TIMEOUT_MS = 60_000
_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_LONGEST_HISTORY = timedelta(days=1_100)


def _body(**example: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


async def _given(body: SegmentIn | SegmentChange, principal: Principal, services: Services) -> Given | None:
    if body.rule is None and body.text is None:
        return None
    asked, places = await services.rules.asked_with_places(principal, rule=body.rule, text=body.text)
    return Given(asked=asked, places=places, json=rule_json(asked.rule))


async def _card(services: Services, principal: Principal, segment_id: UUID) -> Card:
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        found = await tx.saved_segments.card(segment_id)
    if found is None:
        raise NoSegment
    return found


async def _show(services: Services, principal: Principal, segment_id: UUID, status: int = 200) -> Response:
    found = await _card(services, principal, segment_id)
    headers = {"ETag": f'"{found["version"]}"'}
    if status == 201:
        headers["Location"] = f"/v1/segments/{segment_id}"
    return as_json(dict(found), status, headers)


def _fresh(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("computed_at", "lag_seconds")}


@routes.post(
    "/segments",
    response_model=SegmentOut,
    status_code=201,
    summary="Keep a segment",
    **operation(
        "segments.create",
        Scope.SEGMENTS_WRITE,
        problems=(*RULE_PROBLEMS, NameTaken, SegmentCycle, *_ONCE),
        **_body(name="Чай, Казань", text=TEXT_EXAMPLE),
    ),
)
async def create_segment(body: SegmentIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """With a rule it is live: computed within seconds, and kept up with what is written and with the day. Without one
    it is a list."""
    given = await _given(body, principal, services)
    segment = NewSegment(
        name=body.name,
        description=body.description,
        ruled=given.ruled() if given else None,
        customer_ids=body.customer_ids,
    )
    segment_id = await patiently(lambda: services.segments.create(principal, segment, given, once))
    return await _show(services, principal, segment_id, 201)


@routes.get(
    "/segments",
    response_model=Page[SegmentBrief],
    summary="List segments",
    **operation("segments.list", Scope.SEGMENTS_READ, problems=(BadCursor,)),
)
async def list_segments(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The tenant's segments by name."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.saved_segments.page(after_key(cursor), limit + 1)
    more = encode({"after": rows[limit - 1]["name"]}) if len(rows) > limit else None
    return as_json({"items": [dict(row) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.post(
    "/segments/overlap",
    response_model=OverlapOut,
    summary="Compare segments",
    **operation("segments.overlap", Scope.SEGMENTS_READ, problems=(NoSegment,), **_body(segment_ids=[_ID])),
)
async def overlap(body: OverlapIn, principal: Caller, services: Wired) -> Response:
    """How many members within your reach each two of up to ten segments share, and all of them together. Union,
    intersection and difference as a rule: `segment has any (…) and not segment has any (…)`."""
    ids = list(dict.fromkeys(body.segment_ids))
    async with services.uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
        found = await tx.saved_segments.overlap(ids)
    known = found["known"]
    if any(one not in known for one in ids):
        raise NoSegment
    return as_json(_compared(ids, found["held"]) | _freshness_of(list(known.values())))


def _compared(ids: Sequence[UUID], held: Sequence[tuple[frozenset[UUID], int]]) -> dict[str, Any]:
    shared: Counter[tuple[UUID, UUID]] = Counter()
    for members, customers in held:
        for pair in product(members, members):
            shared[pair] += customers
    return {
        "pairs": [
            {
                "segment_id": one,
                "other_id": other,
                "customers": shared[one, other],
                "share": f"{shared[one, other] / shared[one, one]:.6f}" if shared[one, one] else None,
            }
            for one, other in product(ids, ids)
        ],
        "union": sum(customers for _, customers in held),
        "intersection": sum(customers for members, customers in held if len(members) == len(ids)),
        "only": {str(one): sum(n for members, n in held if members == {one}) for one in ids},
    }


def _freshness_of(known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """As fresh as the one that lags most."""
    if any(one["computed_at"] is None for one in known):
        return {"computed_at": None, "lag_seconds": None}
    return {
        "computed_at": min(one["computed_at"] for one in known),
        "lag_seconds": max(one["lag_seconds"] for one in known),
    }


@routes.get(
    "/segments/{segment_id}",
    response_model=SegmentOut,
    summary="Read a segment",
    **operation("segments.get", Scope.SEGMENTS_READ, problems=(NoSegment,)),
)
async def get_segment(segment_id: UUID, principal: Caller, services: Wired) -> Response:
    """What it is, and how many of its members you reach. The ETag is its version."""
    return await _show(services, principal, segment_id)


@routes.patch(
    "/segments/{segment_id}",
    response_model=SegmentOut,
    summary="Change a segment",
    **operation(
        "segments.update",
        Scope.SEGMENTS_WRITE,
        problems=(NoSegment, *RULE_PROBLEMS, NameTaken, SegmentCycle, NotRuled, Precondition, BadVersion),
        **_body(description="Для весенней рассылки"),
    ),
)
async def change_segment(
    segment_id: UUID, body: SegmentChange, principal: Caller, services: Wired, expected: Expected
) -> Response:
    """Another name, description or rule; members are those of the old rule until the new one is computed."""
    given = await _given(body, principal, services)
    changes = {name: value for name in ("name", "description") if (value := getattr(body, name)) is not None}
    await services.segments.change(principal, segment_id, changes, given, expected=expected)
    return await _show(services, principal, segment_id)


@routes.delete(
    "/segments/{segment_id}",
    status_code=204,
    summary="Delete a segment",
    **operation("segments.delete", Scope.SEGMENTS_WRITE, problems=(NoSegment, SegmentInUse, Precondition, BadVersion)),
)
async def delete_segment(segment_id: UUID, principal: Caller, services: Wired, expected: Expected) -> Response:
    """With its members and their history; not while other segments are built on it."""
    await services.segments.remove(principal, segment_id, expected=expected)
    return Response(status_code=204)


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
    async with services.uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
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
    return as_json(answer | _fresh(segment))


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
    async with services.uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
        segment = await tx.saved_segments.card(segment_id)
        if segment is None:
            raise NoSegment
        days = await tx.saved_segments.history(segment_id, since, until, principal.time_zone)
    return as_json({"segment_id": segment_id, "items": [dict(day) for day in days]} | _fresh(segment))


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
        problems=(NoSegment, NotListed, *_ONCE),
        **_body(add=[_ID]),
    ),
)
async def edit_members(
    segment_id: UUID, body: MembersIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """Up to ten thousand ids to add and to remove; who is in both is removed."""
    edited = await patiently(
        lambda: services.segments.edit(principal, segment_id, add=body.add, remove=body.remove, once=once)
    )
    return as_json({**edited, **_fresh(await _card(services, principal, segment_id))})


@routes.post(
    "/segments/{segment_id}/freeze",
    response_model=SegmentOut,
    status_code=201,
    summary="Take a snapshot of a segment",
    **operation(
        "segments.freeze",
        Scope.SEGMENTS_WRITE,
        problems=(NoSegment, NameTaken, *_ONCE),
        **_body(name="Чай, Казань, весна 2026"),
    ),
)
async def freeze_segment(
    segment_id: UUID, body: FreezeIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """A segment of its own that stays as it is: the members within your reach, now or at a past moment."""
    frozen = await patiently(lambda: services.segments.freeze(principal, segment_id, body.name, body.as_of, once))
    return await _show(services, principal, frozen, 201)


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
    return as_json(answer | {"entered_at": entered_at, "meant": meant, "clauses": verdicts} | _fresh(segment))
