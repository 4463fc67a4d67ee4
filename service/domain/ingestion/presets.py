"""Mappings that are known beforehand: real files as they are published, and the service's own formats.

A preset is recognised by its header alone; among several that fit, the one that uses most of the columns is taken.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.ingestion.errors import UnknownPreset
from service.domain.ingestion.fields import FIELDS, Kind
from service.domain.ingestion.mapping import ColumnMapping, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named mapping; `required` are the columns (by name) without which a header is not of this format."""

    name: str
    title: str
    mapping: ColumnMapping
    required: tuple[str, ...] = ()
    delimiter: str | None = None


def _own(kind: Kind, title: str, required: tuple[str, ...]) -> Preset:
    return Preset(
        name=f"clientbase_{kind}",
        title=title,
        required=required,
        mapping=ColumnMapping(
            kind=kind,
            columns={name: name for name in FIELDS[kind]},
            decimal="point",
            absent="skip",
            extra="refuse",
        ),
    )


_ONLINE_RETAIL = ColumnMapping(
    kind="order_lines",
    columns={
        "order_id": "InvoiceNo",
        "customer_id": "CustomerID",
        "ordered_at": "InvoiceDate",
        "sku": "StockCode",
        "product": "Description",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
        "country": "Country",
    },
    constants={"currency": "GBP"},
    decimal="point",
    ids="float",
    return_prefix="C",
)

_CDNOW = ColumnMapping(
    kind="order_lines",
    columns={"customer_id": 2, "ordered_at": 3, "quantity": 4, "amount": 5},
    constants={"currency": "USD", "sku": "CD", "product": "CD"},
    header=False,
    decimal="point",
    ids="number",
    order_ids="row",
)

_SUPERSTORE = ColumnMapping(
    kind="order_lines",
    columns={
        "order_id": "Order ID",
        "customer_id": "Customer ID",
        "customer_name": "Customer Name",
        "ordered_at": "Order Date",
        "sku": "Product ID",
        "product": "Product Name",
        "category": "Category",
        "quantity": "Quantity",
        "amount": "Sales",
        "country": "Country/Region",
    },
    constants={"currency": "USD"},
    decimal="point",
    dates="day_first",
)

_ALL = (
    _own(
        "order_lines",
        "Clientbase: lines of orders; lines of one order_id are one order.",
        ("order_id", "customer_id", "ordered_at"),
    ),
    _own("orders", "Clientbase: orders by their totals.", ("order_id", "customer_id", "ordered_at", "total")),
    _own("customers", "Clientbase: customers with contacts and requisites.", ("external_id",)),
    Preset(
        name="online_retail",
        title="UCI Online Retail: invoice lines; invoices C… are returns, lines without a customer are rejected.",
        mapping=_ONLINE_RETAIL,
        required=tuple(str(column) for column in _ONLINE_RETAIL.columns.values()),
    ),
    Preset(
        name="cdnow",
        title="CDNOW sample: one purchase a line, without a header; the customer is the sample id.",
        mapping=_CDNOW,
        delimiter="whitespace",
    ),
    Preset(
        name="superstore",
        title="Tableau Sample Superstore: order lines with the amount after discount, dates day first.",
        mapping=_SUPERSTORE,
        required=tuple(str(column) for column in _SUPERSTORE.columns.values()),
    ),
)

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ALL}

_CDNOW_ROW = tuple(re.compile(cell) for cell in (r"\d{5}", r"\d{4}", r"(?:19|20)\d{6}", r"\d+", r"\d+\.\d{2}"))


def preset(name: str) -> Preset:
    """The preset of this name."""
    try:
        return PRESETS[name]
    except KeyError as error:
        raise UnknownPreset(unknown("preset", name, PRESETS), name=name, known=sorted(PRESETS)) from error


def recognise(header: Sequence[str]) -> str | None:
    """The name of the preset whose format the first row of a file shows."""
    cells = [cell.strip() for cell in header]
    if len(cells) == len(_CDNOW_ROW) and all(
        shape.fullmatch(cell) for shape, cell in zip(_CDNOW_ROW, cells, strict=True)
    ):
        return "cdnow"
    names = {cell.casefold() for cell in cells}
    fitting = [each for each in _ALL if each.required and names >= {column.casefold() for column in each.required}]
    return max(fitting, key=lambda each: _used(each, names)).name if fitting else None


def _used(each: Preset, names: set[str]) -> int:
    return len(names & {str(column).casefold() for column in each.mapping.columns.values()})
