from datetime import date
from typing import Any

import pytest
from hypothesis import given

from service.domain.linkage.comparing import SCALES, compare
from service.domain.linkage.keys import keys
from service.domain.linkage.profile import Profile
from tests.unit.domain.linkage.people import ivan, profiles


def _levels(one: Profile, other: Profile) -> dict[str, str]:
    found = compare(one, other).levels
    return {name: SCALES[name].levels[place] for name, place in zip(SCALES, found, strict=True) if place >= 0}


@pytest.mark.parametrize(
    ("written", "comparison", "level"),
    [
        ({"given_name": "Саша"}, "given", "nickname"),
        ({"given_name": "А."}, "given", "initial"),
        ({"family_name": "Бычкво"}, "family", "slip"),
        ({"family_name": "Александр", "given_name": "Бычков"}, "order", "crosswise"),
        ({"birth_date": date(1967, 5, 18)}, "birth", "slip"),
        ({"birth_date": date(1977, 5, 17)}, "birth", "slip"),
        ({"birth_date": date(1968, 4, 1)}, "birth", "like"),
        ({"birth_date": date(1990, 1, 1)}, "birth", "different"),
        ({"phones": ["+79039126965"]}, "phone", "slip"),
        ({"phones": ["9039126966"]}, "phone", "same"),
        ({"phones": ["+79161112233", "+79039126966"]}, "phone", "same"),
        ({"phones": ["+79161112233"]}, "phone", "different"),
        ({"emails": ["a.bychkov@rambler.ri"]}, "email", "slip"),
        ({"emails": ["a.bychkov@yandex.ru"]}, "email", "mailbox"),
        ({"emails": ["petr@ya.ru"]}, "email", "different"),
        ({"requisites": [("inn", "774438494507")]}, "requisite", "slip"),
        ({"street": "улица Гагарина, дом 75, квартира 66"}, "street", "same"),
        ({"street": "Гагарина, 75"}, "street", "part"),
        ({"city": "Баксн"}, "city", "alike"),
    ],
)
def test_each_fault_is_told_by_its_level(written: dict[str, Any], comparison: str, level: str) -> None:
    assert _levels(ivan(), ivan(**written))[comparison] == level


def test_a_missing_value_says_nothing() -> None:
    assert "phone" not in _levels(ivan(), ivan(phones=[]))


def test_requisites_of_two_kinds_say_nothing_of_each_other() -> None:
    assert "requisite" not in _levels(ivan(), ivan(requisites=[("ogrn", "1027700132195")]))


def test_the_same_street_in_another_town_says_nothing() -> None:
    assert "street" not in _levels(ivan(), ivan(city="Саратов", postal_code="410000"))


@given(profiles(), profiles())
def test_a_comparison_is_the_same_from_both_sides(one: Profile, other: Profile) -> None:
    assert compare(one, other) == compare(other, one)


@pytest.mark.parametrize(
    "written",
    [
        {"family_name": "Бычкво", "emails": [], "requisites": []},
        {"given_name": "Саша", "phones": [], "emails": [], "birth_date": None},
        {"family_name": "Александр", "given_name": "Бычков", "birth_date": None},
        {"birth_date": date(1967, 6, 17), "phones": ["+79030000000"], "emails": []},
        {"family_name": "", "given_name": "", "street": "", "birth_date": None, "emails": []},
    ],
)
def test_records_with_a_few_faults_still_share_a_key(written: dict[str, Any]) -> None:
    assert keys(ivan()) & keys(ivan(**written))


def test_people_and_firms_share_no_key() -> None:
    assert not keys(ivan()) & keys(ivan(kind="organisation", trade_name="Ромашка"))
