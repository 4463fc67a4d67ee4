"""The wire forms of purchases: what is taken in, what is shown, how lists are asked for."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from service.api.schemas import (
    Currency,
    Input,
    Key,
    LongText,
    Micros,
    Moment,
    Money,
    ProblemItem,
    Source,
    Text,
)
from service.domain.orders.model import Line, OrderDraft

OrderStatus = Literal["new", "paid", "completed", "cancelled", "returned"]
Quantity = Annotated[Decimal, Field(max_digits=18, decimal_places=6)]


class LineIn(Input):
    sku: Key
    quantity: Quantity
    unit_price: Money
    product: Text | None = None
    amount: Money | None = Field(None, description="Price × quantity unless stated.")


class OrderIn(Input):
    """An order. The buyer is named by `customer_id` or by `customer_external_id`."""

    ordered_at: Annotated[Moment, Field(description="Without a zone, the tenant's.")]
    customer_id: UUID | None = None
    customer_external_id: Key | None = None
    customer_source: Source = ""
    external_id: Key | None = None
    source: Source = ""
    status: OrderStatus = "completed"
    currency: Currency | None = Field(None, description="The tenant's, unless stated.")
    sales_channel: Text | None = None
    total: Money | None = Field(None, description="The sum of the lines unless stated; where both are, this one holds.")
    lines: Annotated[list[LineIn], Field(max_length=1000)] = Field(default_factory=list)

    def draft(self) -> OrderDraft:
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "lines"}
        return OrderDraft(**fields, lines=[Line(**line.model_dump()) for line in self.lines])


class OrderPut(OrderIn):
    external_id: None = None


class OrderCorrection(Input):
    status: OrderStatus | None = None
    total: Money | None = None
    ordered_at: Moment | None = None
    sales_channel: Text | None = None


class RefundIn(Input):
    amount: Annotated[Money, Field(gt=0)]
    refunded_at: Moment | None = Field(None, description="Now, unless stated.")
    external_id: Key | None = None
    source: Source = ""
    reason: LongText | None = None


class LineOut(BaseModel):
    line_no: int
    sku: str
    product: str
    quantity: str
    unit_price: Micros
    amount: Micros


class RefundOut(BaseModel):
    refund_id: UUID
    amount: Micros
    refunded_at: datetime
    reason: str | None


class OrderHeader(BaseModel):
    order_id: UUID
    customer_id: UUID
    source: str
    external_id: str | None
    status: OrderStatus
    currency: str
    total: Micros
    refunded: Micros
    ordered_at: datetime
    ordered_on: date = Field(description="The day in the tenant's time zone.")
    sales_channel: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class Order(OrderHeader):
    lines: list[LineOut]
    refunds: list[RefundOut]


class OrderQuery(Input):
    customer_id: UUID | None = None
    external_id: Key | None = None
    status: OrderStatus | None = None
    currency: Currency | None = None
    sales_channel: Text | None = None
    since: Moment | None = Field(None, description="Without a zone, the tenant's.")
    until: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=1000)] | None = None
    count: Literal["exact"] | None = None

    @property
    def filters(self) -> dict[str, object]:
        skipped = {"limit", "cursor", "count"}
        return {
            name: value
            for name in type(self).model_fields
            if name not in skipped and (value := getattr(self, name)) is not None
        }


class OrderBatchItem(BaseModel):
    index: int
    outcome: Literal["created", "updated", "refused", "skipped"]
    order_id: UUID | None
    problem: ProblemItem | None


class OrderBatchOut(BaseModel):
    created: int
    updated: int
    refused: int
    items: list[OrderBatchItem]


class Product(BaseModel):
    product_id: UUID
    sku: str
    name: str
    category: str | None


class ProductIn(Input):
    sku: Key
    name: Text
    category: Text | None = None
