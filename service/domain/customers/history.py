"""What a write does to a record, for its timeline: which fields changed from what to what, its status, its curator.

Status and curator have dated histories of their own. Attributes count one by one. Writing the same values again is no
event.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers.model import RECORD_FIELDS, Record, birthday_text

_APART = {"status", "curator_id", "team_id", "birth_date", "birth_year_known", "attributes"}
_PLAIN = tuple(name for name in RECORD_FIELDS if name not in _APART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that befell a record; `detail` is plain JSON."""

    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Who answered for a record before."""

    from_curator_id: UUID | None
    from_team_id: UUID | None


def source_of(principal: Principal, record: Record) -> str:
    """Whose word a write through the API is: the curator's own, or else just `api`."""
    own = principal.kind == "person" and record.curator_id == principal.staff_id
    return f"curator {principal.staff_id}" if own else "api"


def differences(old: Record, new: Record) -> dict[str, list[Any]]:
    """The record's own fields that differ, each with its old and new value as JSON."""
    found = {name: [_json(a), _json(b)] for name in _PLAIN if (a := getattr(old, name)) != (b := getattr(new, name))}
    if (born := _born(old)) != (reborn := _born(new)):
        found["birth_date"] = [born, reborn]
    for name in sorted(old.attributes.keys() | new.attributes.keys()):
        before, after = old.attributes.get(name), new.attributes.get(name)
        if before != after or (name in old.attributes) != (name in new.attributes):
            found[f"attributes.{name}"] = [before, after]
    return found


def events(old: Record, new: Record) -> Iterator[Event]:
    """What the timeline tells of a change from the old to the new record."""
    if fields := differences(old, new):
        yield Event(kind="updated", detail={"fields": fields})
    if old.status != new.status:
        yield Event(kind="status", detail={"old": old.status, "new": new.status})


def moved(old: Record, new: Record) -> Moved | None:
    """Who answered before, when that changes."""
    if (old.curator_id, old.team_id) == (new.curator_id, new.team_id):
        return None
    return Moved(from_curator_id=old.curator_id, from_team_id=old.team_id)


def filled(values: Mapping[str, Any]) -> list[str]:
    """Of a record's fields by name, those that hold something, attributes one by one."""
    names = [name for name in RECORD_FIELDS if name not in ("birth_year_known", "attributes") and values[name]]
    return [*names, *(f"attributes.{name}" for name in sorted(values["attributes"]))]


def _born(record: Record) -> str | None:
    return None if record.birth_date is None else birthday_text(record.birth_date, record.birth_year_known)


def _json(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case date():
            return value.isoformat()
    return value
