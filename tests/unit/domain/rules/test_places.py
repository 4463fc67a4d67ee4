"""Cities near a point: known by their names in any language, measured along the great circle."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from service.domain.access import Scope
from service.domain.rules.binding import bind
from service.domain.rules.errors import BadRule
from service.domain.rules.fields import Catalogue
from service.domain.rules.model import Near, Rule
from service.domain.rules.parsing import parse
from service.domain.rules.places import Point, distance_km, names_near, point_of


def _bound(rule: Rule) -> Rule:
    return bind(rule, Catalogue({}), frozenset(Scope), date(2027, 3, 1))


def test_a_city_is_known_by_any_of_its_names() -> None:
    assert point_of("Москва") == point_of("MOSCOW") == point_of("Moskau")
    assert point_of("Орёл") == point_of("орел")
    assert point_of("Нигдеград") is None


def test_distances_are_those_of_the_map() -> None:
    moscow, kazan = point_of("Москва"), point_of("Казань")
    assert moscow
    assert kazan
    assert distance_km(moscow, kazan) == pytest.approx(719, abs=3)
    assert distance_km(Point(0, 179.5), Point(0, -179.5)) == pytest.approx(111.2, abs=0.1)  # over the date line
    assert distance_km(Point(90, 0), Point(-90, 0)) == pytest.approx(20_015, abs=1)


def test_near_are_the_cities_within_the_distance() -> None:
    kazan = point_of("Казань")
    assert kazan
    near = set(names_near(kazan, 100))
    assert {"казань", "зеленодольск", "волжск", "kazan"} <= near
    assert not near & {"москва", "набережные челны", "ульяновск"}
    assert set(names_near(kazan, 1)) >= {"казань"}


@pytest.mark.parametrize(
    ("where", "pointer"),
    [
        ({"city": "Нигдеград"}, "/city"),
        ({"city": " "}, "/city"),
        ({}, ""),
        ({"latitude": Decimal(55)}, ""),
        ({"city": "Казань", "latitude": Decimal(55), "longitude": Decimal(49)}, ""),
        ({"latitude": Decimal(91), "longitude": Decimal(49)}, "/latitude"),
        ({"latitude": Decimal(55), "longitude": Decimal(-181)}, "/longitude"),
        ({"city": "Казань", "within_km": 0}, "/within_km"),
        ({"city": "Казань", "within_km": 2_001}, "/within_km"),
    ],
)
def test_a_place_that_means_nothing_is_refused_where_it_stands(where: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadRule) as refused:
        _bound(Near(**{"within_km": 10, **where}))
    assert refused.value.extra["pointer"] == pointer


def test_both_forms_of_a_place_are_read() -> None:
    point = Near(latitude=Decimal("55.75"), longitude=Decimal("-0.5"), within_km=300)
    assert _bound(parse("near 55.75, -0.5 within 300 km").rule) == point
    assert _bound(parse('near "Казань" within 10 km').rule) == Near(city="Казань", within_km=10)
