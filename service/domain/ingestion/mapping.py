"""Which column of a file fills which field, and what the file's numbers, dates and ids mean.

Binding checks the header once for the whole file: a column named twice, a column that the mapping names and the file
lacks (with the nearest names), a needed field without a column. Names are compared exactly, else without case and
surrounding space. A file without a header is mapped by position (the first column is 1), and its first row sets the
number of cells. What the mapping leaves open (decimal mark, order of dates) is settled by the first rows of the file,
and where they don't tell, ambiguous cells are rejected one by one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.domain.ingestion.amounts import Mark, decimal_mark
from service.domain.ingestion.errors import BadMapping, DuplicateHeader, MissingColumn, UnknownColumn, UnknownField
from service.domain.ingestion.faults import Fault
from service.domain.ingestion.fields import FIELDS, Kind
from service.domain.ingestion.moments import DateOrder, date_order
from service.domain.ingestion.texts import IdStyle
from service.domain.ingestion.values import Memo, Reading, parser


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """Field → column name (or position from 1, where `header` is false), with the meaning of the cells."""

    kind: Kind
    columns: Mapping[str, str | int]
    constants: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    decimal: Literal["auto", "point", "comma"] = "auto"
    dates: Literal["auto", "day_first", "month_first"] = "auto"
    ids: IdStyle = "text"
    # The order number itself says that an "order" is an unlinked return (a credit invoice).
    return_prefix: str | None = None
    # Files with one purchase a line and no number: the id is made of the row's number and contents.
    order_ids: Literal["column", "row"] = "column"
    time_zone: str | None = None
    # A preset may name columns that a file of its format can lack, and a closed format allows no others.
    absent: Literal["refuse", "skip"] = "refuse"
    extra: Literal["ignore", "refuse"] = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A mapping laid over one file: where each field's cell is, and how it is read."""

    mapping: ColumnMapping
    header: tuple[str, ...]
    width: int
    positions: Mapping[str, int]
    ignored: tuple[str, ...]
    reading: Reading
    memos: Mapping[str, Memo]
    constants: Mapping[str, object]


def bind(
    header: Sequence[str],
    mapping: ColumnMapping,
    *,
    time_zone: str,
    currency: str,
    sample: Sequence[Sequence[str]] = (),
) -> Bound:
    """Lay the mapping over the header (a header-less file: over its first row); refuses what doesn't fit."""
    names = tuple(name.strip().removeprefix("\ufeff") for name in header)
    _check_mapping(mapping)
    positions = _named(names, mapping) if mapping.header else _numbered(len(names), mapping)
    _require(positions, mapping)
    reading = _reading(mapping, positions, sample, time_zone)
    fills = {"currency": currency} | dict(mapping.constants)
    return Bound(
        mapping=mapping,
        header=names if mapping.header else tuple(f"column_{i}" for i in range(1, len(names) + 1)),
        width=len(names),
        positions=positions,
        ignored=tuple(name for i, name in enumerate(names) if mapping.header and i not in set(positions.values())),
        reading=reading,
        memos={name: Memo(_parse(name, mapping.kind, reading, fills)) for name in positions},
        constants=_constants(positions, mapping, reading, fills),
    )


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence that names what is not known, and what may have been meant."""
    close = get_close_matches(name, list(known), n=3, cutoff=0.6)
    meant = f" Did you mean {' or '.join(repr(word) for word in close)}?" if close else ""
    return f"There is no {kind} {name!r}.{meant}"


def _check_mapping(mapping: ColumnMapping) -> None:
    fields = FIELDS[mapping.kind]
    for name in (*mapping.columns, *mapping.constants):
        if name not in fields:
            raise UnknownField(unknown("field", name, fields), field=name, known=sorted(fields))
    wrong = [name for name, column in mapping.columns.items() if isinstance(column, int) is mapping.header]
    if wrong:
        way = "names" if mapping.header else "positions (the first is 1)"
        raise BadMapping(f"The columns of this mapping must be {way}: {', '.join(wrong)}.", fields=wrong)


def _named(names: tuple[str, ...], mapping: ColumnMapping) -> dict[str, int]:
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        places = [i + 1 for i, name in enumerate(names) if name == twice[0]]
        raise DuplicateHeader(
            f"The header names {twice[0]!r} in columns {' and '.join(map(str, places))}; each name may stand once.",
            columns=twice,
            positions=places,
        )
    folded = {name.casefold(): i for i, name in reversed(list(enumerate(names)))}
    exact = {name: i for i, name in enumerate(names)}
    positions: dict[str, int] = {}
    for target, column in mapping.columns.items():
        wanted = str(column).strip()
        place = exact.get(wanted, folded.get(wanted.casefold()))
        if place is not None:
            positions[target] = place
        elif mapping.absent == "refuse":
            raise UnknownColumn(unknown("column", wanted, names), column=wanted, field=target, header=list(names))
    if mapping.extra == "refuse":
        _refuse_extra(names, positions, mapping)
    return positions


def _refuse_extra(names: tuple[str, ...], positions: Mapping[str, int], mapping: ColumnMapping) -> None:
    used = set(positions.values())
    for i, name in enumerate(names):
        if i not in used and name:
            known = [str(column) for column in mapping.columns.values()]
            raise UnknownColumn(f"The format has no such column. {unknown('column', name, known)}", column=name)


def _numbered(width: int, mapping: ColumnMapping) -> dict[str, int]:
    for target, column in mapping.columns.items():
        if not 1 <= int(column) <= width:
            raise UnknownColumn(f"The file has {width} columns, so there is no column {column}.", field=target)
    return {target: int(column) - 1 for target, column in mapping.columns.items()}


def _require(positions: Mapping[str, int], mapping: ColumnMapping) -> None:
    given = set(positions) | set(mapping.constants)
    if mapping.order_ids == "row":
        given.add("order_id")
    for name, spec in FIELDS[mapping.kind].items():
        if spec.missing and spec.default is None and name not in given:
            column = mapping.columns.get(name, name)
            raise MissingColumn(f"A column for {name!r} is needed ({column!r}).", field=name, column=column)
    if mapping.kind == "order_lines" and not given & {"unit_price", "amount"}:
        raise MissingColumn("A column for 'unit_price' or 'amount' is needed.", field="unit_price")


def _reading(
    mapping: ColumnMapping, positions: Mapping[str, int], sample: Sequence[Sequence[str]], time_zone: str
) -> Reading:
    def cells(*reads: str) -> list[str]:
        places = [place for name, place in positions.items() if FIELDS[mapping.kind][name].reads in reads]
        return [row[place] for row in sample for place in places if place < len(row)]

    mark: Mark | None = decimal_mark(cells("money", "quantity")) if mapping.decimal == "auto" else mapping.decimal
    dates: DateOrder | None = date_order(cells("moment", "day")) if mapping.dates == "auto" else mapping.dates
    return Reading(
        file_zone=_zone(mapping.time_zone or time_zone),
        tenant_zone=_zone(time_zone),
        mark=mark,
        dates=dates,
        ids=mapping.ids,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadMapping(f"There is no time zone {name!r}.", field="time_zone") from error


def _parse(name: str, kind: Kind, reading: Reading, fills: Mapping[str, str]):  # type: ignore[no-untyped-def]
    spec = FIELDS[kind][name]
    fill = fills.get(name, spec.default if spec.missing is None else None)
    return parser(name, spec, reading, fill=fill)
