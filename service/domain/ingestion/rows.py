"""What a row of a file says: a line of an order, an order, or a customer – or why it is rejected.

Every row is judged on its own; equal lines are kept, because they are real. In returns (an order number with the
mapping's prefix) quantity and amount are turned over, so that they say what went back; the unit price keeps its sign.
Where a line has an amount it wins over price × quantity, and a price that is not given is amount / quantity, rounded
to a micro. A purchase file without order numbers gets one per row, made of the row's number and contents: the same
file always gives the same numbers. The rows are tuples, made to be streamed to COPY.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, cast

from service.domain.ingestion.faults import Fault
from service.domain.money import line_amount

_LIMIT = 9_000_000_000_000_000_000


class OrderLine(NamedTuple):
    row: int
    line: int
    order_id: str
    customer_id: str
    ordered_at: datetime
    ordered_on: date
    is_return: bool
    sku: str | None
    product: str | None
    category: str | None
    quantity: Decimal
    unit_price: int
    amount: int
    currency: str
    status: str
    sales_channel: str | None
    country: str | None
    customer_name: str | None


class Order(NamedTuple):
    row: int
    line: int
    order_id: str
    customer_id: str
    ordered_at: datetime
    ordered_on: date
    is_return: bool
    total: int
    refunded: int
    currency: str
    status: str
    sales_channel: str | None
    country: str | None
    customer_name: str | None


class CustomerRow(NamedTuple):
    row: int
    line: int
    external_id: str
    kind: str
    status: str | None
    display_name: str | None
    family_name: str | None
    given_name: str | None
    patronymic: str | None
    legal_name: str | None
    trade_name: str | None
    birth_date: tuple[date, bool] | None
    gender: str | None
    language: str | None
    country: str | None
    region: str | None
    city: str | None
    street: str | None
    postal_code: str | None
    email: str | None
    phone: str | None
    channel: str | None
    tags: tuple[str, ...]
    curator: str | None
    inn: str | None
    kpp: str | None
    ogrn: str | None
    legal_form: str | None
    time_zone: str | None
    preferences: tuple[str, ...]
    messenger: str | None
    account: str | None
    bic: str | None
    iban: str | None
    vat: str | None
    attributes: tuple[tuple[str, str], ...]
    contacts: tuple[tuple[str, str], ...]


Row = OrderLine | Order | CustomerRow

_Text = str | None
_Money = int | None
_When = tuple[datetime, date]
_LineValues = tuple[
    _Text, str, _When, _Text, _Text, _Text, Decimal, _Money, _Money, str, str, _Text, _Text, _Text
]  # fmt: skip
_OrderValues = tuple[_Text, str, _When, int, _Money, str, str, _Text, _Text, _Text]


def order_line(row: int, line: int, cells: Sequence[str], values: Sequence[object], prefix: str | None) -> OrderLine:
    """One line of an order, or of a return."""
    (
        order_id, customer_id, (at, on), sku, product, category, quantity, price, amount,
        currency, status, sales_channel, country, customer_name,
    ) = cast(_LineValues, values)  # fmt: skip
    if order_id is None:
        order_id = _row_id(row, cells)
    if amount is None:
        if price is None:
            raise Fault("missing-price", field="unit_price")
        amount = _amount(price, quantity)
    elif price is None:
        price = _unit_price(amount, quantity)
    is_return = prefix is not None and order_id.startswith(prefix)
    if is_return:
        quantity, amount = -quantity, -amount
    return tuple.__new__(
        OrderLine,
        (
            row, line, order_id, customer_id, at, on, is_return, sku, product, category, quantity, price, amount,
            currency, status, sales_channel, country, customer_name,
        ),
    )  # fmt: skip


def order(row: int, line: int, cells: Sequence[str], values: Sequence[object], prefix: str | None) -> Order:
    """One order, or one return, by its total."""
    order_id, customer_id, (at, on), total, refunded, *around = cast(_OrderValues, values)
    if order_id is None:
        order_id = _row_id(row, cells)
    if refunded is not None and refunded < 0:
        raise Fault("negative-refund", field="refunded")
    is_return = prefix is not None and order_id.startswith(prefix)
    fields = (row, line, order_id, customer_id, at, on, is_return, -total if is_return else total, refunded or 0)
    return tuple.__new__(Order, (*fields, *around))


def customer(row: int, line: int, cells: Sequence[str], values: Sequence[object], prefix: str | None) -> CustomerRow:
    """One customer; without a kind, one with a legal or trade name and no family or given name is an organisation."""
    made: CustomerRow = tuple.__new__(CustomerRow, (row, line, *values, (), ()))
    person = made.family_name or made.given_name
    named = person or made.legal_name or made.trade_name or made.display_name
    if not named:
        raise Fault("missing-name")
    kind = "organisation" if not person and (made.legal_name or made.trade_name or made.kpp) else "person"
    return made._replace(kind=made.kind or kind, tags=made.tags or (), preferences=made.preferences or ())


def _row_id(row: int, cells: Sequence[str]) -> str:
    digest = blake2b("\x1f".join(cells).encode(), digest_size=6).hexdigest()
    return f"{row}-{digest}"


@lru_cache(maxsize=65_536)
def _amount(price: int, quantity: Decimal) -> int:
    amount = line_amount(price, quantity)
    if abs(amount) > _LIMIT:
        raise Fault("amount-too-large", field="amount")
    return amount


def _unit_price(amount: int, quantity: Decimal) -> int:
    if not quantity:
        return amount
    price = (amount / quantity).to_integral_value(rounding=ROUND_HALF_EVEN)
    if abs(price) > _LIMIT:
        raise Fault("amount-too-large", field="unit_price")
    return int(price)
