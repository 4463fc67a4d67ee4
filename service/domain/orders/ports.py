"""What purchases need from storage. Every method sees only what the principal reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.model import ExternalId
from service.domain.idempotency import Idempotency
from service.domain.ports import Journal, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order as it is now, locked for the rest of the transaction."""

    order_id: UUID
    customer_id: UUID
    version: int
    status: str
    currency: str
    total: int
    refunded: int
    ordered_at: datetime
    ordered_on: date
    sales_channel: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    sku: str
    product: str | None
    quantity: Decimal
    unit_price: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order ready to be stored; lines of None are left as they are."""

    order_id: UUID
    customer_id: UUID
    source: str
    external_id: str | None
    status: str
    currency: str
    total: int
    ordered_at: datetime
    ordered_on: date
    sales_channel: str | None
    lines: Sequence[LineRow] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    refund_id: UUID
    customer_id: UUID
    order_id: UUID | None
    source: str
    external_id: str | None
    currency: str
    amount: int
    refunded_at: datetime
    refunded_on: date
    reason: str | None


class Orders(Protocol):
    async def buyers(self, customer_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the customers that the caller reaches."""
        ...

    async def buyers_by_id(self, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]: ...

    async def known(self, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]:
        """The reachable orders behind external ids."""
        ...

    async def lock(self, order_ids: Sequence[UUID]) -> dict[UUID, StoredOrder]: ...

    async def insert(self, orders: Sequence[OrderRow]) -> set[UUID]:
        """New orders with their lines; says which were left out, since another order, in reach or not, has their id."""
        ...

    async def replace(self, orders: Sequence[OrderRow]) -> None: ...

    async def insert_refund(self, refund: RefundRow) -> None:
        """Stores it and, when it is linked, adds it to the order's refunded sum. Raises OrderIdTaken."""
        ...

    async def card(self, order_id: UUID) -> Mapping[str, Any] | None:
        """The order with lines and refunds; None when it is not within reach."""
        ...

    async def page(
        self, filters: Mapping[str, object], *, after: Mapping[str, object] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Headers, newest first; `after` is the time and id of the row before."""
        ...

    async def count(self, filters: Mapping[str, object]) -> int: ...

    async def product_page(self, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Products whose SKU comes after `after`, in SKU order."""
        ...

    async def put_product(self, sku: str, name: str, category: str | None) -> Mapping[str, Any]:
        """The product of a SKU, made or renamed; its category is made when it is new."""
        ...


class Totals(Protocol):
    async def refresh(self, customer_ids: Sequence[UUID], today: date, *, source: str = "api") -> None:
        """Recompute the purchase totals of these customers from their orders, and make buyers of prospects.

        `source` is whose word the orders are, for the history of those who turn customers.
        """
        ...


class Overview(Protocol):
    async def read(self, as_of: date) -> Mapping[str, Any]:
        """Sizes of the base within reach: customers, purchases by currency, imports in progress."""
        ...


class OrdersTransaction(Transaction, Protocol):
    @property
    def orders(self) -> Orders: ...

    @property
    def totals(self) -> Totals: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
