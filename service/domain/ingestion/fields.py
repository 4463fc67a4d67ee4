"""The fields that each kind of import can fill, in the order in which a row carries them.

A required field must have a column (or a constant), and every row a value in it. A default stands in where a file has
no such column; in an optional field it also fills an empty cell.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["order_lines", "orders", "customers"]
Reads = Literal[
    "id", "text", "money", "quantity", "moment", "day", "currency", "order_status", "customer_status",
    "customer_kind", "gender", "tags", "time_zone", "birthday",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """How a cell is read, its bound, and the reason given where a needed value is missing."""

    reads: Reads
    limit: int = 200
    missing: str | None = None
    default: str | None = None


_WHO_AND_WHEN = {
    "order_id": Field("id", missing="missing-order"),
    "customer_id": Field("id", missing="missing-customer"),
    "ordered_at": Field("moment", missing="missing-date"),
}
_AROUND = {
    "currency": Field("currency"),
    "status": Field("order_status", default="completed"),
    "sales_channel": Field("text", 100),
    "country": Field("text", 100),
    "customer_name": Field("text", 400),
}
_ORDER_LINES = (
    _WHO_AND_WHEN
    | {
        "sku": Field("id"),
        "product": Field("text", 500),
        "category": Field("text", 200),
        "quantity": Field("quantity", missing="missing-quantity", default="1"),
        "unit_price": Field("money"),
        "amount": Field("money"),
    }
    | _AROUND
)
_ORDERS = _WHO_AND_WHEN | {"total": Field("money", missing="missing-total"), "refunded": Field("money")} | _AROUND
_CUSTOMERS = {
    "external_id": Field("id", missing="missing-external-id"),
    "kind": Field("customer_kind"),
    "status": Field("customer_status"),
    "display_name": Field("text", 400),
    "family_name": Field("text", 200),
    "given_name": Field("text", 200),
    "patronymic": Field("text", 200),
    "legal_name": Field("text", 400),
    "trade_name": Field("text", 400),
    "birth_date": Field("birthday"),
    "gender": Field("gender"),
    "language": Field("text", 35),
    "country": Field("text", 100),
    "region": Field("text", 200),
    "city": Field("text", 200),
    "street": Field("text", 500),
    "postal_code": Field("text", 20),
    "email": Field("text", 320),
    "phone": Field("text", 60),
    "channel": Field("text", 100),
    "tags": Field("tags", 1000),
    "curator": Field("text", 200),
    "inn": Field("text", 20),
    "kpp": Field("text", 20),
    "ogrn": Field("text", 20),
    "legal_form": Field("text", 200),
    "time_zone": Field("time_zone"),
    "preferences": Field("tags", 2000),
    "messenger": Field("text", 320),
    "account": Field("text", 60),
    "bic": Field("text", 20),
    "iban": Field("text", 60),
    "vat": Field("text", 40),
}

# A column of a customers' file may fill a field of the tenant's own: `attributes.` and its name.
OWN = "attributes."
_OWN_FIELD = Field("text", 2000)


def is_own(kind: Kind, name: str) -> bool:
    """Whether that is a field of the tenant's own."""
    return kind == "customers" and name.startswith(OWN) and len(name) > len(OWN)


# Or a further contact: its kind and a label (`phone.work`); `.primary` behind it makes it the first choice.
CONTACT_KINDS = ("phone", "email", "messenger", "street", "inn", "kpp", "ogrn", "account", "bic", "iban", "vat")
_PRIMARY = "primary"
_LONGEST_LABEL = 50


class Labelled(NamedTuple):
    """What the name of a contact's field says of it."""

    kind: str
    label: str | None
    is_primary: bool


def labelled(name: str) -> Labelled | None:
    """What `phone.work.primary` says; None for any other field."""
    kind, _, rest = name.partition(".")
    label = rest.removesuffix(_PRIMARY).removesuffix(".") if rest.endswith(f".{_PRIMARY}") or rest == _PRIMARY else rest
    if kind not in CONTACT_KINDS or not rest or rest != rest.strip(" .") or len(label) > _LONGEST_LABEL:
        return None
    return Labelled(kind, label or None, label != rest)


def is_free(kind: Kind, name: str) -> bool:
    """Whether that is a field beside the fixed ones: of the tenant's own, or a labelled contact."""
    return is_own(kind, name) or (kind == "customers" and labelled(name) is not None)


def field_of(kind: Kind, name: str) -> Field:
    """How the cells of that field are read."""
    if is_own(kind, name):
        return _OWN_FIELD
    found = labelled(name) if kind == "customers" else None
    return FIELDS[kind][found.kind if found else name]


FIELDS: dict[Kind, dict[str, Field]] = {"order_lines": _ORDER_LINES, "orders": _ORDERS, "customers": _CUSTOMERS}
