"""Taking a merge back: each record as it was, but for what somebody has written since.

A unit that still has the value which the merge gave it gets back the one from before. One that was changed since keeps
what it was changed to, and is reported as a conflict unless that is what it was before. From a list goes what the merge
has added and comes what it has taken away; what was added or taken away since stays so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.customers.model import Record
from service.domain.customers.provenance import Provenance, restored
from service.domain.merging.model import LISTS, Candidate, parts, same, told_value, units, value_of, with_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A unit that was written since the merge, and stays as it is now."""

    field: str
    before: Any
    merged: Any
    now: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """The survivor without what the merge has brought."""

    record: Record
    provenance: Provenance
    conflicts: Sequence[Conflict]
    status_back: bool


def taken_back(before: Candidate, after: Candidate, now: Candidate) -> TakenBack:
    """The survivor as it is to be, from what it was before the merge, right after it, and is now."""
    record, conflicts = now.record, list[Conflict]()
    was, known = restored(before.provenance), restored(now.provenance)
    origins = dict(known.fields or {})
    for unit in units((before.record, after.record, now.record)):
        old, new, present = (value_of(one.record, unit) for one in (before, after, now))
        if same(old, new):
            continue
        back = _list_back(old, new, present) if unit in LISTS else old
        if same(present, new) or unit in LISTS:
            record = with_value(record, unit, back)
            if same(back, old):
                origins |= {part: was.of(part) for part in parts(unit)}
        elif not same(present, old):
            told = (told_value(one.record, unit) for one in (before, after, now))
            conflicts.append(Conflict(field=unit, **dict(zip(("before", "merged", "now"), told, strict=True))))
    fields = {part: origin for part, origin in origins.items() if origin != known.origin}
    return TakenBack(
        record=record,
        provenance=replace(known, fields=fields),
        conflicts=tuple(conflicts),
        status_back=before.record.status != after.record.status == now.record.status,
    )


def _list_back(old: Sequence[str], new: Sequence[str], present: Sequence[str]) -> list[str]:
    if present == new:
        return list(old)
    kept = [word for word in present if word not in new or word in old]
    return kept + [word for word in old if word not in new and word not in kept]
