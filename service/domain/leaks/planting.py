"""Making canaries: records that look like those of the portfolio and are nobody.

A canary takes the shape of one real record (place, dates, tags, the kinds of its contacts, the pattern of its numbers)
and parts of the names of others; its contacts are of the ranges and domains that the portfolio has. So whatever can be
asked of a record has the distribution of the real ones. Two things can't be had: purchases, for a canary must not be
counted in money, and a past in copies that somebody made of the base before it was planted.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any
from uuid import UUID

from stdnum.ru import inn

from service.domain.errors import Conflict

_LEAST, _SHARE = 10, 0.01
# Fewer records can't hide anything.
_ENOUGH = 20
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[a-z]+")


class PortfolioTooSmall(Conflict):
    code = "portfolio-too-small"
    title = "A portfolio needs twenty records before canaries can hide in it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    curator_id: UUID
    records: int
    canaries: int

    @property
    def hides(self) -> bool:
        return self.records >= _ENOUGH

    def wanted(self, count: int | None) -> int:
        """How many to plant: so many, or what is missing to one in a hundred and to ten."""
        if count is not None:
            return count
        return max(0, max(_LEAST, ceil(_SHARE * self.records)) - self.canaries)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedContact:
    """A contact as it is written; `like` is the one whose other columns it shares."""

    detail_id: UUID
    like: UUID
    kind: str
    written: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A real record, as far as others may be made of it."""

    customer_id: UUID
    kind: str
    names: Mapping[str, str | None]
    gender: str | None
    country: str | None
    birth: tuple[Any, bool]
    attributes: Mapping[str, Any]
    contacts: Sequence[SeedContact]
    external_ids: Sequence[tuple[str, str]]
    bought: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seedling:
    """What of a canary differs from the record whose shape it takes."""

    customer_id: UUID
    like: UUID
    names: Mapping[str, str | None]
    birth: tuple[Any, bool]
    attributes: Mapping[str, Any]
    contacts: Sequence[SeedContact]
    external_ids: Sequence[tuple[str, str]]
    organisation: bool
    country: str | None
    prospect: bool  # of the shape of somebody who has bought; a canary can't have


def grow(shapes: Sequence[Seed], others: Sequence[Seed], rng: random.Random, *, off: int = 500) -> list[Seedling]:
    """A canary of the shape of each of these records, with names of the others and numbers `off` by so much at most."""
    return [_grown(shape, others, rng, off) for shape in shapes]


def _grown(shape: Seed, others: Sequence[Seed], rng: random.Random, off: int) -> Seedling:
    alike = [one for one in others if one.kind == shape.kind and _sex(one) == _sex(shape) and one is not shape]
    first, second = rng.choice(alike or [shape]), rng.choice(alike or [shape])
    names = _mixed(shape, first, second)
    return Seedling(
        customer_id=sibling(shape.customer_id, rng),
        like=shape.customer_id,
        names=names,
        birth=rng.choice(alike or [shape]).birth if shape.birth[0] else shape.birth,
        attributes={name: _other_value(name, value, alike, rng) for name, value in shape.attributes.items()},
        contacts=[made for one in shape.contacts if (made := _contact(one, names, rng)) is not None],
        external_ids=[(source, _number(text, rng, off)) for source, text in shape.external_ids],
        organisation=shape.kind == "organisation",
        country=shape.country,
        prospect=shape.bought,
    )


def _mixed(shape: Seed, first: Seed, second: Seed) -> dict[str, str | None]:
    """Filled like the shape: the family name of one, given name and patronymic of another."""
    of = {"family_name": first, "legal_name": first, "trade_name": second, "given_name": second, "patronymic": second}
    return {name: (of[name].names[name] or value) if value else None for name, value in shape.names.items()}


def _sex(seed: Seed) -> str | None:
    """Whose names fit together: by the record, else by how the given name and the family name end."""
    if seed.kind != "person" or seed.gender:
        return seed.gender
    name = seed.names.get("family_name") or seed.names.get("given_name") or ""
    return "female" if name.endswith(("а", "я", "a")) else "male"


def _other_value(name: str, value: Any, alike: Sequence[Seed], rng: random.Random) -> Any:
    held = [one.attributes[name] for one in alike if name in one.attributes]
    return rng.choice(held) if held else value


def sibling(one: UUID, rng: random.Random) -> UUID:
    """An id of the same moment: ids begin with their milliseconds, and rows of one batch differ in the rest."""
    fresh = one.int >> 64 << 64 | 0x8000_0000_0000_0000 | rng.getrandbits(62)
    order = ((one.int >> 64) & 0xFFF) ^ rng.getrandbits(4)
    return UUID(int=fresh & ~(0xFFF << 64) | order << 64)


def _contact(one: SeedContact, names: Mapping[str, str | None], rng: random.Random) -> SeedContact | None:
    made = _MADE.get(one.kind, _digits)(one.written, names, rng)
    return None if made is None else replace(one, written=made, detail_id=sibling(one.detail_id, rng))


def _phone(written: str, names: Mapping[str, str | None], rng: random.Random) -> str:
    """Of the same range and written alike: only the last four digits are others."""
    signs, last = list(written), [place for place, sign in enumerate(written) if sign.isdigit()][-4:]
    for place in last:
        signs[place] = str(rng.randrange(10))
    return "".join(signs)


def _address(written: str, names: Mapping[str, str | None], rng: random.Random) -> str:
    """Built like the one of the shape, of the letters of the new name and of other digits."""
    local, at, domain = written.lower().rpartition("@")
    words = [_latin(names.get(part) or "") for part in ("family_name", "given_name", "trade_name", "legal_name")]
    spare = [word for word in words if word] or [""]

    def word(match: re.Match[str]) -> str:
        long = match.group()
        taken = spare.pop(0) if len(spare) > 1 else spare[0]
        return (taken or long)[:1] if len(long) == 1 else (taken or long)[:20]

    return _redigit(_LETTERS.sub(word, local), rng) + at + domain


def _inn(normal: str, names: Mapping[str, str | None], rng: random.Random) -> str | None:
    if not normal.isdigit() or len(normal) not in (10, 12):
        return None
    if len(normal) == 10:
        body = _redigit_tail(normal[:9], rng, 5)
        return body + str(inn.calc_company_check_digit(body))
    body = _redigit_tail(normal[:10], rng, 6)
    return body + str(inn.calc_personal_check_digits(body))


def _ogrn(normal: str, names: Mapping[str, str | None], rng: random.Random) -> str | None:
    if not normal.isdigit() or len(normal) not in (13, 15):
        return None
    body = _redigit_tail(normal[:-1], rng, 5)
    return body + str(int(body) % (len(normal) - 2) % 10)


def _digits(normal: str, names: Mapping[str, str | None], rng: random.Random) -> str | None:
    """Other digits in their places; what has none can't be made another."""
    return _redigit(normal, rng) if _DIGITS.search(normal) else None


_MADE = {"phone": _phone, "email": _address, "messenger": _address, "inn": _inn, "ogrn": _ogrn}


def _redigit_tail(text: str, rng: random.Random, how_many: int) -> str:
    return text[:-how_many] + "".join(str(rng.randrange(10)) for _ in range(how_many))


def _redigit(text: str, rng: random.Random) -> str:
    """Other digits; a number keeps its length and its first digit, so a year stays near and a house too."""
    return _DIGITS.sub(
        lambda found: found.group()[0] + "".join(str(rng.randrange(10)) for _ in found.group()[1:]), text
    )


def _number(text: str, rng: random.Random, off: int) -> str:
    """A number like that one: its last run of digits is another, not far away."""
    found = list(_DIGITS.finditer(text))
    if not found:
        return f"{text}{rng.randrange(1, 100)}"
    last = found[-1]
    digits = last.group()
    number = abs(int(digits) + rng.randrange(-off, off))
    return text[: last.start()] + f"{number:0{len(digits)}}" + text[last.end() :]


_LATIN = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфыэ", "abvgdeziiklmnoprstufye", strict=True))
    | {"ё": "e", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ю": "yu", "я": "ya"}
    | {"ь": "", "ъ": ""}
)


def _latin(name: str) -> str:
    return "".join(_LETTERS.findall(name.lower().translate(_LATIN)))
