import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from service.domain.linkage.comparing import compare
from service.domain.linkage.model import DEFAULT, Model, Waterfall, weight
from service.domain.linkage.profile import Profile, profile
from tests.unit.domain.linkage.people import ivan


def _weighed(one: Profile, other: Profile, model: Model = DEFAULT) -> Waterfall:
    return weight(compare(one, other), model)


def test_a_waterfall_adds_up() -> None:
    told = _weighed(ivan(), ivan(given_name="Саша", phones=[]))
    assert told.total == pytest.approx(told.start + sum(step.weight for step in told.steps))
    assert "phone" not in {step.comparison for step in told.steps}


def test_one_man_with_faults_is_one() -> None:
    assert _weighed(ivan(), ivan(family_name="Бычкво", emails=[], phones=["+79030000000"])).probability > 0.99


@pytest.mark.parametrize(
    "relative",
    [
        {"family_name": "Бычкова", "given_name": "Елена", "patronymic": "Ильинична", "birth_date": date(1969, 2, 3)},
        {"given_name": "Глеб", "patronymic": "Александрович", "birth_date": date(1990, 5, 17)},
        {"given_name": "Роман", "birth_date": date(1972, 5, 17), "emails": []},
    ],
    ids=["wife", "son", "brother"],
)
def test_a_shared_home_and_telephone_make_no_one(relative: dict[str, Any]) -> None:
    own = {"requisites": [("inn", "500100732259")], "emails": ["x777@mail.ru"]}
    told = _weighed(ivan(), ivan(**(own | relative)))
    assert told.probability < 0.1
    assert told.steps[-1].comparison == "household"


def test_a_namesake_of_another_town_is_another() -> None:
    other = {"birth_date": date(1978, 9, 1), "phones": ["+79160000000"], "city": "Саратов", "postal_code": "410000"}
    own = {"emails": ["zz@mail.ru"], "requisites": [("inn", "500100732259")]}
    assert _weighed(ivan(), ivan(**other, **own)).probability < 0.1


def test_a_common_name_weighs_less() -> None:
    model = replace(DEFAULT, frequency={"family": {"bichkov": 0.05}}, rarest={"family": 0.0001})
    names: list[dict[str, Any]] = [
        {"family_name": name, "birth_date": date(1967, 5, 17)} for name in ("Бычков", "Журавель")
    ]
    common, rare = (_weighed(profile(**one), profile(**one), model) for one in names)
    assert common.total < rare.total


def test_a_firm_is_one_under_two_legal_forms_and_two_firms_of_one_office_are_two() -> None:
    firm: dict[str, Any] = {"kind": "organisation", "phones": ["+74951234567"], "street": "Мира 1", "city": "Москва"}
    one = profile(trade_name="ООО «Ромашка»", **firm)
    assert _weighed(one, profile(trade_name="Ромашка, АО", **firm)).probability > 0.9
    assert _weighed(one, profile(trade_name="Василёк", **firm)).probability < 0.5


def test_a_model_survives_being_stored() -> None:
    model = replace(DEFAULT, frequency={"family": {"ivanov": 0.01}}, rarest={"family": 0.0001})
    again = Model.of(json.loads(json.dumps(model.stored())))
    assert _weighed(ivan(), ivan(given_name="Саша"), again) == _weighed(ivan(), ivan(given_name="Саша"), model)
