"""Customers over HTTP: records with masked contacts, batches, and contacts in clear."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import Field, TypeAdapter, ValidationError

from service.api.customer_schemas import (
    BatchOut,
    ChangedCustomer,
    CreatedCustomer,
    Customer,
    CustomerFields,
    StatedBy,
)
from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.problems import InvalidRequest, pointer
from service.api.redirects import elsewhere
from service.api.routing import Caller, hot, operation, router
from service.api.schemas import (
    BadIdempotencyKey,
    BadVersion,
    Input,
    Json,
    Key,
    Source,
    as_json,
    problem_item,
)
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.attributes import BadAttribute
from service.domain.customers.contacts import InvalidContact, InvalidEmail, InvalidPhone, InvalidRequisite
from service.domain.customers.errors import (
    CustomerErased,
    CustomerHasOrders,
    ExternalIdTaken,
    NameMissing,
    NoCustomer,
    OutsideOwnReach,
    RepeatedInBatch,
)
from service.domain.customers.finding import Match, PossibleDuplicate
from service.domain.customers.model import ExternalId
from service.domain.customers.search import ProbesUsedUp
from service.domain.customers.service import Draft
from service.domain.errors import DomainError, Precondition, UnknownReference
from service.domain.idempotency import KeyReused, Once, StillRunning
from service.domain.quality.policy import DataRefused

routes = router("customers")
# Whoever is overtaken so often by others with the same contact is told that there are such.
_LOOKS = 3
_EXAMPLE = {
    "kind": "person",
    "family_name": "Иванова",
    "given_name": "Мария",
    "city": "Казань",
    "tags": ["vip"],
    "external_ids": [{"source": "shop", "external_id": "C-1001"}],
    "contacts": [{"kind": "phone", "value": "+7 912 345-67-89"}, {"kind": "email", "value": "maria@example.com"}],
}


def _etag(version: str) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


async def _show(services: Services, principal: Principal, customer_id: UUID, status: int = 200) -> Response:
    found = await services.uow.customer_card(principal, customer_id)
    if found is None:
        raise NoCustomer
    version, text = found
    headers = _etag(version)
    if status == 201:
        headers["Location"] = f"/v1/customers/{customer_id}"
    return Json(text.encode(), status, headers)


def identifier(text: str, missing: type[DomainError]) -> UUID:
    """The id in a path; what is no id is no record either."""
    try:
        return UUID(text)
    except ValueError:
        raise missing from None


async def _get_fast(request: Request) -> Response:
    services: Services = request.app.state.services
    principal, customer_id = request.scope["principal"], identifier(request.path_params["customer_id"], NoCustomer)
    try:
        shown = await _show(services, principal, customer_id)
    except NoCustomer as missing:
        return await elsewhere(request, missing)
    services.activity.card(principal, customer_id)
    return shown


@routes.get(
    "/customers/{customer_id}",
    response_model=Customer,
    summary="Read a customer",
    **operation("customers.get", Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
@hot(_get_fast)
async def get_customer(customer_id: UUID) -> None:
    """One record within your reach, contacts masked. The ETag is its version."""


@routes.post(
    "/customers",
    response_model=CreatedCustomer,
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
            PossibleDuplicate,
            ProbesUsedUp,
            InvalidContact,
            DataRefused,
            InvalidEmail,
            InvalidPhone,
            InvalidRequisite,
            BadAttribute,
            KeyReused,
            StillRunning,
            BadIdempotencyKey,
        ),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def create_customer(
    body: CustomerFields,
    principal: Caller,
    services: Wired,
    once: OnceKey,
    on_duplicate: Literal["allow", "warn", "refuse"] = "allow",
    by: StatedBy = "staff",
) -> Response:
    """A new record. With an Idempotency-Key, the same request twice makes one record; `by` says whose word it is.

    With `on_duplicate=warn` or `refuse`, records of the tenant with the same contact or requisite are named first."""
    draft = body.draft(by=by)
    matches: Sequence[Match] = ()
    if on_duplicate == "allow":
        customer_id = await patiently(lambda: services.customers.create(principal, draft, once))
    else:
        customer_id, matches = await _created_beside(services, principal, draft, once, on_duplicate)
    shown = await _warned(services, principal, customer_id, await _show(services, principal, customer_id, 201))
    return _with(shown, "possible_duplicates", [match.told() for match in matches]) if matches else shown


async def _warned(services: Services, principal: Principal, customer_id: UUID, shown: Response) -> Response:
    """The answer to a write with what is wrong with the record, where the tenant wants to be told."""
    found = await services.verdicts.warned(principal, customer_id)
    return shown if found is None else _with(shown, "quality_issues", [dict(one) for one in found])


def _with(shown: Response, name: str, told: Sequence[Mapping[str, Any]]) -> Response:
    """A record's answer with one member more."""
    body = bytes(shown.body)[:-1] + f',"{name}":'.encode() + bytes(as_json(told).body) + b"}"
    headers = {said: shown.headers[said] for said in ("ETag", "Location") if said in shown.headers}
    return Json(body, shown.status_code, headers)


async def _created_beside(
    services: Services, principal: Principal, draft: Draft, once: Once | None, on_duplicate: Literal["warn", "refuse"]
) -> tuple[UUID, Sequence[Match]]:
    """A new record, and those that are like it; one that came in between the look and the writing is looked at too."""
    for _ in range(_LOOKS):
        matches = await patiently(lambda: services.finding.duplicates(principal, draft, once))
        if matches and on_duplicate == "refuse":
            raise PossibleDuplicate(possible_duplicates=[match.told() for match in matches])
        create = partial(services.customers.create, principal, draft, once, alone=not matches)
        with suppress(PossibleDuplicate):
            return await patiently(create), matches
    raise PossibleDuplicate


@routes.patch(
    "/customers/{customer_id}",
    response_model=ChangedCustomer,
    summary="Change a customer",
    **operation(
        "customers.update",
        Scope.CUSTOMERS_WRITE,
        problems=(
            NoCustomer,
            CustomerErased,
            Precondition,
            BadVersion,
            NameMissing,
            OutsideOwnReach,
            UnknownReference,
            ExternalIdTaken,
            InvalidContact,
            DataRefused,
            InvalidEmail,
            InvalidPhone,
            BadAttribute,
        ),
        requestBody={"content": {"application/json": {"example": {"city": "Москва", "trade_name": None}}}},
    ),
)
async def update_customer(
    customer_id: UUID,
    body: CustomerFields,
    principal: Caller,
    services: Wired,
    expected: Expected,
    by: StatedBy = "staff",
) -> Response:
    """JSON Merge Patch: named fields are set, null clears one, a list replaces the list. Send If-Match to be safe;
    `by` says whose word it is."""
    await services.customers.change(principal, customer_id, body.draft(by=by), expected)
    return await _warned(services, principal, customer_id, await _show(services, principal, customer_id))


@routes.delete(
    "/customers/{customer_id}",
    status_code=204,
    summary="Delete a customer",
    **operation(
        "customers.delete",
        Scope.CUSTOMERS_DELETE,
        problems=(NoCustomer, CustomerErased, CustomerHasOrders, Precondition, BadVersion),
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
        creates=Customer,
        problems=(
            NameMissing,
            OutsideOwnReach,
            ExternalIdTaken,
            InvalidContact,
            DataRefused,
            InvalidEmail,
            InvalidPhone,
            BadAttribute,
        ),
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
