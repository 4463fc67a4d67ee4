"""Lines become documents: lines of one number are one order, or one unlinked return; its time is the earliest line's.

The first line of a document says who bought, in which currency and status; a later line that names another buyer or
currency is rejected. Equal lines are real and are all kept: a line is known by its row in the file. In a file of whole
orders each stands once; a second row of the same number is rejected, or the order would count twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from service.domain.ingestion.faults import Reject, Violation
from service.domain.ingestion.rows import Order, OrderLine

DIFFERENT = {
    "data-refused": "The row holds an error for which the tenant refuses it.",
    "customer-differs": "Earlier lines of this order name another customer.",
    "currency-differs": "Earlier lines of this order are in another currency.",
    "external-id-taken": "The customer's number belongs to a record out of the importer's reach.",
    "order-id-taken": "The order's number belongs to an order out of the importer's reach.",
    "order-repeated": "An earlier row of this file is this very order.",
    "unknown-curator": "There is no staff member of this name.",
    "bad-attribute": "A value is not of the kind that the tenant has set for this attribute.",
    "unknown-channel": "There is no acquisition channel of this code.",
}


@dataclass(slots=True)
class Document:
    """An order or a return, as far as this batch of rows tells of it."""

    reference: str
    document_id: UUID
    customer: str
    currency: str
    status: str
    sales_channel: str | None
    at: datetime
    on: date
    amount: int = 0
    refunded: int = 0
    rows: list[OrderLine | Order] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """It came as one row, by its total, and no later row may add to it."""
        return isinstance(self.rows[0], Order)


@dataclass(slots=True)
class Documents:
    """What one batch of rows holds: orders and returns by number, buyers and products by what the file calls them."""

    orders: dict[str, Document] = field(default_factory=dict)
    returns: dict[str, Document] = field(default_factory=dict)
    buyers: dict[str, OrderLine | Order] = field(default_factory=dict)
    products: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


def sku_of(line: OrderLine) -> str:
    """The product's number; a line that has none goes by its name."""
    return line.sku or line.product or "-"


def group(rows: Iterable[OrderLine | Order], new_id: Callable[[], UUID]) -> Documents:
    """The documents of a batch, in the order of their first rows."""
    found = Documents()
    for row in rows:
        shelf = found.returns if row.is_return else found.orders
        document = shelf.get(row.order_id)
        if document is None:
            document = shelf[row.order_id] = _begun(row, new_id())
            found.buyers.setdefault(row.customer_id, row)
        elif code := _difference(document, row):
            found.rejects.append(rejected(row, code))
            continue
        if row.ordered_at < document.at:
            document.at, document.on = row.ordered_at, row.ordered_on
        document.rows.append(row)
        if isinstance(row, OrderLine):
            document.amount += row.amount
            sku = sku_of(row)
            if sku not in found.products:
                found.products[sku] = (row.product or sku, row.category)
        else:
            document.amount += row.total
            document.refunded += row.refunded
    return found


def _begun(row: OrderLine | Order, document_id: UUID) -> Document:
    return Document(
        reference=row.order_id,
        document_id=document_id,
        customer=row.customer_id,
        currency=row.currency,
        status=row.status,
        sales_channel=row.sales_channel,
        at=row.ordered_at,
        on=row.ordered_on,
    )


def _difference(document: Document, row: OrderLine | Order) -> str | None:
    if isinstance(row, Order):
        return "order-repeated"
    if row.customer_id != document.customer:
        return "customer-differs"
    return "currency-differs" if row.currency != document.currency else None


def rejected(row: OrderLine | Order, code: str, field_name: str | None = None) -> Reject:
    """A row that reads well but can't be applied."""
    violation = Violation(row.row, row.line, field_name, code, DIFFERENT[code])
    return Reject(row.row, row.line, _cells(row), (violation,))


def _cells(row: Sequence[object]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in row[2:])
