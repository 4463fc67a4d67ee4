"""Taking a merge back: what was written since stays, everything else is as it was."""

from dataclasses import replace

from hypothesis import given

from service.domain.customers.model import Record
from service.domain.merging.undoing import taken_back
from tests.unit.domain.merging.test_survivorship import ONE, _records, a_candidate


def _back(before: Record, after: Record, now: Record) -> tuple[Record, dict[str, object]]:
    found = taken_back(*(replace(a_candidate(ONE), record=one) for one in (before, after, now)))
    return found.record, {one.field: (one.before, one.merged, one.now) for one in found.conflicts}


def test_what_was_changed_since_stays_and_is_a_conflict() -> None:
    before = Record(family_name="A", given_name="B", city="Казань")
    after = Record(family_name="A", given_name="C", city="Москва", gender="female")
    now = replace(after, city="Тверь", language="ru")
    place = (
        {"country": None, "region": None, "postal_code": None, "city": city} for city in ("Казань", "Москва", "Тверь")
    )
    assert _back(before, after, now) == (
        Record(family_name="A", given_name="B", city="Тверь", language="ru"),
        {"place": tuple(place)},
    )


def test_what_was_set_back_by_hand_is_no_conflict() -> None:
    before, after = Record(family_name="A"), Record(family_name="B")
    assert _back(before, after, before) == (before, {})


def test_of_a_list_only_goes_what_the_merge_has_brought() -> None:
    before, after = Record(tags=["own", "dropped"]), Record(tags=["own", "dropped", "brought"])
    now = Record(tags=["own", "brought", "since"])
    assert _back(before, after, now) == (Record(tags=["own", "since"]), {})
    taken = Record(tags=["theirs"])
    assert _back(before, taken, replace(taken, tags=["theirs", "since"]))[0].tags == ["since", "own", "dropped"]


def test_one_and_true_are_two_values() -> None:
    before, after = Record(attributes={"n": True}), Record(attributes={"n": 1})
    assert repr(_back(before, after, after)[0].attributes) == "{'n': True}"


@given(before=_records, after=_records)
def test_untouched_since_is_exactly_as_it_was(before: Record, after: Record) -> None:
    record, conflicts = _back(before, after, after)
    assert repr(record) == repr(replace(before, attributes=record.attributes))
    assert {name: repr(value) for name, value in record.attributes.items()} == {
        name: repr(value) for name, value in before.attributes.items()
    }
    assert conflicts == {}


@given(before=_records, after=_records, now=_records)
def test_a_conflict_always_keeps_what_is_there_now(before: Record, after: Record, now: Record) -> None:
    record, conflicts = _back(before, after, now)
    for field in conflicts:
        if "." not in field and field != "place":
            assert getattr(record, field) == getattr(now, field)
