"""What a fix does to a record and its contacts, and how it is taken back.

A fix is computed from the record as it stands, never from what was found once: who has mended it meanwhile is left
alone. It is done whole or not at all, and so is its undoing: a value that somebody has changed since stays, and the
undo says so. A contact that becomes one which the record has already is dropped; of each kind one is primary.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.customers.contacts import ContactKind, NormalForm
from service.domain.customers.history import Event
from service.domain.customers.model import Record, as_mapping, birthday, birthday_text
from service.domain.errors import Conflict, NotFound, Rejected
from service.domain.ids import new_id
from service.domain.quality.model import Change, Proposal

CONTACTS = "contacts"
# The fields of a record that a fix may write; who answers for it and where it stands are no matter of right or wrong.
TEXTS = frozenset(
    (
        "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form", "language", "time_zone",
        "country", "region", "city", "postal_code", "gender",
    )
)  # fmt: skip
FIELDS = TEXTS | {"birth_date"}
_KINDS = frozenset(str(kind) for kind in ContactKind)
_GENDERS = (None, "female", "male")
_LONGEST = 200


class CantMend(Conflict):
    code = "fix-impossible"
    title = "The fix can't be made: the value has changed since, or what it would become can't be stored."


class CantUndo(Conflict):
    code = "fix-not-undoable"
    title = "What the fix has written was changed since; the places are named, and nothing was undone."


class NoIssue(NotFound):
    code = "issue-not-found"
    title = "There is no such quality issue within the caller's reach."


class IssueClosed(Conflict):
    code = "issue-closed"
    title = "The issue was decided already, or is there no longer."


class NoProposal(Conflict):
    code = "issue-without-fix"
    title = "The record does not tell what would be right; somebody has to ask, and change it by hand."


class NoFix(NotFound):
    code = "fix-not-found"
    title = "There is no such fix within the caller's reach."


class FixUndone(Conflict):
    code = "fix-undone"
    title = "The fix was undone already."


class NothingChosen(Rejected):
    code = "nothing-chosen"
    title = "Say which issues are meant: by their ids or by at least one filter."


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A contact as it is stored, in clear."""

    detail_id: UUID
    kind: str
    label: str | None
    is_primary: bool
    value: str = field(repr=False)
    normal: str = field(repr=False)
    masked: str
    lookup: bytes = field(repr=False)
    verdict: str
    source: str
    author_id: UUID | None
    verified_at: datetime | None
    created_at: datetime


# The stored form of a contact of that kind, and the keyed hash it is found by.
Reader = Callable[[str, str], tuple[NormalForm, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record with its contacts in clear, at one moment."""

    record: Record
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What became of one contact; before None it is new, after None it is gone."""

    before: Detail | None
    after: Detail | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who mends, when, and how contacts are read there."""

    staff_id: UUID
    source: str
    now: datetime
    read: Reader


def text_of(record: Record, name: str) -> str | None:
    """A field as text; birth dates as they are written in the API."""
    if name == "birth_date":
        return None if record.birth_date is None else birthday_text(record.birth_date, record.birth_year_known)
    value: str | None = getattr(record, name)
    return value


def with_texts(record: Record, texts: Mapping[str, str | None]) -> Record:
    """The record with these fields set. Raises CantMend for what a field can't hold."""
    values = as_mapping(record)
    for name, text in texts.items():
        if name == "birth_date":
            values["birth_date"], values["birth_year_known"] = _day(text)
        else:
            values[name] = _stored(name, text)
    return Record(**values)


def mended(held: Held, proposal: Proposal, author: Author) -> Held:
    """The record after the fix. Raises CantMend when it no longer fits."""
    texts = {one.field: one.after for one in proposal.changes if not _of_contact(one)}
    for one in proposal.changes:
        if not _of_contact(one) and (one.field not in FIELDS or text_of(held.record, one.field) != one.before):
            raise CantMend(field=one.field)
    details = held.details
    for one in proposal.changes:
        if _of_contact(one):
            details = _exchanged(details, one, author)
    return Held(record=with_texts(held.record, texts), details=one_primary(details))


def fields_between(before: Record, after: Record) -> dict[str, tuple[str | None, str | None]]:
    """The fields that differ, each with what it held and holds."""
    pairs = ((name, text_of(before, name), text_of(after, name)) for name in sorted(FIELDS))
    return {name: (old, new) for name, old, new in pairs if old != new}


def swaps_between(before: Sequence[Detail], after: Sequence[Detail]) -> list[Swap]:
    """What became of each contact that is not as it was."""
    old = {one.detail_id: one for one in before}
    new = {one.detail_id: one for one in after}
    ids = [*old, *(one for one in new if one not in old)]
    return [Swap(before=old.get(one), after=new.get(one)) for one in ids if old.get(one) != new.get(one)]


def restored(held: Held, fields: Mapping[str, tuple[str | None, str | None]], swaps: Sequence[Swap]) -> Held:
    """The record as it was before a fix that did all this. Raises CantUndo, naming what has changed since."""
    changed = [
        {"field": name, "detail_id": None} for name, (_, after) in fields.items() if text_of(held.record, name) != after
    ]
    changed += [
        {"field": CONTACTS, "detail_id": str(one.after.detail_id)}
        for one in swaps
        if one.after is not None and not _only_ranked(one) and not _stands(held.details, one.after)
    ]
    if changed:
        raise CantUndo(changed=changed)
    details = held.details
    for one in reversed(swaps):
        details = _swapped_back(details, one)
    record = with_texts(held.record, {name: before for name, (before, _) in fields.items()})
    return Held(record=record, details=one_primary(details))


def one_primary(details: Iterable[Detail]) -> tuple[Detail, ...]:
    """The same contacts, exactly one of each kind primary: the first marked, else the first."""
    kept = tuple(details)
    chosen: dict[str, UUID] = {}
    for one in sorted(kept, key=lambda one: not one.is_primary):
        chosen.setdefault(one.kind, one.detail_id)
    return tuple(
        one if one.is_primary == (mine := chosen[one.kind] == one.detail_id) else replace(one, is_primary=mine)
        for one in kept
    )


def shown(fields: Mapping[str, tuple[str | None, str | None]], swaps: Sequence[Swap]) -> list[dict[str, str | None]]:
    """What people see of a fix: fields as they are, contacts masked. Who became primary goes without saying."""
    told: list[dict[str, str | None]] = [
        {"field": name, "kind": None, "detail_id": None, "before": before, "after": after}
        for name, (before, after) in fields.items()
    ]
    for one in swaps:
        there = one.after or one.before
        if there is not None and not _only_ranked(one):
            told.append(
                {
                    "field": CONTACTS,
                    "kind": there.kind,
                    "detail_id": str(there.detail_id),
                    "before": one.before.masked if one.before else None,
                    "after": one.after.masked if one.after else None,
                }
            )
    return told


def event_of(fields: Mapping[str, tuple[str | None, str | None]], swaps: Sequence[Swap]) -> Event:
    """What the record's timeline tells of it."""
    detail: dict[str, Any] = {"fields": {name: list(pair) for name, pair in fields.items()}}
    changed = [one for one in swaps if not _only_ranked(one)]
    if changed:
        detail[CONTACTS] = {
            "added": [_told(one.after) for one in changed if one.after],
            "removed": [_told(one.before) for one in changed if one.before],
        }
    return Event(kind="updated", detail=detail)


def _told(one: Detail) -> dict[str, str]:
    return {"kind": one.kind, "value": one.masked}


def _only_ranked(one: Swap) -> bool:
    """Whether only its being primary has changed."""
    return one.before is not None and one.after is not None and one.before.value == one.after.value


def _of_contact(change: Change) -> bool:
    return change.detail_id is not None or change.field in _KINDS or change.field == CONTACTS


def _exchanged(details: tuple[Detail, ...], change: Change, author: Author) -> tuple[Detail, ...]:
    if change.detail_id is None and change.before is None:
        return _added(details, change, author)
    old = _meant(details, change)
    others = tuple(one for one in details if one.detail_id != old.detail_id)
    if change.after is None:
        return others
    form, lookup = _read(author, old.kind, change.after)
    if form.value == old.value:
        return details
    if any(one.kind == old.kind and one.normal == form.normal for one in others):
        return others
    new = replace(
        old,
        value=form.value,
        normal=form.normal,
        masked=form.masked,
        lookup=lookup,
        verdict=form.verdict,
        source=author.source,
        author_id=author.staff_id,
        verified_at=None,
        created_at=author.now,
    )
    return tuple(new if one.detail_id == old.detail_id else one for one in details)


def _added(details: tuple[Detail, ...], change: Change, author: Author) -> tuple[Detail, ...]:
    """A contact that stood where it did not belong (a phone among the names)."""
    if change.field not in _KINDS or change.after is None:
        raise CantMend(field=change.field)
    form, lookup = _read(author, change.field, change.after)
    if any(one.kind == change.field and one.normal == form.normal for one in details):
        return details
    new = Detail(
        detail_id=new_id(),
        kind=change.field,
        label=None,
        is_primary=False,
        value=form.value,
        normal=form.normal,
        masked=form.masked,
        lookup=lookup,
        verdict=form.verdict,
        source=author.source,
        author_id=author.staff_id,
        verified_at=None,
        created_at=author.now,
    )
    return (*details, new)


def _meant(details: Iterable[Detail], change: Change) -> Detail:
    for one in details:
        named = change.detail_id == str(one.detail_id) if change.detail_id else change.field == one.kind
        if named and one.value == change.before:
            return one
    raise CantMend(field=CONTACTS, detail_id=change.detail_id)


def _read(author: Author, kind: str, text: str) -> tuple[NormalForm, bytes]:
    form, lookup = author.read(kind, text)
    if form.verdict == "invalid":
        raise CantMend(field=CONTACTS)
    return form, lookup


def _stands(details: Iterable[Detail], known: Detail) -> bool:
    return any(one.detail_id == known.detail_id and one.value == known.value for one in details)


def _swapped_back(details: tuple[Detail, ...], swap: Swap) -> tuple[Detail, ...]:
    after, before = swap.after, swap.before
    if before is not None and _only_ranked(swap):
        return tuple(
            replace(one, is_primary=before.is_primary) if one.detail_id == before.detail_id else one for one in details
        )
    others = tuple(one for one in details if after is None or one.detail_id != after.detail_id)
    if before is None:
        return others
    twins = any(
        one.detail_id == before.detail_id or (one.kind, one.normal) == (before.kind, before.normal) for one in others
    )
    return others if twins else (*others, before)


def _day(text: str | None) -> tuple[Any, bool]:
    if text is None:
        return None, True
    try:
        return birthday(text)
    except ValueError:
        raise CantMend(field="birth_date") from None


def _stored(name: str, text: str | None) -> str | None:
    bare = (text or "").strip() or None
    if name == "gender" and bare not in _GENDERS:
        raise CantMend(field=name)
    if bare is not None and (len(bare) > _LONGEST or any(_unstorable(sign) for sign in bare)):
        raise CantMend(field=name)
    return bare


def _unstorable(sign: str) -> bool:
    return sign == "\x00" or "\ud800" <= sign <= "\udfff"
