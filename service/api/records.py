"""What is known about a record itself over HTTP: whose word its values are, how deep it is, who belongs to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, BadVersion, Input, Key, as_json, fragment
from service.api.services import Services
from service.domain.access import Principal, Reach, Scope
from service.domain.customers import provenance
from service.domain.customers.depth import FIELDS, Depth, lifts, missing
from service.domain.customers.depth import depth as depth_of
from service.domain.customers.errors import CustomerErased, NoCustomer
from service.domain.customers.history import filled
from service.domain.errors import Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.keeping.errors import LinkKnown, LinkToItself, NoLink, NothingToVerify
from service.domain.keeping.service import LinkKind, Verification

routes = router("customers")
# A million customers take a few seconds; a base ten times as large still gets its answer.
_TIMEOUT_MS = 30_000
_LINK = {"kind": "works_at", "other_id": "01990000-0000-7000-8000-000000000002"}


class FieldSource(BaseModel):
    field: str = Field(examples=["city"])
    source: str = Field(description="`api`, `import …`, `curator …` or `customer`.", examples=["api"])
    set_at: datetime
    verified_at: datetime | None = Field(description="When it was last found right; null where it never was.")


class ContactSource(BaseModel):
    detail_id: UUID
    kind: str = Field(examples=["phone"])
    value: str = Field(description="Masked.", examples=["+7 ••• ••• 67 89"])
    source: str = Field(examples=["api"])
    author_id: UUID | None
    set_at: datetime
    verified_at: datetime | None


class Sources(BaseModel):
    """Whose word each value of a record is. Fields that hold nothing are left out."""

    customer_id: UUID
    fields: list[FieldSource]
    contacts: list[ContactSource]


class VerifyIn(Input):
    """With neither fields nor contacts named, all that there are were found right."""

    fields: Annotated[list[Key], Field(max_length=200, examples=[["city", "birth_date"]])] | None = None
    contacts: Annotated[list[UUID], Field(max_length=50)] | None = Field(None, description="By `detail_id`.")
    by: Literal["staff", "customer"] = Field("staff", description="Who says so.")


class Missing(BaseModel):
    any_of: list[str] = Field(description="Any one of these is enough.", examples=[["requisites", "order"]])


class DepthOut(BaseModel):
    customer_id: UUID
    depth: Depth
    next: Depth | None = Field(description="The next depth; null for a record that has the last one.")
    missing: list[Missing] = Field(description="What stands in the way of the next depth.")
    lifts: list[str] = Field(description="Fields of which each alone would lift the record.", examples=[["curator"]])


class Lift(BaseModel):
    field: str = Field(examples=["requisites"])
    records: int = Field(description="Records that this field alone would lift.", examples=[1240])


class BaseDepth(BaseModel):
    reach: Reach = Field(description="What the numbers cover: your own customers, your teams', or all.")
    computed_at: datetime
    total: int = Field(examples=[8140])
    depths: dict[Depth, int] = Field(examples=[{"none": 12, "mailing": 3020, "accounting": 4200, "extended": 908}])
    lifts: list[Lift]


class LinkIn(Input):
    kind: LinkKind = Field(description="What this record is to the other one.")
    other_id: UUID


class LinkOut(BaseModel):
    kind: LinkKind
    direction: Literal["to", "from"] = Field(
        description="`to`: this record works at the other one; `from`: it employs."
    )
    other_id: UUID
    other_name: str = Field(examples=["ООО «Ромашка»"])
    other_kind: Literal["person", "organisation"]
    staff_id: UUID = Field(description="Who has linked them.")
    created_at: datetime


class LinksOut(BaseModel):
    items: list[LinkOut]


async def _sources(services: Services, principal: Principal, customer_id: UUID) -> Response:
    async with services.uow.begin(principal) as tx:
        row = await tx.history.sources(customer_id)
    if row is None:
        raise NoCustomer
    kept = provenance.restored(row["provenance"])
    fields = [_field(name, kept.of(name), row) for name in filled(row["record"])]
    return as_json({"customer_id": customer_id, "fields": fields, "contacts": fragment(row["contacts"])})


def _field(name: str, origin: provenance.Origin, row: Mapping[str, Any]) -> dict[str, Any]:
    made = f"import {row['import_id']}" if row["import_id"] else "api"
    source, set_at = origin.source or made, origin.set_at or row["created_at"]
    if name == "status" and row["status"]:
        source, set_at = row["status"]["source"], row["status"]["set_at"]
    if name in ("curator_id", "team_id") and row["owner"]:
        source, set_at = f"curator {row['owner']['staff_id']}", row["owner"]["set_at"]
    return {"field": name, "source": source, "set_at": set_at, "verified_at": origin.verified_at}


@routes.get(
    "/customers/{customer_id}/provenance",
    response_model=Sources,
    summary="Where the values of a customer come from",
    **operation("customers.provenance", Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
async def get_provenance(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """Source, time of setting and time of the last check of each value, contacts included."""
    return await _sources(services, principal, customer_id)


@routes.post(
    "/customers/{customer_id}/verify",
    response_model=Sources,
    summary="Say that values of a customer are right",
    **operation(
        "customers.verify",
        Scope.CUSTOMERS_WRITE,
        problems=(NoCustomer, CustomerErased, NothingToVerify, Precondition, BadVersion),
        requestBody={"content": {"application/json": {"example": {"fields": ["city", "given_name"]}}}},
    ),
)
async def verify_customer(
    customer_id: UUID, body: VerifyIn, principal: Caller, services: Wired, expected: Expected
) -> Response:
    """The curator (or the customer, asked by him) has looked at these values and found them right, today."""
    given = Verification(fields=body.fields, contacts=body.contacts, by_customer=body.by == "customer")
    await services.keeping.verify(principal, customer_id, given, expected)
    return await _sources(services, principal, customer_id)


@routes.get(
    "/customers/{customer_id}/depth",
    response_model=DepthOut,
    summary="How much a customer's record tells",
    **operation("customers.depth", Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
async def get_depth(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """`mailing`, `accounting` or `extended`, and what is missing for the next depth."""
    async with services.uow.begin(principal) as tx:
        facts = await tx.depth.facts(customer_id)
    if facts is None:
        raise NoCustomer
    following, needs = missing(facts)
    return as_json(
        {
            "customer_id": customer_id,
            "depth": depth_of(facts),
            "next": following,
            "missing": [{"any_of": need} for need in needs],
            "lifts": lifts(facts),
        }
    )


@routes.get(
    "/overview/depth",
    response_model=BaseDepth,
    summary="How much the base tells",
    **operation("overview.depth", Scope.CUSTOMERS_READ, takes_input=False),
)
async def get_base_depth(principal: Caller, services: Wired) -> Response:
    """How many records within your reach have each depth, and which field would lift how many of them."""
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        found = await tx.depth.base()
    depths = {name: found[name] for name in get_args(Depth)}
    ranked = sorted(FIELDS, key=lambda field: (-found[field], field))
    return as_json(
        {
            "reach": principal.reach,
            "computed_at": services.clock.now(),
            "total": sum(depths.values()),
            "depths": depths,
            "lifts": [{"field": field, "records": found[field]} for field in ranked],
        }
    )


async def _links(services: Services, principal: Principal, customer_id: UUID, status: int = 200) -> Response:
    async with services.uow.begin(principal) as tx:
        if await tx.customers.card(customer_id) is None:
            raise NoCustomer
        return as_json({"items": [dict(row) for row in await tx.links.of(customer_id)]}, status)


@routes.get(
    "/customers/{customer_id}/links",
    response_model=LinksOut,
    summary="List the links of a customer",
    **operation("customers.links", Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
async def list_links(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """Where he works, whom he lives with, who sent him; links to records out of your reach are not shown."""
    return await _links(services, principal, customer_id)


@routes.post(
    "/customers/{customer_id}/links",
    response_model=LinksOut,
    status_code=201,
    summary="Link two customers",
    **operation(
        "customers.link",
        Scope.CUSTOMERS_WRITE,
        problems=(NoCustomer, LinkToItself, LinkKnown, CustomerErased, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": _LINK}}},
    ),
)
async def link_customers(
    customer_id: UUID, body: LinkIn, principal: Caller, services: Wired, once: OnceKey
) -> Response:
    """Both records have to be within your reach; the answer holds all links of the record."""
    await patiently(lambda: services.keeping.link(principal, customer_id, body.kind, body.other_id, once))
    return await _links(services, principal, customer_id, 201)


@routes.delete(
    "/customers/{customer_id}/links",
    status_code=204,
    summary="Take a link away",
    **operation("customers.unlink", Scope.CUSTOMERS_WRITE, problems=(NoLink, CustomerErased)),
)
async def unlink_customers(
    customer_id: UUID,
    kind: Annotated[LinkKind, Query()],
    other_id: Annotated[UUID, Query()],
    principal: Caller,
    services: Wired,
) -> Response:
    """The link of this record to the other one, as it was made."""
    await services.keeping.unlink(principal, customer_id, kind, other_id)
    return Response(status_code=204)
