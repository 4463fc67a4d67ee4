"""A change is told by the fields that differ; status and curator have stories of their own."""

from datetime import date
from uuid import UUID

from service.domain.customers.history import Event, Moved, differences, events, filled, moved
from service.domain.customers.model import Record, as_mapping

_ANNA, _BORIS = UUID(int=1), UUID(int=2)
_OLD = Record(family_name="Иванова", city="Казань", tags=["vip"], attributes={"size": 42, "note": None})


def test_only_what_differs_is_told() -> None:
    new = Record(family_name="Петрова", city="Казань", tags=[], attributes={"size": 43}, birth_date=date(1990, 1, 2))
    assert differences(_OLD, new) == {
        "family_name": ["Иванова", "Петрова"],
        "birth_date": [None, "1990-01-02"],
        "tags": [["vip"], []],
        "attributes.note": [None, None],
        "attributes.size": [42, 43],
    }


def test_the_same_values_again_are_no_event() -> None:
    assert list(events(_OLD, _OLD)) == []
    assert moved(_OLD, _OLD) is None


def test_a_year_that_becomes_known_is_a_change() -> None:
    vague, sure = Record(birth_date=date(1604, 5, 17), birth_year_known=False), Record(birth_date=date(1604, 5, 17))
    assert differences(vague, sure) == {"birth_date": ["--05-17", "1604-05-17"]}


def test_status_and_curator_are_told_apart() -> None:
    old, new = Record(curator_id=_ANNA), Record(curator_id=_BORIS, status="lapsed", channel_id=_ANNA)
    assert list(events(old, new)) == [
        Event(kind="updated", detail={"fields": {"channel_id": [None, str(_ANNA)]}}),
        Event(kind="status", detail={"old": "prospect", "new": "lapsed"}),
    ]
    assert moved(old, new) == Moved(from_curator_id=_ANNA, from_team_id=None)


def test_filled_fields_are_named() -> None:
    assert filled(as_mapping(_OLD)) == [
        "kind",
        "status",
        "family_name",
        "city",
        "tags",
        "attributes.note",
        "attributes.size",
    ]
