"""A made base with duplicates that are known: people with contacts, a sixth of them entered again with faults, and
relatives who share a home. The same rows in every run."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate

from mimesis import Address, Person
from mimesis.locales import Locale

from service.domain.linkage.profile import Profile, profile

_LETTERS = "абвгдеиклмнопрстуя"
_SYLLABLES = ("ба", "во", "гу", "де", "ка", "ло", "ми", "но", "пе", "ра", "са", "ту", "ши", "че", "зо", "ня")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entered record, and whose it is."""

    entity: int
    family: str
    given: str
    patronymic: str
    birth: date | None
    phone: str
    email: str
    inn: str
    street: str
    city: str
    postal_code: str

    def profile(self) -> Profile:
        return profile(
            family_name=self.family,
            given_name=self.given,
            patronymic=self.patronymic,
            birth_date=self.birth,
            phones=[self.phone] if self.phone else [],
            emails=[self.email] if self.email else [],
            requisites=[("inn", self.inn)] if self.inn else [],
            street=self.street,
            city=self.city,
            postal_code=self.postal_code,
        )


def entries(count: int, seed: int = 7) -> Iterator[Entry]:
    """So many records."""
    made = _Maker(random.Random(seed))
    given = 0
    entity = 0
    while given < count:
        one = made.person(entity)
        for record in (one, *made.again(one)):
            if given < count:
                given += 1
                yield record
        entity += 1


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        person, address = Person(Locale.RU), Address(Locale.RU)
        stems = [
            name.removesuffix("ов").removesuffix("ев").removesuffix("ин")
            for name in person._extract(["surnames", "male"])
        ]
        # Surnames have a long tail: common ones whole, rare ones with a syllable before.
        self._families = _Weighted(stems, chance, steep=0.5)
        names = person._extract(["names"])
        self._given = {sex: _Weighted(names[sex], chance, steep=0.9) for sex in ("male", "female")}
        self._cities = _Weighted(address._extract(["city"]), chance, steep=0.9)
        self._streets = _Weighted(address._extract(["street", "name"])[:600], chance, steep=0.7)
        self._last: Entry | None = None

    def person(self, entity: int) -> Entry:
        chance = self._chance
        sex = chance.choice(("male", "female"))
        family = self._families()
        if chance.random() < 0.6:
            family = chance.choice(_SYLLABLES) + family.lower()
        ending = "ов" if sex == "male" else "ова"
        patronymic = self._given["male"]() + ("ович" if sex == "male" else "овна")
        given = self._given[sex]()
        made = Entry(
            entity=entity,
            family=family + ending,
            given=given,
            patronymic=patronymic,
            birth=date(1945, 1, 1) + timedelta(days=chance.randrange(22_000)),
            phone=f"+79{chance.randrange(10**9):09}",
            email=f"{_latin(given)}.{_latin(family)}{chance.randrange(1000)}@{chance.choice(('mail.ru', 'yandex.ru', 'gmail.com', 'bk.ru'))}",
            inn=f"{chance.randrange(10**12):012}",
            street=f"ул. {self._streets()}, д. {chance.randrange(1, 150)}, кв. {chance.randrange(1, 200)}",
            city=self._cities(),
            postal_code=f"{chance.randrange(101, 690)}{chance.randrange(1000):03}",
        )
        made = replace(made, **{name: "" for name in ("phone", "email", "inn") if chance.random() < _LACKING[name]})
        last, self._last = self._last, made
        if last is not None and chance.random() < 0.1:
            # A relative: the home, perhaps the name and the telephone.
            made = replace(made, street=last.street, city=last.city, postal_code=last.postal_code)
            if chance.random() < 0.6:
                made = replace(
                    made, phone=last.phone, family=last.family.removesuffix("а") + ("а" if sex == "female" else "")
                )
        return made

    def again(self, one: Entry) -> Iterator[Entry]:
        """The same person entered again, each time with one to three faults."""
        while self._chance.random() < 0.15:
            found = one
            for fault in self._chance.sample(_FAULTS, self._chance.randint(1, 3)):
                found = fault(found, self._chance)
            yield found


_LACKING = {"phone": 0.15, "email": 0.4, "inn": 0.6}


class _Weighted:
    """Values drawn by a power law of their places."""

    def __init__(self, values: list[str], chance: random.Random, *, steep: float) -> None:
        self._values = values
        self._weights = list(accumulate((place + 3) ** -steep for place in range(len(values))))
        self._chance = chance

    def __call__(self) -> str:
        return self._chance.choices(self._values, cum_weights=self._weights)[0]


Fault = Callable[[Entry, random.Random], Entry]


def _slip(text: str, chance: random.Random, letters: str = _LETTERS) -> str:
    if len(text) < 4:
        return text
    place = chance.randrange(1, len(text) - 1)
    kind = chance.randrange(3)
    if kind == 0:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text[:place] + chance.choice(letters) + text[place + kind - 1 :]


def _other_day(one: Entry, chance: random.Random) -> Entry:
    if one.birth is None:
        return one
    return replace(one, birth=one.birth.replace(day=chance.randint(1, 28)))


_FAULTS: list[Fault] = [
    lambda one, chance: replace(one, family=_slip(one.family, chance)),
    lambda one, chance: replace(one, given=_slip(one.given, chance)),
    lambda one, chance: replace(one, family=one.given, given=one.family),
    lambda one, chance: replace(one, given=one.given[:1], patronymic=one.patronymic[:1]),
    lambda one, chance: replace(one, patronymic=""),
    lambda one, chance: replace(one, birth=None),
    _other_day,
    lambda one, chance: replace(one, phone=_slip(one.phone, chance, "0123456789")),
    lambda one, chance: replace(one, phone=f"+79{chance.randrange(10**9):09}"),
    lambda one, chance: replace(one, email=""),
    lambda one, chance: replace(one, email=_slip(one.email, chance, "aeio")),
    lambda one, chance: replace(one, inn=""),
    lambda one, chance: replace(one, street="", postal_code=""),
    lambda one, chance: replace(one, city="", street=_slip(one.street, chance)),
]

_TO_LATIN = dict(
    zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        ("a", "b", "v", "g", "d", "e", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh",
         "ts", "ch", "sh", "shch", "", "y", "", "e", "yu", "ya"), strict=True)
)  # fmt: skip


def _latin(text: str) -> str:
    return "".join(_TO_LATIN.get(letter, letter) for letter in text.lower() if letter.isalpha())
