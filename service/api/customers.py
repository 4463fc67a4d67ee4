"""Customers over HTTP: records with masked contacts, lists, search, batches, and contacts in clear."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.paging import BadCursor, decode, encode
from service.api.problems import InvalidRequest, pointer
from service.api.routing import Caller, hot, operation, router
from service.api.schemas import (
    Attributes,
    BadIdempotencyKey,
    BadVersion,
    Input,
    Key,
    LongText,
    Page,
    ProblemItem,
    Source,
    Text,
    as_json,
    fragment,
    problem_item,
)
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.contacts import InvalidContact, InvalidEmail, InvalidPhone, InvalidRequisite
from service.domain.customers.errors import (
    CustomerHasOrders,
    ExternalIdTaken,
    NameMissing,
    NoCustomer,
    OutsideOwnReach,
    RepeatedInBatch,
)
from service.domain.customers.model import ContactInput, ExternalId
from service.domain.customers.names import query_tokens
from service.domain.customers.service import Draft
from service.domain.errors import DomainError, Precondition, UnknownReference
from service.domain.idempotency import KeyReused, StillRunning

routes = router("customers")
_EXAMPLE = {
    "kind": "person",
    "family_name": "Иванова",
    "given_name": "Мария",
    "city": "Казань",
    "tags": ["vip"],
    "external_ids": [{"source": "shop", "external_id": "C-1001"}],
    "contacts": [{"kind": "phone", "value": "+7 912 345-67-89"}, {"kind": "email", "value": "maria@example.com"}],
}


class ContactIn(Input):
    kind: Literal["email", "phone", "messenger", "street", "inn", "kpp", "ogrn", "bic", "account", "vat", "iban"]
    value: Annotated[str, Field(min_length=1, max_length=320)]
    label: Text | None = None
    is_primary: bool = False


class ExternalIdIn(Input):
    external_id: Key
    source: Source = ""


class CustomerFields(Input):
    """The fields of a record that may be written; null clears one."""

    kind: Literal["person", "organisation"] | None = None
    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    family_name: Text | None = None
    given_name: Text | None = None
    patronymic: Text | None = None
    legal_name: Text | None = None
    trade_name: Text | None = None
    birth_date: date | None = None
    gender: Literal["female", "male"] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    country: Text | None = None
    region: Text | None = None
    city: Text | None = None
    postal_code: Text | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    channel_id: UUID | None = None
    tags: Annotated[list[Text], Field(max_length=50)] | None = None
    attributes: Attributes | None = None
    external_ids: Annotated[list[ExternalIdIn], Field(max_length=20)] = Field(default_factory=list)
    contacts: Annotated[list[ContactIn], Field(max_length=50)] | None = None

    def draft(self) -> Draft:
        changes = self.model_dump(exclude_unset=True, exclude={"external_ids", "contacts"})
        contacts = self.contacts if "contacts" in self.model_fields_set else None
        return Draft(
            changes=changes,
            contacts=None if contacts is None else [ContactInput(**one.model_dump()) for one in contacts],
            external_ids=tuple(ExternalId(**one.model_dump()) for one in self.external_ids),
        )


class ContactOut(BaseModel):
    detail_id: UUID
    kind: str
    value: str = Field(description="Masked.", examples=["+7 ••• ••• 67 89"])
    label: str | None
    is_primary: bool
    verdict: Literal["valid", "possible", "invalid"]
    verified_at: datetime | None


class ExternalIdOut(BaseModel):
    source: str
    external_id: str


class Customer(BaseModel):
    """A record with its contacts masked."""

    customer_id: UUID
    display_name: str
    kind: Literal["person", "organisation"]
    status: Literal["prospect", "customer", "lapsed", "archived"]
    family_name: str | None
    given_name: str | None
    patronymic: str | None
    legal_name: str | None
    trade_name: str | None
    birth_date: date | None
    gender: Literal["female", "male"] | None
    language: str | None
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None
    curator_id: UUID | None
    team_id: UUID | None
    channel_id: UUID | None
    tags: list[str]
    attributes: dict[str, Any]
    external_ids: list[ExternalIdOut]
    contacts: list[ContactOut]
    version: int
    created_at: datetime
    updated_at: datetime


class CustomerQuery(Input):
    """Filters of a list; each narrows it."""

    q: Annotated[str, Field(max_length=200)] | None = Field(None, description="Words; each begins a word of the name.")
    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    kind: Literal["person", "organisation"] | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    city: Text | None = None
    region: Text | None = None
    channel: Text | None = Field(None, description="Code of the acquisition channel.")
    tag: Text | None = None
    sort: Literal["-created", "created", "name", "-name"] = "-created"
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=1000)] | None = None
    count: Literal["exact"] | None = Field(None, description="Ask for the count within your reach.")

    @property
    def filters(self) -> dict[str, object]:
        return {
            name: getattr(self, name)
            for name in ("status", "kind", "curator_id", "team_id", "city", "region", "channel", "tag")
            if getattr(self, name) is not None
        }


class ContactExact(Input):
    """A whole contact, looked up by its normal form."""

    kind: Literal["email", "phone", "messenger", "inn"]
    value: Annotated[str, Field(min_length=1, max_length=320)]


class CustomerSearch(CustomerQuery):
    contact: ContactExact | None = None


class BatchItemOut(BaseModel):
    index: int
    outcome: Literal["created", "updated", "refused", "skipped"]
    customer_id: UUID | None
    problem: ProblemItem | None


class BatchOut(BaseModel):
    created: int
    updated: int
    refused: int
    items: list[BatchItemOut]


class RevealIn(Input):
    reason: Annotated[LongText, Field(min_length=3, examples=["The customer asked to be called back."])]


class ClearContact(BaseModel):
    detail_id: UUID
    kind: str
    label: str | None
    value: str
    normal: str
    verdict: str


class Revealed(BaseModel):
    customer_id: UUID
    contacts: list[ClearContact]


def card(row: Mapping[str, Any]) -> dict[str, Any]:
    """The wire form of a row; nested lists come as JSON that the database has written."""
    shown = dict(row)
    shown.pop("sort_name", None)
    shown["external_ids"] = fragment(shown["external_ids"])
    shown["contacts"] = fragment(shown["contacts"])
    return shown


def _etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


async def _show(services: Services, principal: Principal, customer_id: UUID, status: int = 200) -> Response:
    async with services.uow.begin(principal) as tx:
        row = await tx.customers.card(customer_id)
    if row is None:
        raise NoCustomer
    headers = _etag(row["version"])
    if status == 201:
        headers["Location"] = f"/v1/customers/{customer_id}"
    return as_json(card(row), status, headers)


def identifier(text: str, missing: type[DomainError]) -> UUID:
    """The id in a path; what is no id is no record either."""
    try:
        return UUID(text)
    except ValueError:
        raise missing from None


async def _get_fast(request: Request) -> Response:
    services: Services = request.app.state.services
    customer_id = identifier(request.path_params["customer_id"], NoCustomer)
    return await _show(services, request.scope["principal"], customer_id)


async def _list_fast(request: Request) -> Response:
    try:
        query = CustomerQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        found = [{"pointer": pointer(one["loc"]), "detail": one["msg"]} for one in error.errors()]
        raise InvalidRequest(found[0]["detail"], errors=found) from None
    return await _page(request.app.state.services, request.scope["principal"], query, {})


async def _page(
    services: Services, principal: Principal, query: CustomerQuery, extra: Mapping[str, object]
) -> Response:
    filters = {**query.filters, **extra}
    words = query_tokens(query.q) if query.q else ()
    after = _position(query)
    async with services.uow.begin(principal) as tx:
        rows = await tx.customers.page(filters, words, sort=query.sort, after=after, limit=query.limit + 1)
        count = await tx.customers.count(filters, words) if query.count else None
    cursor = None
    if len(rows) > query.limit:
        last = rows[query.limit - 1]
        position = {"after_id": last["customer_id"]}
        if "name" in query.sort:
            position["after_name"] = last["sort_name"]
        cursor = encode(position)
    page = {"items": [card(row) for row in rows[: query.limit]], "next_cursor": cursor, "count": count}
    return as_json(page)


def _position(query: CustomerQuery) -> dict[str, object] | None:
    if query.cursor is None:
        return None
    names = ("after_id", "after_name") if "name" in query.sort else ("after_id",)
    position = decode(query.cursor, *names)
    if not all(isinstance(value, str) for value in position.values()):
        raise BadCursor(pointer="/cursor")
    return position | {"after_id": identifier(position["after_id"], BadCursor)}


@routes.get(
    "/customers/{customer_id}",
    response_model=Customer,
    summary="Read a customer",
    **operation("customers.get", Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
@hot(_get_fast)
async def get_customer(customer_id: UUID) -> None:
    """One record within your reach, contacts masked. The ETag is its version."""


@routes.get(
    "/customers",
    response_model=Page[Customer],
    summary="List customers",
    **operation("customers.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
@hot(_list_fast)
async def list_customers(query: Annotated[CustomerQuery, Query()]) -> None:
    """A page of the records within your reach."""


@routes.post(
    "/customers",
    response_model=Customer,
    status_code=201,
    summary="Create a customer",
    **operation(
        "customers.create",
        Scope.CUSTOMERS_WRITE,
        problems=(
            NameMissing,
            OutsideOwnReach,
            UnknownReference,
            ExternalIdTaken,
            InvalidContact,
            InvalidEmail,
            InvalidPhone,
            InvalidRequisite,
            KeyReused,
            StillRunning,
            BadIdempotencyKey,
        ),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def create_customer(body: CustomerFields, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A new record. With an Idempotency-Key, the same request twice makes one record."""
    customer_id = await patiently(lambda: services.customers.create(principal, body.draft(), once))
    return await _show(services, principal, customer_id, 201)


@routes.patch(
    "/customers/{customer_id}",
    response_model=Customer,
    summary="Change a customer",
    **operation(
        "customers.update",
        Scope.CUSTOMERS_WRITE,
        problems=(
            NoCustomer,
            Precondition,
            BadVersion,
            NameMissing,
            OutsideOwnReach,
            UnknownReference,
            ExternalIdTaken,
            InvalidContact,
            InvalidEmail,
            InvalidPhone,
        ),
        requestBody={"content": {"application/json": {"example": {"city": "Москва", "trade_name": None}}}},
    ),
)
async def update_customer(
    customer_id: UUID, body: CustomerFields, principal: Caller, services: Wired, expected: Expected
) -> Response:
    """JSON Merge Patch: named fields are set, null clears one, a list replaces the list. Send If-Match to be safe."""
    await services.customers.change(principal, customer_id, body.draft(), expected)
    return await _show(services, principal, customer_id)


@routes.delete(
    "/customers/{customer_id}",
    status_code=204,
    summary="Delete a customer",
    **operation(
        "customers.delete", Scope.CUSTOMERS_DELETE, problems=(NoCustomer, CustomerHasOrders, Precondition, BadVersion)
    ),
)
async def delete_customer(customer_id: UUID, principal: Caller, services: Wired, expected: Expected) -> Response:
    """Remove a record that has no purchases, with its contacts."""
    await services.customers.remove(principal, customer_id, expected)
    return Response(status_code=204)


@routes.put(
    "/customers/by-external-id/{external_id:path}",
    response_model=Customer,
    summary="Create or change a customer by external id",
    **operation(
        "customers.put_by_external_id",
        Scope.CUSTOMERS_WRITE,
        problems=(NameMissing, OutsideOwnReach, ExternalIdTaken, InvalidContact, InvalidEmail, InvalidPhone),
        requestBody={"content": {"application/json": {"example": {"family_name": "Иванова", "city": "Казань"}}}},
    ),
)
async def put_customer(
    external_id: Key, body: CustomerFields, principal: Caller, services: Wired, source: Source = ""
) -> Response:
    """Create the record of an external id, or set the fields that the body names; what it leaves out is kept."""
    customer_id, created = await services.customers.put(
        principal, ExternalId(source=source, external_id=external_id), body.draft()
    )
    return await _show(services, principal, customer_id, 201 if created else 200)


class BatchIn(Input):
    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10_000)]


_FIELDS_OF = TypeAdapter(CustomerFields)


def _draft(index: int, item: dict[str, Any]) -> Draft | DomainError:
    try:
        return _FIELDS_OF.validate_python(item).draft()
    except ValidationError as error:
        found = [{"pointer": f"/items/{index}{pointer(one['loc'])}", "detail": one["msg"]} for one in error.errors()]
        return InvalidRequest(found[0]["detail"], errors=found)


@routes.post(
    "/customers/batch",
    response_model=BatchOut,
    summary="Create or change many customers",
    **operation(
        "customers.batch",
        Scope.CUSTOMERS_WRITE,
        problems=(RepeatedInBatch, ExternalIdTaken, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": {"items": [_EXAMPLE]}}}},
    ),
)
async def batch_customers(
    body: BatchIn, principal: Caller, services: Wired, once: OnceKey, atomic: bool = False
) -> Response:
    """Up to 10 000 records by external id in one transaction. Good items are written, the others say why;
    with `atomic=true` it is all or none."""
    drafts = [_draft(index, item) for index, item in enumerate(body.items)]
    results = await patiently(lambda: services.customers.batch(principal, drafts, atomic=atomic, once=once))
    items = [
        {
            "index": one.index,
            "outcome": one.outcome,
            "customer_id": one.customer_id,
            "problem": problem_item(one.problem),
        }
        for one in results
    ]
    return as_json(summary(items))


def summary(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer of a batch: how many of each outcome, then item by item."""
    outcomes = [item["outcome"] for item in items]
    return {name: outcomes.count(name) for name in ("created", "updated", "refused")} | {"items": items}


@routes.post(
    "/customers/search",
    response_model=Page[Customer],
    summary="Search customers",
    **operation(
        "customers.search",
        Scope.CUSTOMERS_READ,
        problems=(BadCursor, InvalidContact),
        requestBody={"content": {"application/json": {"example": {"q": "иван", "city": "Казань", "limit": 20}}}},
    ),
)
async def search_customers(body: CustomerSearch, principal: Caller, services: Wired) -> Response:
    """Words and filters, or one exact contact: a contact is found by its whole normal form alone."""
    extra: dict[str, object] = {}
    if body.contact is not None:
        contact = services.customers.contact(ContactInput(kind=body.contact.kind, value=body.contact.value))
        extra["lookup"] = contact.lookup
    return await _page(services, principal, body, extra)


@routes.post(
    "/customers/{customer_id}/reveal",
    response_model=Revealed,
    summary="Show contacts in clear",
    **operation(
        "customers.reveal",
        Scope.CUSTOMERS_READ,
        Scope.CONTACTS_REVEAL,
        problems=(NoCustomer,),
        requestBody={"content": {"application/json": {"example": {"reason": "Call back about order 1001"}}}},
    ),
)
async def reveal_contacts(customer_id: UUID, body: RevealIn, principal: Caller, services: Wired) -> Response:
    """Contact details and requisites in clear, with a reason; each look is written into the audit trail first."""
    rows = await services.customers.reveal(principal, customer_id, body.reason)
    contacts = [{name: value for name, value in row.items() if name != "customer_id"} for row in rows]
    return as_json({"customer_id": customer_id, "contacts": contacts}, headers={"Cache-Control": "no-store"})
