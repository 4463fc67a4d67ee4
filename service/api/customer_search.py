"""Lists of customers over HTTP: filters, words, and one exact contact."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import ValidationError

from service.api.customer_schemas import Customer, CustomerQuery, CustomerSearch
from service.api.customers import identifier
from service.api.deps import Wired
from service.api.paging import BadCursor, decode, encode
from service.api.problems import InvalidRequest, pointer
from service.api.routing import Caller, hot, operation, router
from service.api.schemas import Page, as_json, fragment
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.contacts import InvalidContact
from service.domain.customers.model import ContactInput
from service.domain.customers.names import query_tokens

routes = router("customers")


def card(row: Mapping[str, Any]) -> dict[str, Any]:
    """The wire form of a row; nested lists come as JSON that the database has written."""
    shown = dict(row)
    shown.pop("sort_name", None)
    for name in ("attributes", "external_ids", "contacts", "status_at", "restricted_at", "created_at", "updated_at"):
        shown[name] = fragment(shown[name] or "null")
    return shown


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
        rows = await tx.search.page(filters, words, sort=query.sort, after=after, limit=query.limit + 1)
        count = await tx.search.count(filters, words) if query.count else None
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
    "/customers",
    response_model=Page[Customer],
    summary="List customers",
    **operation("customers.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
@hot(_list_fast)
async def list_customers(query: Annotated[CustomerQuery, Query()]) -> None:
    """A page of the records within your reach."""


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
