"""A fix does what it proposes, or nothing; and taking it back leaves the record as it was."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.contacts import ContactKind, NormalForm, assess
from service.domain.customers.model import Record
from service.domain.customers.provenance import Origin, Provenance
from service.domain.quality import images
from service.domain.quality.fixing import (
    Author,
    CantMend,
    CantUndo,
    Detail,
    Held,
    fields_between,
    mended,
    one_primary,
    restored,
    shown,
    swaps_between,
)
from service.domain.quality.model import Change, Proposal

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_EARLIER = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def _read(kind: str, text: str) -> tuple[NormalForm, bytes]:
    form = assess(ContactKind(kind), text, "RU")
    return form, f"{kind} {form.normal}".encode()


AUTHOR = Author(staff_id=uuid4(), source="fix", now=_NOW, read=_read)


def a_detail(kind: str, value: str, *, primary: bool = False, **besides: Any) -> Detail:
    form, lookup = _read(kind, value)
    return Detail(
        detail_id=uuid4(),
        kind=kind,
        label="work",
        is_primary=primary,
        value=value,
        normal=form.normal,
        masked=form.masked,
        lookup=lookup,
        verdict=form.verdict,
        source="import",
        author_id=uuid4(),
        verified_at=_EARLIER,
        created_at=_EARLIER,
        **besides,
    )


def proposed(*changes: Change) -> Proposal:
    return Proposal(changes=changes, confidence=0.9)


def of_contact(detail: Detail, after: str | None) -> Change:
    return Change(field="contacts", before=detail.value, after=after, detail_id=str(detail.detail_id))


def undone(before: Held, after: Held) -> Held:
    return restored(after, fields_between(before.record, after.record), swaps_between(before.details, after.details))


def alike(one: Held, other: Held) -> bool:
    return one.record == other.record and set(one.details) == set(other.details)


def test_a_contact_is_mended_where_it_stands() -> None:
    wrong = a_detail("email", "ivanov@gmial.com", primary=True)
    held = Held(record=Record(family_name="Иванов"), details=(wrong,))
    (now,) = mended(held, proposed(of_contact(wrong, "ivanov@gmail.com")), AUTHOR).details
    assert (now.detail_id, now.label, now.is_primary) == (wrong.detail_id, "work", True)
    assert (now.value, now.normal, now.source, now.verified_at) == ("ivanov@gmail.com", "ivanov@gmail.com", "fix", None)


def test_a_contact_that_becomes_one_that_is_there_is_dropped_and_the_other_made_primary() -> None:
    wrong, right = a_detail("email", "i@gmial.com", primary=True), a_detail("email", "i@gmail.com")
    held = Held(record=Record(), details=(wrong, right))
    after = mended(held, proposed(of_contact(wrong, "i@gmail.com")), AUTHOR)
    assert [(one.detail_id, one.is_primary) for one in after.details] == [(right.detail_id, True)]
    assert alike(undone(held, after), held)


def test_names_that_were_swapped_change_places() -> None:
    held = Held(record=Record(family_name="Иван", given_name="Иванов"))
    swapped = proposed(
        Change(field="family_name", before="Иван", after="Иванов"),
        Change(field="given_name", before="Иванов", after="Иван"),
    )
    after = mended(held, swapped, AUTHOR)
    assert (after.record.family_name, after.record.given_name) == ("Иванов", "Иван")
    assert alike(undone(held, after), held)


def test_a_phone_among_the_names_becomes_a_contact() -> None:
    held = Held(record=Record(family_name="Иванов 8 921 123-45-67"))
    moved = proposed(
        Change(field="family_name", before="Иванов 8 921 123-45-67", after="Иванов"),
        Change(field="phone", before=None, after="8 921 123-45-67"),
    )
    after = mended(held, moved, AUTHOR)
    assert [(one.kind, one.normal, one.is_primary) for one in after.details] == [("phone", "+79211234567", True)]
    assert alike(undone(held, after), held)


def test_a_birth_date_is_emptied_and_comes_back() -> None:
    held = Held(record=Record(family_name="Иванов", birth_date=date(1900, 1, 1)))
    after = mended(held, proposed(Change(field="birth_date", before="1900-01-01", after=None)), AUTHOR)
    assert after.record.birth_date is None
    assert alike(undone(held, after), held)


@pytest.mark.parametrize(
    "change",
    [
        Change(field="city", before="Казань", after="Москва"),
        Change(field="curator_id", before=None, after="019377a4-6c00-7000-8000-000000000001"),
        Change(field="birth_date", before=None, after="31.12.1999"),
        Change(field="gender", before=None, after="both"),
        Change(field="family_name", before="Иванов", after="И" * 201),
        Change(field="family_name", before="Иванов", after="Ив\x00анов"),
        Change(field="family_name", before="Иванов", after="Ив\ud800анов"),
        Change(field="contacts", before="a@example.org", after="b@example.org", detail_id=str(UUID(int=1))),
        Change(field="contacts", before=None, after="b@example.org"),
        Change(field="phone", before=None, after="call me"),
        Change(field="phone", before="12", after="+7 921 123-45-67"),
    ],
    ids=lambda change: f"{change.field}-{change.before}-{str(change.after)[:8]!r}"[:60],
)
def test_what_no_longer_fits_or_cannot_be_stored_is_refused(change: Change) -> None:
    held = Held(record=Record(family_name="Иванов", city="Пермь"), details=(a_detail("phone", "+7 921 999-45-67"),))
    with pytest.raises(CantMend):
        mended(held, proposed(change), AUTHOR)


def test_what_was_changed_since_is_named_and_nothing_is_undone() -> None:
    wrong = a_detail("email", "ivanov@gmial.com", primary=True)
    held = Held(record=Record(family_name="иванов"), details=(wrong,))
    both = proposed(Change(field="family_name", before="иванов", after="Иванов"), of_contact(wrong, "ivanov@gmail.com"))
    after = mended(held, both, AUTHOR)
    since = Held(record=replace(after.record, family_name="Петров"), details=())
    with pytest.raises(CantUndo) as refused:
        restored(since, fields_between(held.record, after.record), swaps_between(held.details, after.details))
    assert refused.value.extra["changed"] == [
        {"field": "family_name", "detail_id": None},
        {"field": "contacts", "detail_id": str(wrong.detail_id)},
    ]


def test_people_see_contacts_masked() -> None:
    wrong = a_detail("email", "ivanov@gmial.com", primary=True)
    held = Held(record=Record(family_name="Иванов"), details=(wrong,))
    after = mended(held, proposed(of_contact(wrong, "ivanov@gmail.com")), AUTHOR)
    told = shown({}, swaps_between(held.details, after.details))
    assert "ivanov@" not in str(told)
    assert told[0]["before"] == wrong.masked


_TEXT = st.text("абвг AB-.", min_size=1, max_size=8).map(str.strip).filter(bool)
_FIELD = st.sampled_from(["family_name", "given_name", "patronymic", "city", "region", "postal_code"])
_EMAIL = st.sampled_from([f"{name}@{domain}" for name in "abc" for domain in ("example.org", "gmial.com", "gmail.com")])
_PHONE = st.sampled_from([f"+7 921 123-45-6{digit}" for digit in range(4)])


@st.composite
def a_held(draw: st.DrawFn) -> Held:
    fields: dict[str, Any] = draw(st.dictionaries(_FIELD, _TEXT, min_size=1))
    given = draw(
        st.lists(st.one_of(_EMAIL.map(lambda v: ("email", v)), _PHONE.map(lambda v: ("phone", v))), max_size=5)
    )
    unique = {(kind, _read(kind, value)[0].normal): (kind, value) for kind, value in given}
    details = [a_detail(kind, value, primary=draw(st.booleans())) for kind, value in unique.values()]
    return Held(record=Record(**fields), details=one_primary(details))


@st.composite
def a_fix(draw: st.DrawFn, held: Held) -> Proposal:
    changes = [
        Change(field=name, before=getattr(held.record, name), after=draw(st.none() | _TEXT))
        for name in draw(st.sets(_FIELD, max_size=2))
    ]
    for detail in held.details:
        if draw(st.booleans()):
            values = _EMAIL if detail.kind == "email" else _PHONE
            changes.append(of_contact(detail, draw(st.none() | values)))
    if draw(st.booleans()):
        changes.append(Change(field="phone", before=None, after=draw(_PHONE)))
    return proposed(*changes)


@given(st.data())
def test_any_fix_leaves_one_primary_of_each_kind_and_can_be_undone(data: st.DataObject) -> None:
    held = data.draw(a_held())
    after = mended(held, data.draw(a_fix(held)), AUTHOR)
    for kind in {one.kind for one in after.details}:
        assert sum(one.is_primary for one in after.details if one.kind == kind) == 1
    normals = [(one.kind, one.normal) for one in after.details]
    assert len(normals) == len(set(normals))
    assert alike(undone(held, after), held)


@given(st.data())
def test_fixes_made_one_after_the_other_are_undone_from_the_last(data: st.DataObject) -> None:
    states = [data.draw(a_held())]
    for _ in range(3):
        states.append(mended(states[-1], data.draw(a_fix(states[-1])), AUTHOR))
    now = states[-1]
    for before, after in zip(states[-2::-1], states[:0:-1], strict=True):
        fields, swaps = fields_between(before.record, after.record), swaps_between(before.details, after.details)
        now = restored(now, fields, swaps)
        assert alike(now, before)


@given(st.data())
def test_an_image_is_read_as_it_was_kept(data: st.DataObject) -> None:
    held = data.draw(a_held())
    after = mended(held, data.draw(a_fix(held)), AUTHOR)
    fields, swaps = fields_between(held.record, after.record), swaps_between(held.details, after.details)
    words = Provenance(fields={name: Origin(source="import", set_at=_EARLIER) for name in fields})
    kept = images.image(fields, swaps, words)
    assert images.read(kept) == (fields, swaps, {name: words.of(name) for name in fields})
