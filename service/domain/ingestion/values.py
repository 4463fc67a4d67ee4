"""From the text of a cell to its value, once for each distinct text: files repeat themselves, so results are kept.

The memory is bounded: a full memo starts anew, and long texts are never kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from service.domain.ingestion import amounts, moments, texts
from service.domain.ingestion.faults import Fault
from service.domain.ingestion.fields import Field, Reads

_KEPT = 16_384
_LONGEST_KEPT = 200

K = TypeVar("K")
Parse = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file's cells mean beyond their text: marks, order of dates, zones, and the style of its ids."""

    file_zone: ZoneInfo
    tenant_zone: ZoneInfo
    mark: amounts.Mark | None = None
    dates: moments.DateOrder | None = None
    ids: texts.IdStyle = "text"


class Memo(dict[str, object]):
    """A dict that reads what it doesn't hold yet; a look-up of a known text costs no Python call."""

    __slots__ = ("_parse",)

    def __init__(self, parse: Parse) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, cell: str) -> object:
        value = self._parse(cell)
        if len(cell) <= _LONGEST_KEPT:
            if len(self) >= _KEPT:
                self.clear()
            self[cell] = value
        return value


def parser(name: str, field: Field, reading: Reading, *, fill: str | None) -> Parse:
    """The reader of one field's cells; an empty cell is the fill, else nothing, else a fault where one is needed."""
    parse = _readers(name, field, reading)[field.reads]
    empty = parse(fill) if fill is not None else None

    def read(cell: str) -> object:
        if cell and not cell.isspace():
            return parse(cell)
        if empty is None and field.missing:
            raise Fault(field.missing)
        return empty

    return read


def _readers(name: str, field: Field, reading: Reading) -> Mapping[Reads, Parse]:
    style = reading.ids if name in ("customer_id", "external_id") else "text"
    return {
        "id": lambda cell: texts.identifier(cell, field.limit, style),
        "text": lambda cell: texts.text(cell, field.limit),
        "money": lambda cell: amounts.money(cell, reading.mark),
        "quantity": lambda cell: amounts.quantity(cell, reading.mark),
        "moment": lambda cell: moments.moment(cell, reading.dates, reading.file_zone, reading.tenant_zone),
        "day": lambda cell: moments.day(cell, reading.dates),
        "birthday": lambda cell: moments.birthday(cell, reading.dates),
        "time_zone": texts.time_zone,
        "currency": texts.currency,
        "order_status": lambda cell: texts.choice(cell, texts.ORDER_STATUSES, "unknown-status"),
        "customer_status": lambda cell: texts.choice(cell, texts.CUSTOMER_STATUSES, "unknown-status"),
        "customer_kind": lambda cell: texts.choice(cell, texts.CUSTOMER_KINDS, "unknown-kind"),
        "gender": lambda cell: texts.choice(cell, texts.GENDERS, "unknown-gender"),
        "tags": lambda cell: texts.tags(cell, field.limit),
    }
