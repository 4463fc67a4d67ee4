"""Words of a cell: trimmed, bounded, and free of what can't be stored (NUL, half of a surrogate pair).

Identifiers stay text: leading zeros are part of them, unless the mapping says that the column holds numbers.
"""

import re
from functools import cache
from typing import Literal
from zoneinfo import available_timezones

from service.domain.cells import restored
from service.domain.ingestion.faults import Fault

IdStyle = Literal["text", "float", "number"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_FLOAT = re.compile(r"([0-9]+)(?:\.0+)?")
_CODE = re.compile(r"[A-Z]{3}")
_CURRENCIES = {"₽": "RUB", "РУБ": "RUB", "РУБ.": "RUB", "Р.": "RUB", "RUR": "RUB", "$": "USD", "€": "EUR", "£": "GBP"}

ORDER_STATUSES = {name: name for name in ("new", "paid", "completed", "cancelled", "returned")} | {
    "canceled": "cancelled",
    "complete": "completed",
    "новый": "new",
    "оплачен": "paid",
    "выполнен": "completed",
    "завершён": "completed",
    "завершен": "completed",
    "отменён": "cancelled",
    "отменен": "cancelled",
    "возврат": "returned",
}
CUSTOMER_STATUSES = {name: name for name in ("prospect", "customer", "lapsed", "archived")}
CUSTOMER_KINDS = {"person": "person", "organisation": "organisation", "organization": "organisation"}
GENDERS = {
    "female": "female", "f": "female", "ж": "female", "жен": "female", "женский": "female", "woman": "female",
    "male": "male", "m": "male", "м": "male", "муж": "male", "мужской": "male", "man": "male",
}  # fmt: skip


def text(cell: str, limit: int) -> str:
    """The trimmed text, not longer than the limit; what an export has made harmless is as it was."""
    trimmed = restored(cell.strip()).strip()
    if len(trimmed) > limit:
        raise Fault("text-too-long", f"The text is longer than {limit} characters.")
    if "\0" in trimmed:
        raise Fault("nul-character")
    if not trimmed.isascii() and _SURROGATE.search(trimmed):
        raise Fault("bad-character")
    return trimmed


def identifier(cell: str, limit: int, style: IdStyle) -> str:
    """The id; `float` makes `17850.0` the id `17850`, `number` also drops leading zeros."""
    value = text(cell, limit)
    if style == "text":
        return value
    match = _FLOAT.fullmatch(value)
    if match is None:
        return value
    return match.group(1) if style == "float" else match.group(1).lstrip("0") or "0"


def choice(cell: str, words: dict[str, str], code: str) -> str:
    """The standard term for the word, whatever its case."""
    try:
        return words[cell.strip().casefold()]
    except KeyError as error:
        raise Fault(code) from error


def currency(cell: str) -> str:
    """The ISO code in capitals; common signs are understood."""
    value = cell.strip().upper()
    value = _CURRENCIES.get(value, value)
    if not _CODE.fullmatch(value):
        raise Fault("bad-currency")
    return value


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def time_zone(cell: str) -> str:
    """A name of the IANA list."""
    name = cell.strip()
    if name not in _time_zones():
        raise Fault("unknown-time-zone")
    return name


def tags(cell: str, limit: int) -> tuple[str, ...]:
    """The distinct tags of a list parted by `|`, `;` or `,`, in their order."""
    parts = (part.strip() for part in re.split(r"[|;,]", text(cell, limit)))
    return tuple(dict.fromkeys(part for part in parts if part))
