"""What a fix leaves behind for its undo: the values before and after, whose word they were, contacts in clear."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.customers.provenance import Origin, Provenance
from service.domain.customers.provenance import restored as provenance_of
from service.domain.quality.fixing import Detail, Swap

Fields = Mapping[str, tuple[str | None, str | None]]
_MOMENTS = ("verified_at", "created_at")


def image(fields: Fields, swaps: Sequence[Swap], known: Provenance) -> dict[str, Any]:
    """As plain JSON; `known` says whose word the fields were before."""
    return {
        "fields": {name: list(pair) for name, pair in fields.items()},
        "words": Provenance(fields={name: known.of(name) for name in fields}).stored(),
        "contacts": [[_kept(one.before), _kept(one.after)] for one in swaps],
    }


def read(kept: Mapping[str, Any]) -> tuple[Fields, list[Swap], dict[str, Origin]]:
    """The inverse: fields, contacts, and whose word the fields were."""
    fields = {name: (before, after) for name, (before, after) in kept["fields"].items()}
    swaps = [Swap(before=_detail(before), after=_detail(after)) for before, after in kept["contacts"]]
    words = provenance_of(kept["words"])
    return fields, swaps, {name: words.of(name) for name in fields}


def _kept(one: Detail | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "detail_id": str(one.detail_id),
        "kind": one.kind,
        "label": one.label,
        "is_primary": one.is_primary,
        "value": one.value,
        "normal": one.normal,
        "masked": one.masked,
        "lookup": one.lookup.hex(),
        "verdict": one.verdict,
        "source": one.source,
        "author_id": str(one.author_id) if one.author_id else None,
        "verified_at": one.verified_at.isoformat() if one.verified_at else None,
        "created_at": one.created_at.isoformat(),
    }


def _detail(kept: Mapping[str, Any] | None) -> Detail | None:
    if kept is None:
        return None
    values = dict(kept) | {name: kept[name] and datetime.fromisoformat(kept[name]) for name in _MOMENTS}
    values["detail_id"] = UUID(kept["detail_id"])
    values["author_id"] = UUID(kept["author_id"]) if kept["author_id"] else None
    values["lookup"] = bytes.fromhex(kept["lookup"])
    return Detail(**values)
