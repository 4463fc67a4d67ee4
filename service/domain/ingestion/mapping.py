"""Which column of a file fills which field, and what the file's numbers, dates and ids mean.

Names are compared exactly, else without case and surrounding space. A file without a header is mapped by position
(the first column is 1). A header that names a column twice is refused, and so is a column that isn't there, with the
nearest names.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from service.domain.ingestion.errors import BadMapping, DuplicateHeader, UnknownColumn, UnknownField
from service.domain.ingestion.fields import FIELDS, Kind, is_free
from service.domain.ingestion.texts import IdStyle


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


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence that names what is not known, and what may have been meant."""
    close = get_close_matches(name, list(known), n=3, cutoff=0.6)
    meant = f" Did you mean {' or '.join(repr(word) for word in close)}?" if close else ""
    return f"There is no {kind} {name!r}.{meant}"


def check(mapping: ColumnMapping) -> None:
    """Refuse a mapping that names what its kind doesn't have, or positions where there is a header."""
    fields = FIELDS[mapping.kind]
    for name in (*mapping.columns, *mapping.constants):
        if name not in fields and not is_free(mapping.kind, name):
            raise UnknownField(unknown("field", name, fields), field=name, known=sorted(fields))
    wrong = [name for name, column in mapping.columns.items() if isinstance(column, int) is mapping.header]
    if wrong:
        way = "names" if mapping.header else "positions (the first is 1)"
        raise BadMapping(f"The columns of this mapping must be {way}: {', '.join(wrong)}.", fields=wrong)


def place(names: tuple[str, ...], mapping: ColumnMapping) -> dict[str, int]:
    """Field → index of its column; refuses a name that stands twice and a column that isn't there."""
    return _named(names, mapping) if mapping.header else _numbered(len(names), mapping)


def _named(names: tuple[str, ...], mapping: ColumnMapping) -> dict[str, int]:
    _refuse_twice(names)
    folded = {name.casefold(): i for i, name in reversed(list(enumerate(names)))}
    exact = {name: i for i, name in enumerate(names)}
    positions: dict[str, int] = {}
    for target, column in mapping.columns.items():
        wanted = str(column).strip()
        index = exact.get(wanted, folded.get(wanted.casefold()))
        if index is not None:
            positions[target] = index
        elif mapping.absent == "refuse":
            raise UnknownColumn(unknown("column", wanted, names), column=wanted, field=target, header=list(names))
    if mapping.extra == "refuse":
        _refuse_extra(names, positions, mapping)
    return positions


def _refuse_twice(names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        places = [i + 1 for i, name in enumerate(names) if name == twice[0]]
        raise DuplicateHeader(
            f"The header names {twice[0]!r} in columns {' and '.join(map(str, places))}; each name may stand once.",
            columns=twice,
            positions=places,
        )


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
