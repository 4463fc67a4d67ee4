"""Public bases whose duplicates are known: their records as profiles, and the pairs that are one and the same.

The files stay where they are, beside the checkout; where they are absent there is nothing to read.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path

from service.domain.customers.contacts import ContactKind, assess
from service.domain.linkage.profile import Profile, profile

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "B_dedup"
_TODAY = date(2025, 7, 1)
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthSet:
    """Records, whose duplicates they are, and pairs that must not be taken for one."""

    name: str
    profiles: Sequence[Profile]
    pairs: frozenset[Pair]
    forbidden: frozenset[Pair] = frozenset()
    # Only pairs of which this is true are counted.
    counted: Callable[[Pair], bool] = lambda _: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)


def judged(found: Iterable[Pair], truth: TruthSet) -> Judgement:
    """How right the found pairs are, of those that are counted."""
    counted = {pair for pair in found if truth.counted(pair)}
    right = len(counted & truth.pairs)
    return Judgement(precision=right / max(1, len(counted)), recall=right / max(1, len(truth.pairs)))


def febrl(number: int) -> TruthSet:
    rows = [{name.strip(): value.strip() for name, value in row.items()} for row in _rows(f"febrl_dataset{number}.csv")]
    return TruthSet(
        name=f"febrl {number}",
        profiles=[_febrl(row) for row in rows],
        pairs=within([row["rec_id"].split("-")[1] for row in rows]),
    )


def _febrl(row: Mapping[str, str]) -> Profile:
    return profile(
        family_name=row["surname"],
        given_name=row["given_name"],
        birth_date=_day(row["date_of_birth"]),
        requisites=[("account", row["soc_sec_id"])] if row["soc_sec_id"] else [],
        street=f"{row['street_number']} {row['address_1']} {row['address_2']}",
        city=row["suburb"],
        postal_code=row["postcode"],
        today=_TODAY,
    )


def fake_1000() -> TruthSet:
    rows = list(_rows("splink_fake_1000.csv"))
    return TruthSet(
        name="fake 1000",
        profiles=[
            profile(
                family_name=row["surname"],
                given_name=row["first_name"],
                birth_date=_day(row["dob"].replace("-", "")),
                emails=[row["email"]],
                city=row["city"],
            )
            for row in rows
        ],
        pairs=within([row["cluster"] for row in rows]),
    )


def russian() -> TruthSet:
    """Customers with planted faults; relatives and namesakes must stay apart."""
    rows = list(_rows("ru_customers_dirty_SYNTHETIC.csv", delimiter=";"))
    truth = {row["№"]: row for row in _rows("ru_customers_dirty_SYNTHETIC_truth.csv")}
    entities = [truth[row["№"]]["entity"] for row in rows]
    return TruthSet(
        name="russian",
        profiles=[_russian(row) for row in rows],
        pairs=within(entities),
        forbidden=frozenset(_relatives(entities, [truth[row["№"]]["hard_negative"] for row in rows])),
    )


def _relatives(entities: Sequence[str], told: Sequence[str]) -> Iterator[Pair]:
    for number, relation in enumerate(told):
        if relation:
            other = relation.split()[-1]
            yield from (
                (min(number, place), max(number, place)) for place, entity in enumerate(entities) if entity == other
            )


def _russian(row: Mapping[str, str]) -> Profile:
    phone = assess(ContactKind.PHONE, row["Телефон"], "RU") if row["Телефон"] else None
    email = assess(ContactKind.EMAIL, row["E-mail"], "") if row["E-mail"] else None
    return profile(
        family_name=row["Фамилия"],
        given_name=row["Имя"],
        patronymic=row["Отчество"],
        birth_date=_russian_day(row["Дата рождения"]),
        phones=[phone.normal] if phone else [],
        emails=[email.normal] if email else [],
        requisites=[("inn", row["ИНН"])] if row["ИНН"] else [],
        street=row["Адрес"],
        city=row["Город"],
        postal_code=row["Индекс"],
        today=_TODAY,
    )


def restaurants() -> TruthSet:
    """Two guides; only pairs between them are counted.

    The published truth is silent on 24 of the first guide's 113 restaurants, though the second has 24 that share their
    names and telephones; what is said about those is not counted.
    """
    guides = [[row for row in _guide(name) if row[1]] for name in ("rest1.csv", "rest2.csv")]
    guides = [[row for row in guide if row[2]] for guide in guides]
    places = [{row[0]: place for place, row in enumerate(guide)} for guide in guides]
    first = len(guides[0])
    pairs = frozenset((places[0][row[0]], first + places[1][row[1]]) for row in _guide("gt.csv"))
    told = {one for one, _ in pairs}
    return TruthSet(
        name="restaurants",
        profiles=[_restaurant(row) for guide in guides for row in guide],
        pairs=pairs,
        counted=lambda pair: pair[0] in told and pair[1] >= first,
    )


def _guide(name: str) -> list[list[str]]:
    with (FOLDER / "restaurants" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="|"))[1:]


def _restaurant(row: Sequence[str]) -> Profile:
    phone = assess(ContactKind.PHONE, row[2].replace("/", "-").replace(" ", ""), "US")
    return profile(kind="organisation", trade_name=row[1], phones=[phone.normal])


SETS: Mapping[str, Callable[[], TruthSet]] = {
    "febrl 1": lambda: febrl(1),
    "febrl 3": lambda: febrl(3),
    "fake 1000": fake_1000,
    "russian": russian,
    "restaurants": restaurants,
}


def _rows(name: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def within(entities: Sequence[str]) -> frozenset[Pair]:
    members: dict[str, list[int]] = {}
    for number, entity in enumerate(entities):
        members.setdefault(entity, []).append(number)
    return frozenset(pair for group in members.values() for pair in combinations(group, 2))


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _russian_day(text: str) -> date | None:
    if "-" in text:
        return _day(text.replace("-", ""))
    day, _, rest = text.replace("/", ".").partition(".")
    month, _, year = rest.partition(".")
    full = year if len(year) == 4 else f"{'19' if year > '25' else '20'}{year}"
    return _day(f"{full}{month:0>2}{day:0>2}")
