"""Orders, lines and refunds in Postgres; products are made as lines name them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.customers.model import ExternalId
from service.domain.ids import new_id
from service.domain.orders.ports import OrderRow, RefundRow, StoredOrder

_LINES = """
coalesce((SELECT json_agg(json_build_object('line_no', l.line_no, 'sku', p.sku, 'product', p.name,
                 'quantity', l.quantity::text, 'unit_price', l.unit_price, 'amount', l.amount) ORDER BY l.line_no)
          FROM {table} l JOIN products p ON p.tenant_id = l.tenant_id AND p.product_id = l.product_id
          WHERE l.tenant_id = o.tenant_id AND l.{key} = o.{key}), '[]'::json)
"""
_HEADER = """
SELECT o.order_id, o.customer_id, o.source, o.external_id, o.status, o.currency, o.total, o.refunded, o.ordered_at,
       o.ordered_on, o.sales_channel, o.version, o.created_at, o.updated_at
"""
_CARD = sql(
    _HEADER
    + f", {_LINES.format(table='order_lines', key='order_id')} AS lines"
    + """, coalesce((SELECT json_agg(json_build_object('refund_id', r.refund_id, 'amount', r.amount,
                                     'refunded_at', r.refunded_at, 'reason', r.reason) ORDER BY r.refund_id)
                     FROM refunds r WHERE r.tenant_id = o.tenant_id AND r.order_id = o.order_id), '[]'::json) AS refunds
    FROM orders o WHERE o.tenant_id = :tenant AND o.order_id = :order_id"""
)
_BUYERS = sql("SELECT customer_id FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
_PAIRS = (
    "JOIN unnest(:sources::text[], :external_ids::text[]) AS u (source, external_id) "
    "ON x.source = u.source AND x.external_id = u.external_id WHERE x.tenant_id = :tenant"
)
_BUYERS_BY_ID = sql(f"SELECT x.source, x.external_id, x.customer_id AS found FROM customer_external_ids x {_PAIRS}")
_KNOWN = sql(f"SELECT x.source, x.external_id, x.order_id AS found FROM orders x {_PAIRS}")
_LOCK = sql("""
    SELECT order_id, customer_id, version, status, currency, total, refunded, ordered_at, ordered_on, sales_channel
    FROM orders WHERE tenant_id = :tenant AND order_id = ANY (:ids::uuid[]) ORDER BY order_id FOR UPDATE
""")
_COLUMNS = {
    "order_id": "uuid",
    "customer_id": "uuid",
    "source": "text",
    "external_id": "text",
    "status": "text",
    "currency": "text",
    "total": "bigint",
    "ordered_at": "timestamptz",
    "ordered_on": "date",
    "sales_channel": "text",
}
_ARRAYS = ", ".join(f":{name}::{kind}[]" for name, kind in _COLUMNS.items())
# An order out of reach can't be seen and would abort an upsert: it is left alone.
_INSERT = sql(f"""
    INSERT INTO orders (tenant_id, {", ".join(_COLUMNS)})
    SELECT :tenant, u.* FROM unnest({_ARRAYS}) AS u ({", ".join(_COLUMNS)}) ORDER BY u.source, u.external_id
    ON CONFLICT (tenant_id, source, external_id) DO NOTHING RETURNING order_id
""")
_REPLACE = sql(f"""
    UPDATE orders o SET customer_id = u.customer_id, status = u.status, currency = u.currency, total = u.total,
        ordered_at = u.ordered_at, ordered_on = u.ordered_on, sales_channel = u.sales_channel,
        version = o.version + 1, updated_at = now()
    FROM unnest({_ARRAYS}) AS u ({", ".join(_COLUMNS)})
    WHERE o.tenant_id = :tenant AND o.order_id = u.order_id
""")
_DROP_LINES = sql("DELETE FROM order_lines WHERE tenant_id = :tenant AND order_id = ANY (:ids::uuid[])")
_ADD_PRODUCTS = sql("""
    INSERT INTO products (tenant_id, product_id, sku, name)
    SELECT :tenant, u.product_id, u.sku, u.name
    FROM unnest(:product_ids::uuid[], :skus::text[], :names::text[]) AS u (product_id, sku, name)
    ORDER BY u.sku
    ON CONFLICT (tenant_id, sku) DO NOTHING
""")
_PRODUCTS = sql("SELECT sku, product_id FROM products WHERE tenant_id = :tenant AND sku = ANY (:skus::text[])")
_ADD_LINES = sql("""
    INSERT INTO order_lines (tenant_id, order_id, line_no, product_id, quantity, unit_price, amount)
    SELECT :tenant, u.* FROM unnest(:order_ids::uuid[], :line_nos::int[], :product_ids::uuid[],
                                    :quantities::numeric[], :prices::bigint[], :amounts::bigint[]) AS u
""")
_ADD_REFUND = sql("""
    INSERT INTO refunds (tenant_id, refund_id, customer_id, order_id, source, external_id, currency, amount,
                         refunded_at, refunded_on, reason)
    VALUES (:tenant, :refund_id, :customer_id, :order_id, :source, :external_id, :currency, :amount,
            :refunded_at, :refunded_on, :reason)
""")
_TAKE_BACK = sql("""
    UPDATE orders SET refunded = refunded + :amount, version = version + 1, updated_at = now()
    WHERE tenant_id = :tenant AND order_id = :order_id
""")
_FILTERS = {
    "customer_id": "o.customer_id = :customer_id::uuid",
    "status": "o.status = :status",
    "currency": "o.currency = :currency",
    "sales_channel": "o.sales_channel = :sales_channel",
    "since": "o.ordered_at >= :since::timestamptz",
    "until": "o.ordered_at < :until::timestamptz",
    "external_id": "o.external_id = :external_id",
}


@lru_cache(maxsize=256)
def _page(filters: frozenset[str], after: bool, counting: bool) -> Statement:
    where = ["o.tenant_id = :tenant", *(_FILTERS[name] for name in sorted(filters))]
    if counting:
        return sql(f"SELECT count(*) FROM orders o WHERE {' AND '.join(where)}")
    if after:
        where.append("(o.ordered_at, o.order_id) < (:after_at::timestamptz, :after_id::uuid)")
    return sql(
        f"{_HEADER} FROM orders o WHERE {' AND '.join(where)} ORDER BY o.ordered_at DESC, o.order_id DESC LIMIT :limit"
    )


_PRODUCT = """
SELECT p.product_id, p.sku, p.name, c.name AS category FROM products p
LEFT JOIN categories c ON c.tenant_id = p.tenant_id AND c.category_id = p.category_id
WHERE p.tenant_id = :tenant
"""
_PRODUCT_PAGE = sql(_PRODUCT + " AND p.sku > :after ORDER BY p.sku LIMIT :limit")
_PRODUCT_BY_SKU = sql(_PRODUCT + " AND p.sku = :sku")
_PUT_CATEGORY = sql("""
    INSERT INTO categories (tenant_id, category_id, name) VALUES (:tenant, :category_id, :name)
    ON CONFLICT (tenant_id, name) DO NOTHING
""")
_PUT_PRODUCT = sql("""
    INSERT INTO products (tenant_id, product_id, sku, name, category_id)
    VALUES (:tenant, :product_id, :sku, :name,
            (SELECT category_id FROM categories WHERE tenant_id = :tenant AND name = :category::text))
    ON CONFLICT (tenant_id, sku) DO UPDATE SET name = excluded.name, category_id = excluded.category_id
""")


class PgOrders:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def card(self, order_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_CARD, order_id=order_id)

    async def page(
        self, filters: Mapping[str, object], *, after: Mapping[str, object] | None, limit: int
    ) -> list[Mapping[str, Any]]:
        """Newest first; the cursor is the last row's time and id."""
        statement = _page(frozenset(filters), after is not None, counting=False)
        return await self._session.fetch(statement, **filters, **(after or {}), limit=limit)

    async def count(self, filters: Mapping[str, object]) -> int:
        return int(await self._session.fetchval(_page(frozenset(filters), False, counting=True), **filters))

    async def buyers(self, customer_ids: Sequence[UUID]) -> set[UUID]:
        return {row["customer_id"] for row in await self._session.fetch(_BUYERS, ids=list(customer_ids))}

    async def buyers_by_id(self, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]:
        return await self._by_pairs(_BUYERS_BY_ID, ids)

    async def known(self, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]:
        return await self._by_pairs(_KNOWN, ids)

    async def _by_pairs(self, statement: Statement, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]:
        if not ids:
            return {}
        rows = await self._session.fetch(
            statement, sources=[one.source for one in ids], external_ids=[one.external_id for one in ids]
        )
        return {ExternalId(source=r["source"], external_id=r["external_id"]): r["found"] for r in rows}

    async def lock(self, order_ids: Sequence[UUID]) -> dict[UUID, StoredOrder]:
        if not order_ids:
            return {}
        rows = await self._session.fetch(_LOCK, ids=list(order_ids))
        return {row["order_id"]: StoredOrder(**dict(row)) for row in rows}

    async def insert(self, orders: Sequence[OrderRow]) -> set[UUID]:
        stored = {row["order_id"] for row in await self._session.fetch(_INSERT, **_columns(orders))}
        await self._add_lines([order for order in orders if order.order_id in stored])
        return {order.order_id for order in orders} - stored

    async def replace(self, orders: Sequence[OrderRow]) -> None:
        await self._session.execute(_REPLACE, **_columns(orders))
        given = [order.order_id for order in orders if order.lines is not None]
        if given:
            await self._session.execute(_DROP_LINES, ids=given)
            await self._add_lines(orders)

    async def insert_refund(self, refund: RefundRow) -> None:
        names = ("refund_id", "customer_id", "order_id", "source", "external_id", "currency", "amount")
        times = ("refunded_at", "refunded_on", "reason")
        await self._session.execute(_ADD_REFUND, **{name: getattr(refund, name) for name in (*names, *times)})
        if refund.order_id is not None:
            await self._session.execute(_TAKE_BACK, order_id=refund.order_id, amount=refund.amount)

    async def products(self, named: Mapping[str, str]) -> dict[str, UUID]:
        """The ids of products by sku; those that are new are made, with the name given."""
        if not named:
            return {}
        rows = await self._session.fetch(_PRODUCTS, skus=list(named))
        known = {row["sku"]: row["product_id"] for row in rows}
        fresh = [sku for sku in named if sku not in known]
        if fresh:
            await self._session.execute(
                _ADD_PRODUCTS, product_ids=[new_id() for _ in fresh], skus=fresh, names=[named[sku] for sku in fresh]
            )
            # Another writer may have made some of them meanwhile: ask for the ids that hold.
            rows = await self._session.fetch(_PRODUCTS, skus=fresh)
            known |= {row["sku"]: row["product_id"] for row in rows}
        return known

    async def product_page(self, after: str, limit: int) -> list[Mapping[str, Any]]:
        """Products whose SKU comes after `after`, in SKU order."""
        return await self._session.fetch(_PRODUCT_PAGE, after=after, limit=limit)

    async def put_product(self, sku: str, name: str, category: str | None) -> Mapping[str, Any]:
        """The product of a SKU, made or renamed; its category is made when it is new."""
        if category is not None:
            await self._session.execute(_PUT_CATEGORY, category_id=new_id(), name=category)
        await self._session.execute(_PUT_PRODUCT, product_id=new_id(), sku=sku, name=name, category=category)
        row = await self._session.fetchrow(_PRODUCT_BY_SKU, sku=sku)
        assert row is not None
        return row

    async def _add_lines(self, orders: Sequence[OrderRow]) -> None:
        found = [(o.order_id, number, line) for o in orders for number, line in enumerate(o.lines or (), start=1)]
        if not found:
            return
        products = await self.products(_named(line for _, _, line in found))
        await self._session.execute(
            _ADD_LINES,
            order_ids=[order_id for order_id, _, _ in found],
            line_nos=[number for _, number, _ in found],
            product_ids=[products[line.sku] for _, _, line in found],
            quantities=[line.quantity for _, _, line in found],
            prices=[line.unit_price for _, _, line in found],
            amounts=[line.amount for _, _, line in found],
        )


def _columns(orders: Sequence[OrderRow]) -> dict[str, object]:
    return {name: [getattr(order, name) for order in orders] for name in _COLUMNS}


def _named(lines: Any) -> dict[str, str]:
    names: dict[str, str] = {}
    for line in lines:
        if line.product or line.sku not in names:
            names[line.sku] = line.product or names.get(line.sku, line.sku)
    return names
