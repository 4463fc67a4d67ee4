"""The people and organisations of the demo's base, one row at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from service.demo import people
from service.demo.faults import PlantedFault, Row, double, plant
from service.demo.places import EN, RU, Place
from service.domain.ingestion.fields import FIELDS

_NOT_GENERATED = ("display_name", "status", "messenger", "account", "bic", "iban", "vat")
COLUMNS = tuple(name for name in FIELDS["customers"] if name not in _NOT_GENERATED)
# Code, kind in the catalogue of channels, name, weight.
CHANNELS = (
    ("website", "online_sales", "Интернет-магазин", 34),
    ("shop", "own_outlets", "Магазины", 26),
    ("advertising", "advertising", "Реклама", 14),
    ("mailings", "mailings", "Рассылки", 9),
    ("calls", "calls", "Звонки", 6),
    ("partners", "intermediaries", "Партнёры", 6),
    ("referral", "indirect", "Рекомендации", 5),
)
_RETAIL, _CORPORATE = "Розница", "Корпоративные клиенты"
TEAMS = {_RETAIL: 5, _CORPORATE: 3}
CURATORS = tuple(
    (f"manager-{number}", team)
    for number, team in enumerate((name for name, size in TEAMS.items() for _ in range(size)), start=1)
)
_TAGS = (("newsletter", 0.35), ("loyalty-card", 0.25), ("vip", 0.03), ("complaint", 0.02))
_ORGANISATIONS, _RUSSIAN, _DOUBLES, _REMEMBERED = 0.08, 0.75, 0.025, 500


@dataclass(frozen=True, slots=True)
class Customer:
    """A row of the file, and what is wrong with it."""

    row: Row
    fault: PlantedFault | None

    @property
    def organisation(self) -> bool:
        return self.row["kind"] == "organisation"

    @property
    def team(self) -> str:
        return _CORPORATE if self.organisation else _RETAIL


class _World:
    """Pools that are drawn once."""

    def __init__(self, seed: int, as_of: date) -> None:
        self.as_of = as_of
        self.names = {language: people.Names(language, seed) for language in ("ru", "en")}
        self.places = {"ru": RU, "en": EN}
        self.weights = {
            language: tuple(accumulate(p.population for p in self.places[language])) for language in self.names
        }
        self.channels = tuple(accumulate(weight for *_, weight in CHANNELS))

    def place(self, rng: Random, language: str) -> Place:
        return rng.choices(self.places[language], cum_weights=self.weights[language])[0]


def customers(rng: Random, *, count: int, seed: int, as_of: date) -> Iterator[Customer]:
    """Exactly `count` records, doubles among them."""
    world = _World(seed, as_of)
    remembered: list[Row] = []
    for number in range(1, count + 1):
        external_id = f"C{number:06d}"
        if remembered and rng.random() < _DOUBLES:
            yield Customer(*double(rng.choice(remembered), rng, external_id))
            continue
        row = _record(rng, world, external_id)
        fault = plant(row, rng)
        if fault is None and row["kind"] == "person":
            # Only sound records are doubled, so that each planted pair has one truth.
            if len(remembered) < _REMEMBERED:
                remembered.append(row)
            else:
                remembered[rng.randrange(_REMEMBERED)] = row
        yield Customer(row, fault)


def _record(rng: Random, world: _World, external_id: str) -> Row:
    language = "ru" if rng.random() < _RUSSIAN else "en"
    place = world.place(rng, language)
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "external_id": external_id,
        "language": language,
        "country": place.country,
        "region": place.region,
        "city": place.city,
        "postal_code": people.postal_code(rng, place),
        "phone": people.phone(rng, place.country) if rng.random() < 0.93 else "",
        "channel": rng.choices(CHANNELS, cum_weights=world.channels)[0][0],
        "tags": "|".join(tag for tag, share in _TAGS if rng.random() < share),
    }
    if rng.random() < 0.6:
        row["street"] = people.street(rng, world.names[language])
    if rng.random() < _ORGANISATIONS:
        _organisation(rng, world.names[language], row)
    else:
        _person(rng, world, row)
    return row


def _person(rng: Random, world: _World, row: Row) -> None:
    names = world.names[row["language"]]
    gender = rng.choice(("male", "female", "female"))
    given, family = names.given[gender].draw(rng), names.family[gender].draw(rng)
    row |= {"kind": "person", "given_name": given, "family_name": family, "curator": _curator(rng, _RETAIL)}
    if names.patronymic and rng.random() < 0.7:
        row["patronymic"] = names.patronymic[gender].draw(rng)
    if rng.random() < 0.8:
        row["gender"] = gender
    if rng.random() < 0.82:
        row["email"] = people.email(rng, names.language, given, family)
    if rng.random() < 0.62:
        born = world.as_of - timedelta(days=int(rng.triangular(18, 82, 36) * 365.25))
        row["birth_date"] = born.isoformat()


def _organisation(rng: Random, names: people.Names, row: Row) -> None:
    legal, trade = people.company(rng, names)
    local = "".join(sign for sign in people.latin(trade) if sign.isascii() and sign.isalnum())[:18] or "office"
    row |= {
        "kind": "organisation",
        "legal_name": legal,
        "trade_name": trade,
        "curator": _curator(rng, _CORPORATE),
        "email": f"{rng.choice(('info', 'office', 'zakaz'))}@{local}.{'ru' if names.language == 'ru' else 'com'}",
    }
    if names.language == "ru":
        region = rng.randrange(1, 90)
        row |= {
            "inn": people.inn(rng, region),
            "kpp": f"{region:02d}{rng.randrange(1, 60):02d}01001",
            "ogrn": people.ogrn(rng, region),
        }


def _curator(rng: Random, team: str) -> str:
    # Every record should have a curator; some, as everywhere, have none.
    return rng.choice([name for name, of in CURATORS if of == team]) if rng.random() < 0.96 else ""
