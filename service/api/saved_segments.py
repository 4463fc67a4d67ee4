"""Saved segments over HTTP: kept, listed, compared and explained; members are those within the caller's reach."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any
from uuid import UUID

from fastapi import Response

from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.paging import BadCursor, Cursor, Limit, after_key, encode
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, TEXT_EXAMPLE, rule_json
from service.api.schemas import BadIdempotencyKey, BadVersion, Page, as_json
from service.api.segment_schemas import (
    FreezeIn,
    OverlapIn,
    OverlapOut,
    SegmentBrief,
    SegmentChange,
    SegmentIn,
    SegmentOut,
)
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.errors import NameTaken, Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.segments.errors import NoSegment, NotRuled, SegmentCycle, SegmentInUse
from service.domain.segments.model import NewSegment
from service.domain.segments.ports import Card
from service.domain.segments.service import Given

routes = router("segments")
ONCE = (KeyReused, StillRunning, BadIdempotencyKey)
# Of a segment of a large base.
TIMEOUT_MS = 60_000
EXAMPLE_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def an_example(**example: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


async def _given(body: SegmentIn | SegmentChange, principal: Principal, services: Services) -> Given | None:
    if body.rule is None and body.text is None:
        return None
    asked, places = await services.rules.asked_with_places(principal, rule=body.rule, text=body.text)
    return Given(asked=asked, places=places, json=rule_json(asked.rule))


async def segment_card(services: Services, principal: Principal, segment_id: UUID) -> Card:
    async with services.uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
        found = await tx.saved_segments.card(segment_id)
    if found is None:
        raise NoSegment
    return found


async def _show(services: Services, principal: Principal, segment_id: UUID, status: int = 200) -> Response:
    found = await segment_card(services, principal, segment_id)
    headers = {"ETag": f'"{found["version"]}"'}
    if status == 201:
        headers["Location"] = f"/v1/segments/{segment_id}"
    return as_json(dict(found), status, headers)


def fresh(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("computed_at", "lag_seconds")}


@routes.post(
    "/segments",
    response_model=SegmentOut,
    status_code=201,
    summary="Keep a segment",
    **operation(
        "segments.create",
        Scope.SEGMENTS_WRITE,
        problems=(*RULE_PROBLEMS, NameTaken, SegmentCycle, *ONCE),
        **an_example(name="Чай, Казань", text=TEXT_EXAMPLE),
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
    **operation("segments.overlap", Scope.SEGMENTS_READ, problems=(NoSegment,), **an_example(segment_ids=[EXAMPLE_ID])),
)
async def overlap(body: OverlapIn, principal: Caller, services: Wired) -> Response:
    """How many members within your reach each two of up to ten segments share, and all of them together. Union,
    intersection and difference as a rule: `segment has any (…) and not segment has any (…)`."""
    ids = list(dict.fromkeys(body.segment_ids))
    async with services.uow.begin(principal, snapshot=True, timeout_ms=TIMEOUT_MS) as tx:
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
        **an_example(description="Для весенней рассылки"),
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


@routes.post(
    "/segments/{segment_id}/freeze",
    response_model=SegmentOut,
    status_code=201,
    summary="Take a snapshot of a segment",
    **operation(
        "segments.freeze",
        Scope.SEGMENTS_WRITE,
        problems=(NoSegment, NameTaken, *ONCE),
        **an_example(name="Чай, Казань, весна 2026"),
    ),
)
async def freeze_segment(
    segment_id: UUID, body: FreezeIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """A segment of its own that stays as it is: the members within your reach, now or at a past moment."""
    frozen = await patiently(lambda: services.segments.freeze(principal, segment_id, body.name, body.as_of, once))
    return await _show(services, principal, frozen, 201)
