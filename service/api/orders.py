"""Purchases over HTTP: orders with lines, corrections, refunds, products."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from service.api.customers import BatchIn, identifier, summary
from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.order_schemas import (
    Order,
    OrderBatchOut,
    OrderCorrection,
    OrderHeader,
    OrderIn,
    OrderPut,
    OrderQuery,
    Product,
    ProductIn,
    RefundIn,
)
from service.api.paging import BadCursor, decode, encode
from service.api.problems import InvalidRequest, pointer
from service.api.routing import Caller, hot, operation, router
from service.api.schemas import (
    BadIdempotencyKey,
    BadVersion,
    Key,
    Page,
    as_json,
    money,
    problem_item,
)
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.errors import NoCustomer
from service.domain.errors import DomainError, Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.money import TooPrecise
from service.domain.orders.errors import NoOrder, OrderIdTaken, RefundTooLarge, TotalMissing
from service.domain.orders.model import OrderDraft, in_zone
from service.domain.orders.service import Correction

routes = router("orders")
_EXAMPLE = {
    "external_id": "A-2001",
    "source": "shop",
    "customer_external_id": "C-1001",
    "customer_source": "shop",
    "ordered_at": "2026-03-01T12:30:00+03:00",
    "status": "completed",
    "lines": [{"sku": "TEA-1", "product": "Green tea", "quantity": "2", "unit_price": "349.90"}],
}


def header(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(row)
    shown["total"], shown["refunded"] = money(row["total"]), money(row["refunded"])
    return shown


def _card(row: Mapping[str, Any]) -> dict[str, Any]:
    lines, refunds = orjson.loads(row["lines"]), orjson.loads(row["refunds"])
    for line in lines:
        line["unit_price"], line["amount"] = money(line["unit_price"]), money(line["amount"])
    for refund in refunds:
        refund["amount"] = money(refund["amount"])
    return header(row) | {"lines": lines, "refunds": refunds}


async def _show(services: Services, principal: Principal, order_id: UUID, status: int = 200) -> Response:
    async with services.uow.begin(principal) as tx:
        row = await tx.orders.card(order_id)
    if row is None:
        raise NoOrder
    headers = {"ETag": f'"{row["version"]}"'}
    if status == 201:
        headers["Location"] = f"/v1/orders/{order_id}"
    return as_json(_card(row), status, headers)


async def _get_fast(request: Request) -> Response:
    order_id = identifier(request.path_params["order_id"], NoOrder)
    return await _show(request.app.state.services, request.scope["principal"], order_id)


def _query(request: Request) -> OrderQuery:
    try:
        return OrderQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        found = [{"pointer": pointer(one["loc"]), "detail": one["msg"]} for one in error.errors()]
        raise InvalidRequest(found[0]["detail"], errors=found) from None


async def _list_fast(request: Request) -> Response:
    return await _page(request.app.state.services, request.scope["principal"], _query(request))


async def _page(services: Services, principal: Principal, query: OrderQuery) -> Response:
    filters = {
        name: in_zone(value, principal.time_zone) if isinstance(value, datetime) else value
        for name, value in query.filters.items()
    }
    after = _position(query.cursor)
    async with services.uow.begin(principal) as tx:
        rows = await tx.orders.page(filters, after=after, limit=query.limit + 1)
        count = await tx.orders.count(filters) if query.count else None
    cursor = None
    if len(rows) > query.limit:
        last = rows[query.limit - 1]
        cursor = encode({"after_at": last["ordered_at"], "after_id": last["order_id"]})
    return as_json({"items": [header(row) for row in rows[: query.limit]], "next_cursor": cursor, "count": count})


def _position(cursor: str | None) -> dict[str, object] | None:
    if cursor is None:
        return None
    position = decode(cursor, "after_at", "after_id")
    try:
        moment = datetime.fromisoformat(position["after_at"]).astimezone(UTC)
        return {"after_at": moment, "after_id": UUID(position["after_id"])}
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise BadCursor(pointer="/cursor") from None


@routes.get(
    "/orders/{order_id}",
    response_model=Order,
    summary="Read an order",
    **operation("orders.get", Scope.ORDERS_READ, problems=(NoOrder,)),
)
@hot(_get_fast)
async def get_order(order_id: UUID) -> None:
    """One order with its lines and refunds."""


@routes.get(
    "/orders",
    response_model=Page[OrderHeader],
    summary="List orders",
    **operation("orders.list", Scope.ORDERS_READ, problems=(BadCursor,)),
)
@hot(_list_fast)
async def list_orders(query: Annotated[OrderQuery, Query()]) -> None:
    """Orders of the customers within your reach, newest first."""


@routes.get(
    "/customers/{customer_id}/orders",
    response_model=Page[OrderHeader],
    summary="List a customer's orders",
    **operation("customers.orders", Scope.CUSTOMERS_READ, Scope.ORDERS_READ, problems=(NoCustomer, BadCursor)),
)
async def customer_orders(
    customer_id: UUID,
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """The customer's orders, newest first."""
    async with services.uow.begin(principal) as tx:
        if not await tx.orders.buyers([customer_id]):
            raise NoCustomer
    return await _page(services, principal, OrderQuery(customer_id=customer_id, limit=limit, cursor=cursor))


@routes.post(
    "/orders",
    response_model=Order,
    status_code=201,
    summary="Create an order",
    **operation(
        "orders.create",
        Scope.ORDERS_WRITE,
        problems=(NoCustomer, OrderIdTaken, TotalMissing, TooPrecise, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def create_order(body: OrderIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A purchase of a customer within your reach; products are made as the lines name them."""
    order_id = await patiently(lambda: services.orders.create(principal, body.draft(), once))
    return await _show(services, principal, order_id, 201)


@routes.put(
    "/orders/by-external-id/{external_id:path}",
    response_model=Order,
    summary="Create or replace an order by external id",
    **operation(
        "orders.put_by_external_id",
        Scope.ORDERS_WRITE,
        creates=Order,
        problems=(NoCustomer, OrderIdTaken, TotalMissing, TooPrecise),
        requestBody={
            "content": {"application/json": {"example": {k: v for k, v in _EXAMPLE.items() if k != "external_id"}}}
        },
    ),
)
async def put_order(external_id: Key, body: OrderPut, principal: Caller, services: Wired) -> Response:
    """The order as the other system has it now, lines included; sent twice it stays one."""
    draft = OrderIn.model_validate(body.model_dump() | {"external_id": external_id}).draft()
    order_id, created = await services.orders.put(principal, draft)
    return await _show(services, principal, order_id, 201 if created else 200)


_ORDER = TypeAdapter(OrderIn)


def _draft(index: int, item: dict[str, Any]) -> OrderDraft | DomainError:
    try:
        return _ORDER.validate_python(item).draft()
    except ValidationError as error:
        found = [{"pointer": f"/items/{index}{pointer(one['loc'])}", "detail": one["msg"]} for one in error.errors()]
        return InvalidRequest(found[0]["detail"], errors=found)


@routes.post(
    "/orders/batch",
    response_model=OrderBatchOut,
    summary="Create or replace many orders",
    **operation(
        "orders.batch",
        Scope.ORDERS_WRITE,
        problems=(NoCustomer, OrderIdTaken, TotalMissing, TooPrecise, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": {"items": [_EXAMPLE]}}}},
    ),
)
async def batch_orders(
    body: BatchIn, principal: Caller, services: Wired, once: OnceKey, atomic: bool = False
) -> Response:
    """Up to 10 000 orders by external id in one transaction; refused items say why, the others are written."""
    drafts = [_draft(index, item) for index, item in enumerate(body.items)]
    results = await patiently(lambda: services.orders.batch(principal, drafts, atomic=atomic, once=once))
    items = [
        {"index": r.index, "outcome": r.outcome, "order_id": r.order_id, "problem": problem_item(r.problem)}
        for r in results
    ]
    return as_json(summary(items))


@routes.patch(
    "/orders/{order_id}",
    response_model=Order,
    summary="Correct an order",
    **operation(
        "orders.update",
        Scope.ORDERS_WRITE,
        problems=(NoOrder, Precondition, BadVersion, TooPrecise),
        requestBody={"content": {"application/json": {"example": {"status": "cancelled"}}}},
    ),
)
async def correct_order(
    order_id: UUID, body: OrderCorrection, principal: Caller, services: Wired, expected: Expected
) -> Response:
    """Change status, total, time or sales channel; the customer's totals follow in the same transaction."""
    await services.orders.correct(principal, order_id, Correction(**dict(body)), expected)
    return await _show(services, principal, order_id)


@routes.post(
    "/orders/{order_id}/refunds",
    response_model=Order,
    status_code=201,
    summary="Refund an order",
    **operation(
        "orders.refund",
        Scope.ORDERS_WRITE,
        problems=(NoOrder, RefundTooLarge, OrderIdTaken, TooPrecise, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": {"amount": "349.90", "reason": "Damaged"}}}},
    ),
)
async def refund_order(order_id: UUID, body: RefundIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Pay back part or all; an order refunded in full no longer counts as a purchase."""
    fields = dict(body)
    amount = fields.pop("amount")
    await patiently(lambda: services.orders.refund(principal, order_id, amount, **fields, once=once))
    return await _show(services, principal, order_id, 201)


@routes.get(
    "/products",
    response_model=Page[Product],
    summary="List products",
    **operation("products.list", Scope.ORDERS_READ, problems=(BadCursor,)),
)
async def list_products(
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Products in the order of their SKU."""
    after = decode(cursor, "sku")["sku"] if cursor else ""
    async with services.uow.begin(principal) as tx:
        rows = await tx.orders.product_page(str(after), limit + 1)
    more = encode({"sku": rows[limit - 1]["sku"]}) if len(rows) > limit else None
    return as_json({"items": [dict(row) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.post(
    "/products",
    response_model=Product,
    status_code=201,
    summary="Create or rename a product",
    **operation(
        "products.put",
        Scope.ORDERS_WRITE,
        requestBody={
            "content": {"application/json": {"example": {"sku": "TEA-1", "name": "Green tea", "category": "Tea"}}}
        },
    ),
)
async def put_product(body: ProductIn, principal: Caller, services: Wired) -> Response:
    """The product of a SKU with this name and category; categories are made as they are named."""
    async with services.uow.begin(principal) as tx:
        row = await tx.orders.put_product(body.sku, body.name, body.category)
        await tx.journal.audit("products.put", "product", sku=body.sku)
        await tx.commit()
    return as_json(dict(row), 201)
