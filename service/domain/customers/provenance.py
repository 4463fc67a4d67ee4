"""Where each field of a record comes from, when it was set, and when somebody last found it right.

Kept as groups of fields that share all three, so that a record written in one go keeps next to nothing: what no group
names comes from the origin, and an origin that says nothing is the record's import, or else `api`, at its making.
Measured: 5 bytes a record as imported, 129 once a curator has changed two fields, 59 on average over a base of which
three in ten have changed; 620 if each of twelve fields named its own. Times are whole seconds. Status and curator are
not in here, for each has a dated history of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Source, time of setting and time of the last check that fields share; None = what is implied, or never."""

    source: str | None = None
    set_at: datetime | None = None
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """The record's origin, and the fields that have one of their own."""

    origin: Origin = Origin()
    fields: Mapping[str, Origin] | None = None

    def of(self, field: str) -> Origin:
        """Where that field comes from."""
        return (self.fields or {}).get(field, self.origin)

    def set(self, fields: Iterable[str], source: str, when: datetime) -> Self:
        """The same after `source` has set these fields; a value just set has not been checked since."""
        fresh = Origin(source=source, set_at=_whole(when))
        return self._with(dict.fromkeys(fields, fresh))

    def verify(self, fields: Iterable[str], when: datetime) -> Self:
        """The same after these fields were found right."""
        return self._with({field: replace(self.of(field), verified_at=_whole(when)) for field in fields})

    def returned(self, fields: Mapping[str, Origin]) -> Self:
        """The same with these fields' earlier origins, after what had set them was undone."""
        return self._with(fields)

    def _with(self, changed: Mapping[str, Origin]) -> Self:
        own = {**(self.fields or {}), **changed}
        return replace(self, fields={field: origin for field, origin in own.items() if origin != self.origin})

    def stored(self) -> list[dict[str, Any]]:
        """The groups, each {s: source, t: set at, v: verified at, f: fields} in seconds, without what is implied."""
        groups: dict[Origin, list[str]] = {}
        for field, origin in sorted((self.fields or {}).items()):
            groups.setdefault(origin, []).append(field)
        kept = [_group(origin) | {"f": fields} for origin, fields in groups.items()]
        first = _group(self.origin)
        return [first, *kept] if first else kept


def restored(groups: Sequence[Mapping[str, Any]]) -> Provenance:
    """The inverse of `stored`."""
    origin, fields = Origin(), dict[str, Origin]()
    for group in groups:
        found = Origin(source=group.get("s"), set_at=_moment(group.get("t")), verified_at=_moment(group.get("v")))
        if "f" in group:
            fields |= dict.fromkeys(group["f"], found)
        else:
            origin = found
    return Provenance(origin, fields)


def begun(source: str) -> Provenance:
    """That of a record which is being made."""
    return Provenance(Origin(source=None if source == "api" or source.startswith("import ") else source))


def _group(origin: Origin) -> dict[str, Any]:
    group: dict[str, Any] = {"s": origin.source} if origin.source is not None else {}
    if origin.set_at is not None:
        group["t"] = int(origin.set_at.timestamp())
    if origin.verified_at is not None:
        group["v"] = int(origin.verified_at.timestamp())
    return group


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
