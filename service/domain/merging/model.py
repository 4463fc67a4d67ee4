"""Records that are to become one, and the fields by which they do.

A *unit* is what comes from one record as a whole: a field, or fields that mean something only together (a place; the
day of a birth and whether its year is known; who answers for the record). Attributes are units of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from service.domain.customers.history import filled as filled_fields
from service.domain.customers.model import Record, as_mapping, birthday_text
from service.domain.customers.provenance import Origin, restored

Value = Any
MOST = 50
GROUPS: Mapping[str, tuple[str, ...]] = {
    "birth_date": ("birth_date", "birth_year_known"),
    "curator": ("curator_id", "team_id"),
    "place": ("country", "region", "city", "postal_code"),
}
SINGLE = (
    "family_name",
    "given_name",
    "patronymic",
    "legal_name",
    "trade_name",
    "legal_form",
    "gender",
    "language",
    "time_zone",
    "status",
    "channel_id",
)
LISTS = ("tags", "preferences")
ATTRIBUTE = "attributes."


class Rule(StrEnum):
    """How the value of a unit is chosen among records that fill it."""

    SURVIVOR = "survivor"  # its own, where it has one; else the newest
    NEWEST = "newest"
    OLDEST = "oldest"
    VERIFIED = "verified"  # what was found right last; else the newest
    COMMON = "common"  # what most records say; among equals the newest
    LONGEST = "longest"
    FURTHEST = "furthest"  # of a status: customer, lapsed, prospect, archived
    UNION = "union"  # of a list: what any of them has


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One of the records, as it is stored."""

    customer_id: UUID
    version: int
    record: Record
    created_at: datetime
    updated_at: datetime
    import_id: UUID | None = None
    provenance: Sequence[Mapping[str, Any]] = ()
    restricted: bool = False
    erased: bool = False
    orders: int = 0

    @property
    def implied_source(self) -> str:
        return f"import {self.import_id}" if self.import_id else "api"

    def origin(self, unit: str) -> Origin:
        """Where the value of a unit comes from, with what is implied said."""
        if unit in ("status", "curator"):
            return Origin(source=None, set_at=self.updated_at)
        known = restored(self.provenance)
        # Of a place or a birthday, the part that was set last, and found right last, speaks for the whole.
        found = max(
            (known.of(part) for part in parts(unit)),
            key=lambda one: (one.set_at or self.created_at, one.verified_at or self.created_at),
        )
        return Origin(
            source=found.source or self.implied_source,
            set_at=found.set_at or self.created_at,
            verified_at=found.verified_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller wants of a unit: a rule, or the value of one of the records."""

    rule: Rule | None = None
    taken_from: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOrder:
    """What is asked for; `versions` are those that the caller has read, of the records for which he says so."""

    customer_ids: Sequence[UUID]
    survivor_id: UUID | None = None
    rule: Rule = Rule.SURVIVOR
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    versions: Mapping[UUID, int] = field(default_factory=dict)
    reason: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What was asked for, without any value of a record."""
        return {
            "customer_ids": [str(one) for one in self.customer_ids],
            "survivor_id": str(self.survivor_id) if self.survivor_id else None,
            "rule": str(self.rule),
            "fields": {
                name: {"customer_id": str(wish.taken_from)} if wish.taken_from else {"rule": str(wish.rule)}
                for name, wish in self.wishes.items()
                if not name.startswith(ATTRIBUTE)
            },
        }


def units(records: Iterable[Record]) -> list[str]:
    """The units that some of the records fill, in the order in which they are shown."""
    records = list(records)
    own = [name for name in (*SINGLE, *GROUPS, *LISTS) if any(is_filled(one, name) for one in records)]
    return own + [f"{ATTRIBUTE}{name}" for name in sorted({name for one in records for name in one.attributes})]


def parts(unit: str) -> tuple[str, ...]:
    """The fields of a unit, as provenance names them."""
    return GROUPS.get(unit, (unit,))


def value_of(record: Record, unit: str) -> Value:
    """A unit's value; equal ones are the same value."""
    if unit.startswith(ATTRIBUTE):
        return record.attributes.get(unit.removeprefix(ATTRIBUTE))
    if unit in GROUPS:
        return tuple(getattr(record, part) for part in GROUPS[unit])
    return getattr(record, unit)


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same to the letter: in Python, but not in JSON, 1 equals true."""
    return repr(one) == repr(other)


def is_filled(record: Record, unit: str) -> bool:
    if unit.startswith(ATTRIBUTE):
        return unit.removeprefix(ATTRIBUTE) in record.attributes
    if unit == "birth_date":
        return record.birth_date is not None
    if unit in GROUPS:
        return any(part is not None for part in value_of(record, unit))
    return bool(value_of(record, unit))


def with_value(record: Record, unit: str, value: Value) -> Record:
    """The record with another value of that unit; None takes an attribute away."""
    fields = as_mapping(record)
    if unit.startswith(ATTRIBUTE):
        name = unit.removeprefix(ATTRIBUTE)
        others = {key: kept for key, kept in record.attributes.items() if key != name}
        fields["attributes"] = others if value is None else others | {name: value}
    elif unit in GROUPS:
        fields |= dict(zip(GROUPS[unit], value, strict=True))
    else:
        fields[unit] = value
    return Record(**fields)


def told_value(record: Record, unit: str) -> Any:
    """A unit's value as JSON; None where there is none."""
    if not is_filled(record, unit):
        return None
    if unit == "birth_date":
        assert record.birth_date is not None
        return birthday_text(record.birth_date, record.birth_year_known)
    value = value_of(record, unit)
    if unit in GROUPS:
        return {part: _plain(inner) for part, inner in zip(GROUPS[unit], value, strict=True)}
    return _plain(value)


def fullness(record: Record) -> int:
    """How many fields a record fills."""
    return len(filled_fields(as_mapping(record)))


def _plain(value: Value) -> Any:
    return str(value) if isinstance(value, UUID) else value
