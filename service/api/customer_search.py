"""Lists of customers over HTTP: filters, words, and one exact contact."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from service.api.customer_schemas import CustomerPage, CustomerQuery, CustomerSearch
from service.api.customers import identifier
from service.api.deps import Wired
from service.api.paging import BadCursor, bounded, decode, encode
from service.api.problems import InvalidRequest, pointer
from service.api.routing import Caller, hot, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, rule_of
from service.api.schemas import as_json, fragment
from service.api.services import ApiTransaction, Services
from service.domain.access import Principal, Scope
from service.domain.customers.contacts import InvalidContact
from service.domain.customers.model import ContactInput
from service.domain.customers.search import Place, ProbesUsedUp, Sought, sought
from service.domain.rules.model import Asked

routes = router("customers")
# A rule with a period goes through the orders of a large base.
_RULE_TIMEOUT_MS = 60_000
QueryT = TypeVar("QueryT", bound=CustomerQuery)


def card(row: Mapping[str, Any]) -> dict[str, Any]:
    """The wire form of a row; nested lists come as JSON that the database has written."""
    shown = dict(row)
    shown.pop("sort_name", None)
    for name in ("attributes", "external_ids", "contacts", "status_at", "restricted_at", "created_at", "updated_at"):
        if name in shown:
            shown[name] = fragment(shown[name] or "null")
    return shown


async def _list_fast(request: Request) -> Response:
    try:
        query = CustomerQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        found = [{"pointer": pointer(one["loc"]), "detail": one["msg"]} for one in error.errors()]
        raise InvalidRequest(found[0]["detail"], errors=found) from None
    return await _page(request.app.state.services, request.scope["principal"], query)


def _allowed(principal: Principal, query: QueryT) -> QueryT:
    """The query with a page that its caller may have, where he may ask it."""
    if query.segment_id is not None:
        principal.require(Scope.SEGMENTS_READ)
    return bounded(principal, query)


async def _page(services: Services, principal: Principal, query: CustomerQuery) -> Response:
    query = _allowed(principal, query)
    what = sought(query.q)
    word = next(iter(what.words), None)
    services.activity.listed(principal, word, query.filters, further=query.cursor is not None)
    if what.words and query.sort in (None, "relevance"):
        return await _relevant(services, principal, query, what)
    sort = query.sort or "-created"
    after = _position(query, sort)
    named = query.chosen
    fields = named if named is None or "name" not in sort else (*named, "sort_name")
    async with services.uow.begin(principal) as tx:
        rows = await tx.search.page(
            query.filters, what.words, sort=sort, after=after, limit=query.limit + 1, fields=fields
        )
        count = await _count(tx, query, what)
    cursor = None
    if len(rows) > query.limit:
        last = rows[query.limit - 1]
        position = {"after_id": last["customer_id"]}
        if "name" in sort:
            position["after_name"] = last["sort_name"]
        cursor = encode(position)
    return as_json({"items": [card(row) for row in rows[: query.limit]], "next_cursor": cursor, "count": count})


async def _relevant(services: Services, principal: Principal, query: CustomerQuery, what: Sought) -> Response:
    after = _place(query)
    async with services.uow.begin(principal) as tx:
        found = await tx.search.found(query.filters, what, after=after, limit=query.limit + 1)
        shown = found.places[: query.limit]
        rows = await tx.search.cards([place.customer_id for place in shown], query.chosen)
        count = await _count(tx, query, what)
    cursor = encode(_PLACE.dump_python(shown[-1])) if len(found.places) > query.limit else None
    items = [card(row) for row in rows]
    return as_json({"items": items, "next_cursor": cursor, "count": count, "more": found.more})


async def _meant(services: Services, principal: Principal, query: CustomerQuery, asked: Asked) -> Response:
    """Whom a rule means, newest first."""
    query = _allowed(principal, query)
    after = _position(query, "-created")
    async with services.uow.begin(principal, timeout_ms=_RULE_TIMEOUT_MS) as tx:
        last = None if after is None else UUID(str(after["after_id"]))
        ids = await tx.segments.page(asked, query.filters, after=last, limit=query.limit + 1)
        rows = await tx.search.cards(ids[: query.limit], query.chosen)
        count = await tx.segments.count(asked, query.filters) if query.count else None
    cursor = encode({"after_id": ids[query.limit - 1]}) if len(ids) > query.limit else None
    return as_json({"items": [card(row) for row in rows], "next_cursor": cursor, "count": count})


async def _count(tx: ApiTransaction, query: CustomerQuery, what: Sought) -> int | None:
    if query.count is None:
        return None
    return await tx.search.count(query.filters, what, estimate=query.count == "estimate")


_PLACE = TypeAdapter(Place)


def _place(query: CustomerQuery) -> Place | None:
    if query.cursor is None:
        return None
    position = decode(query.cursor, "whole", "rank", "token", "customer_id")
    try:
        place = _PLACE.validate_python(position)
    except ValidationError:
        raise BadCursor(pointer="/cursor") from None
    identifier(place.customer_id, BadCursor)
    if "\x00" in place.token or not 0 <= place.rank < 100:
        raise BadCursor(pointer="/cursor")
    return place


def _position(query: CustomerQuery, sort: str) -> dict[str, object] | None:
    if query.cursor is None:
        return None
    names = ("after_id", "after_name") if "name" in sort else ("after_id",)
    position = decode(query.cursor, *names)
    if not all(isinstance(value, str) for value in position.values()):
        raise BadCursor(pointer="/cursor")
    return position | {"after_id": identifier(position["after_id"], BadCursor)}


@routes.get(
    "/customers",
    response_model=CustomerPage,
    summary="List customers",
    **operation("customers.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
@hot(_list_fast)
async def list_customers(query: Annotated[CustomerQuery, Query()]) -> None:
    """A page of the records within your reach."""


@routes.post(
    "/customers/search",
    response_model=CustomerPage,
    summary="Search customers",
    **operation(
        "customers.search",
        Scope.CUSTOMERS_READ,
        problems=(BadCursor, InvalidContact, ProbesUsedUp, *RULE_PROBLEMS),
        requestBody={"content": {"application/json": {"example": {"q": "иван", "city": "Казань", "limit": 20}}}},
    ),
)
async def search_customers(body: CustomerSearch, principal: Caller, services: Wired) -> Response:
    """Words and filters, a rule and filters, or one exact contact: a contact is found in any writing, but only by its
    whole normal form.

    Each look for a contact counts against an hourly budget."""
    if asked := await rule_of(body, principal, services):
        return await _meant(services, principal, body, asked)
    if body.contact is None:
        return await _page(services, principal, body)
    contact = body.contact
    body = _allowed(principal, body)
    found = await services.finding.by_contact(
        principal,
        ContactInput(kind=contact.kind, value=contact.value),
        body.filters,
        sought(body.q).words,
        body.chosen,
    )
    items = [card(row) for row in found[: body.limit]]
    count = len(found) if body.count else None
    return as_json({"items": items, "next_cursor": None, "count": count, "more": len(found) > body.limit})
