"""Duplicates over HTTP: clusters of records that are probably one, why each pair is, and the marks that part two."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import OnceKey, Wired, patiently
from service.api.jobs import JobOut, job_card
from service.api.paging import BadCursor, Cursor, Limit, decode, encode, page_size
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Page, as_json, fragment
from service.api.services import Services
from service.domain.access import Scope
from service.domain.customers.errors import NoCustomer
from service.domain.customers.search import ProbesUsedUp
from service.domain.duplicates.model import BaseReachNeeded, NoCluster, NotMarked, SameRecord
from service.domain.idempotency import KeyReused, StillRunning

routes = router("quality")
_ONCE = (KeyReused, StillRunning, BadIdempotencyKey)
_READ = (Scope.QUALITY_READ, Scope.CUSTOMERS_READ)
_ONE, _OTHER = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"
Kind = Annotated[Literal["person", "organisation"] | None, Query()]


class StepOut(BaseModel):
    """One bar of a waterfall."""

    comparison: str = Field(examples=["phone"])
    level: str = Field(description="How alike the values are; what they are is not told.", examples=["same"])
    weight: float = Field(description="In bits: each one doubles the odds, or halves them below zero.", examples=[9.4])


class PairOut(BaseModel):
    """Two records that may be one, and why."""

    first_id: UUID
    second_id: UUID
    weight: float = Field(description="The sum of the waterfall.", examples=[21.7])
    probability: float = Field(examples=[0.9998])
    waterfall: list[StepOut] = Field(description="From the odds of any two records, step by step.")
    never_merge: bool = Field(description="Somebody has said that they are not the same.")
    found_at: datetime


class MaskedContact(BaseModel):
    kind: str = Field(examples=["phone"])
    value: str = Field(examples=["+7 ••• ••• 12 34"])


class MemberOut(BaseModel):
    customer_id: UUID
    kind: Literal["person", "organisation"]
    display_name: str
    status: Literal["prospect", "customer", "lapsed", "archived"]
    city: str | None
    curator_id: UUID | None
    team_id: UUID | None
    version: int
    created_at: datetime
    contacts: list[MaskedContact]


class ClusterOut(BaseModel):
    """Records that are probably one, as far as you reach them."""

    cluster_id: UUID = Field(description="Stays while records come and go.")
    records: list[MemberOut]
    pairs: list[PairOut]


class LikesOut(BaseModel):
    """The likes of one record within your reach."""

    customer_id: UUID
    cluster_id: UUID | None = Field(description="Null when no like of it within your reach counts as the same.")
    pairs: list[PairOut]
    matched_at: datetime | None = Field(description="When changed records were last compared.")


class TeamBrief(BaseModel):
    team_id: UUID
    name: str


class ElsewhereOut(BaseModel):
    """Somebody else holds a record that is probably the same."""

    kind: Literal["person", "organisation"]
    team: TeamBrief | None = Field(description="Whose head to ask; null: of no team, ask the head of all.")
    request_token: str = Field(description="For POST /v1/access-requests, within a day.")


class ElsewhereListOut(BaseModel):
    items: list[ElsewhereOut]


class MarkIn(Input):
    customer_id: UUID
    other_id: UUID


class MarkOut(BaseModel):
    first_id: UUID
    second_id: UUID
    staff_id: UUID = Field(description="Who has said so.")
    created_at: datetime


def _after(cursor: str | None, *names: str) -> tuple[UUID, ...] | None:
    if cursor is None:
        return None
    position = decode(cursor, *names)
    try:
        return tuple(UUID(position[name]) for name in names)
    except (ValueError, AttributeError, TypeError):
        raise BadCursor(pointer="/cursor") from None


def _cluster(row: Any) -> dict[str, Any]:
    return {"cluster_id": row["cluster_id"], "records": fragment(row["records"]), "pairs": fragment(row["pairs"])}


async def _found(services: Services, principal: Caller, cluster_id: UUID) -> dict[str, Any]:
    async with services.uow.begin(principal) as tx:
        row = await tx.duplicates.cluster(cluster_id)
    if row is None:
        raise NoCluster
    return _cluster(row)


@routes.get(
    "/quality/duplicates",
    response_model=Page[ClusterOut],
    summary="List duplicates",
    **operation("duplicates.list", *_READ, problems=(BadCursor,)),
)
async def list_duplicates(
    principal: Caller, services: Wired, kind: Kind = None, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """Clusters with at least two records within your reach, the newest first; each pair says why. Records of others
    are not shown, and not counted."""
    limit = page_size(principal, limit)
    after = _after(cursor, "after")
    services.activity.listed(principal, None, {"duplicates": kind}, further=cursor is not None)
    async with services.uow.begin(principal, timeout_ms=30_000) as tx:
        rows = await tx.duplicates.page(after=after[0] if after else None, limit=limit + 1, kind=kind)
    more = encode({"after": rows[limit - 1]["cluster_id"]}) if len(rows) > limit else None
    return as_json({"items": [_cluster(row) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.post(
    "/quality/duplicates/scan",
    response_model=JobOut,
    status_code=202,
    summary="Search the whole base for duplicates",
    **operation("duplicates.scan", Scope.QUALITY_WRITE, takes_input=False, problems=(BaseReachNeeded, *_ONCE)),
)
async def scan(principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A job that learns how telling agreements are in this base and compares all records anew. New and changed records
    are compared within seconds without it. While one is under way, it is answered."""
    job_id = await patiently(lambda: services.duplicates.start(principal, once))
    return as_json(await job_card(services, principal, job_id), 202, {"Location": f"/v1/jobs/{job_id}"})


@routes.get(
    "/quality/duplicates/{cluster_id}",
    response_model=ClusterOut,
    summary="Read a cluster of duplicates",
    **operation("duplicates.get", *_READ, problems=(NoCluster,)),
)
async def get_cluster(cluster_id: UUID, principal: Caller, services: Wired) -> Response:
    """The records of a cluster that you reach, if there are two or more, and why they are taken for one."""
    return as_json(await _found(services, principal, cluster_id), headers={"Cache-Control": "no-store"})


@routes.get(
    "/customers/{customer_id}/duplicates",
    response_model=LikesOut,
    summary="Read the duplicates of a customer",
    **operation("customers.duplicates", *_READ, problems=(NoCustomer,)),
)
async def of_customer(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """The records within your reach that may be the same as this one, the likeliest first."""
    async with services.uow.begin(principal) as tx:
        row = await tx.duplicates.of_customer(customer_id)
        if row is None:
            raise NoCustomer
        state = await tx.duplicates.state()
    shown = {"customer_id": customer_id, "cluster_id": row["cluster_id"], "pairs": fragment(row["pairs"])}
    return as_json(shown | {"matched_at": state["matched_at"]}, headers={"Cache-Control": "no-store"})


@routes.post(
    "/customers/{customer_id}/duplicates/elsewhere",
    response_model=ElsewhereListOut,
    summary="Ask who else has a customer",
    **operation("customers.duplicates_elsewhere", *_READ, problems=(NoCustomer, ProbesUsedUp)),
)
async def elsewhere(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """Whether others hold a record that is the same as this one of yours: only that there is one, whose head to ask,
    and a pass to ask for it. Counts against your probes, and is written down."""
    items = await services.duplicates.elsewhere(principal, customer_id)
    return as_json({"items": items}, headers={"Cache-Control": "no-store"})


@routes.get(
    "/quality/never-merge",
    response_model=Page[MarkOut],
    summary="List the pairs that are never to be merged",
    **operation("duplicates.marks", *_READ, problems=(BadCursor,)),
)
async def list_marks(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Marks on records of which you reach both."""
    after = _after(cursor, "first_id", "second_id")
    async with services.uow.begin(principal) as tx:
        rows = await tx.duplicates.marks((after[0], after[1]) if after else None, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    more = encode({name: last[name] for name in ("first_id", "second_id")}) if last else None
    return as_json({"items": [dict(row) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.post(
    "/quality/never-merge",
    response_model=MarkOut,
    status_code=201,
    summary="Say that two customers are not the same",
    **operation(
        "duplicates.mark",
        Scope.QUALITY_WRITE,
        Scope.CUSTOMERS_READ,
        problems=(NoCustomer, NotMarked, SameRecord, *_ONCE),
        requestBody={"content": {"application/json": {"example": {"customer_id": _ONE, "other_id": _OTHER}}}},
    ),
)
async def mark(body: MarkIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Both leave their common cluster and are never proposed as one, whatever is found in common; saying it again
    changes nothing."""
    made = await patiently(lambda: services.duplicates.mark(principal, body.customer_id, body.other_id, once))
    return as_json(dict(made), 201)


@routes.delete(
    "/quality/never-merge/{customer_id}/{other_id}",
    status_code=204,
    summary="Take back that two customers are not the same",
    **operation("duplicates.unmark", Scope.QUALITY_WRITE, Scope.CUSTOMERS_READ, problems=(NotMarked,)),
)
async def unmark(customer_id: UUID, other_id: UUID, principal: Caller, services: Wired) -> Response:
    """In either order; what speaks for the two counts again."""
    await services.duplicates.unmark(principal, customer_id, other_id)
    return Response(status_code=204)
