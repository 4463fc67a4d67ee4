"""A mapping laid over one file: checked once against its header, so that rows need no more than look-ups.

A needed field without a column refuses the whole file. What the mapping leaves open (decimal mark, order of day and
month) is settled by the first rows of the file; where they don't tell, ambiguous cells are rejected one by one.
In a file without a header the first row sets the number of cells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.domain.ingestion.amounts import decimal_mark
from service.domain.ingestion.errors import BadMapping, MissingColumn
from service.domain.ingestion.faults import Fault
from service.domain.ingestion.fields import FIELDS, field_of
from service.domain.ingestion.mapping import ColumnMapping, check, place
from service.domain.ingestion.moments import date_order
from service.domain.ingestion.values import Memo, Reading, parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where each field's cell is, and how it is read; `values` holds the fields that have no column."""

    mapping: ColumnMapping
    header: tuple[str, ...]
    positions: Mapping[str, int]
    ignored: tuple[str, ...]
    reading: Reading
    memos: Mapping[str, Memo]
    values: Mapping[str, object]

    @property
    def width(self) -> int:
        return len(self.header)


def bind(
    header: Sequence[str],
    mapping: ColumnMapping,
    *,
    time_zone: str,
    currency: str,
    sample: Sequence[Sequence[str]] = (),
) -> Bound:
    """Lay the mapping over the header (a file without one: over its first row), or refuse the file."""
    check(mapping)
    names = tuple(name.strip() for name in header)
    positions = place(names, mapping)
    _require(positions, mapping)
    reading = _reading(mapping, positions, sample, time_zone)
    fills = {"currency": currency} | dict(mapping.constants)
    taken = set(positions.values())
    return Bound(
        mapping=mapping,
        header=names if mapping.header else tuple(f"column_{i}" for i in range(1, len(names) + 1)),
        positions=positions,
        ignored=tuple(name for i, name in enumerate(names) if mapping.header and i not in taken),
        reading=reading,
        memos=dict(_memos(positions, mapping, reading, fills)),
        values=dict(_values(positions, mapping, reading, fills)),
    )


def _require(positions: Mapping[str, int], mapping: ColumnMapping) -> None:
    given = {*positions, *mapping.constants, *(["order_id"] if mapping.order_ids == "row" else [])}
    for name, spec in FIELDS[mapping.kind].items():
        if spec.missing and spec.default is None and name not in given:
            column = mapping.columns.get(name, name)
            raise MissingColumn(f"A column {column!r} for the field {name!r} is needed.", field=name, column=column)
    if mapping.kind == "order_lines" and not given & {"unit_price", "amount"}:
        raise MissingColumn("A column for the field 'unit_price' or 'amount' is needed.", field="unit_price")


def _reading(
    mapping: ColumnMapping, positions: Mapping[str, int], sample: Sequence[Sequence[str]], time_zone: str
) -> Reading:
    def cells(*reads: str) -> list[str]:
        places = [index for name, index in positions.items() if field_of(mapping.kind, name).reads in reads]
        return [row[index] for row in sample for index in places if index < len(row)]

    return Reading(
        file_zone=_zone(mapping.time_zone or time_zone),
        tenant_zone=_zone(time_zone),
        mark=decimal_mark(cells("money", "quantity")) if mapping.decimal == "auto" else mapping.decimal,
        dates=date_order(cells("moment", "day", "birthday")) if mapping.dates == "auto" else mapping.dates,
        ids=mapping.ids,
    )


def _memos(
    positions: Mapping[str, int], mapping: ColumnMapping, reading: Reading, fills: Mapping[str, str]
) -> Iterator[tuple[str, Memo]]:
    for name in positions:
        spec = field_of(mapping.kind, name)
        fill = fills.get(name, None if spec.missing else spec.default)
        try:
            yield name, Memo(parser(name, spec, reading, fill=fill))
        except Fault as fault:
            raise _bad_constant(name, fault) from fault


def _values(
    positions: Mapping[str, int], mapping: ColumnMapping, reading: Reading, fills: Mapping[str, str]
) -> Iterator[tuple[str, object]]:
    for name in {**FIELDS[mapping.kind], **mapping.constants}:
        spec = field_of(mapping.kind, name)
        fill = fills.get(name, spec.default)
        if name in positions or fill is None:
            continue
        try:
            yield name, parser(name, spec, reading, fill=fill)(fill)
        except Fault as fault:
            raise _bad_constant(name, fault) from fault


def _bad_constant(name: str, fault: Fault) -> BadMapping:
    return BadMapping(f"The constant for {name!r} can't be used. {fault.detail}", field=name, reason=fault.code)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadMapping(f"There is no time zone {name!r}.", field="time_zone") from error
