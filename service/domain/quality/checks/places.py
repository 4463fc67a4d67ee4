"""Where on a card something stands, and how a check says what it has found there."""

import re
from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, TypeVar

from service.domain.customers.contacts import ContactKind
from service.domain.quality.model import Card, Change, Finding, Proposal

NAME_PARTS = ("family_name", "given_name", "patronymic")
ORGANISATION_NAMES = ("legal_name", "trade_name")
PLACE_NAMES = ("region", "city")
_KINDS = frozenset(kind.value for kind in ContactKind)
_WORDS = NAME_PARTS + ORGANISATION_NAMES + PLACE_NAMES


Made = TypeVar("Made")


class Place(NamedTuple):
    """One value on the card: a field, or a contact by its id."""

    field: str
    detail_id: str | None
    value: str


def words(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


def fields(card: Card, names: tuple[str, ...]) -> list[Place]:
    """The filled fields among these."""
    return [Place(name, None, card.fields[name]) for name in names if name in card.fields]


def once(work: Callable[[Card], Made]) -> Callable[[Card], Made]:
    """Work that several checks ask for, done once for each card."""

    @wraps(work)
    def remembered(card: Card) -> Made:
        held: Made | None = card.memo.get(work)
        if held is None:
            held = card.memo[work] = work(card)
        return held

    return remembered


@once
def _by_kind(card: Card) -> dict[str, list[Place]]:
    kinds: dict[str, list[Place]] = {}
    for contact in card.contacts:
        kinds.setdefault(contact.kind, []).append(Place("contacts", contact.detail_id, contact.value))
    for kind in _KINDS & card.fields.keys():
        kinds.setdefault(kind, []).append(Place(kind, None, card.fields[kind]))
    return kinds


def of_kind(card: Card, kind: str) -> list[Place]:
    """The contacts of a kind, and the field of that name where the record is a form or a row of a file."""
    return _by_kind(card).get(kind, [])


@once
def texts(card: Card) -> list[Place]:
    """Every text made of words: names, places, streets."""
    words = [Place(name, None, card.fields[name]) for name in _WORDS if name in card.fields]
    words.extend(of_kind(card, "street"))
    return words


# Words of one alphabet in a usual case, with one blank or sign between them. Р and С before ё may be an encoding's.
_WORD = r"(?:[А-Я]?(?:[а-я]|(?<![РС])ё)+|[А-Я]+|[0-9]+)"
_LATIN_WORD = r"[A-Za-z0-9]+"
_BETWEEN = r"(?:[.,]? |[-/.])"
_PLAIN = re.compile(f"(?:{_WORD}(?:{_BETWEEN}{_WORD})*|{_LATIN_WORD}(?:{_BETWEEN}{_LATIN_WORD})*)[.]?")


@once
def odd_texts(card: Card) -> list[Place]:
    """The texts in which there is any sign but plain words: most cards have none, and cost nothing more."""
    return [place for place in texts(card) if not _PLAIN.fullmatch(place.value)]


@once
def names(card: Card) -> list[Place]:
    """The filled parts of the name."""
    return fields(card, NAME_PARTS)


def found(code: str, place: Place, confidence: float = 1.0) -> Finding:
    """Something is wrong here, and the record doesn't tell what would be right."""
    return Finding(code=code, field=place.field, detail_id=place.detail_id, confidence=confidence)


def mended(code: str, place: Place, after: str | None, sure: float, confidence: float = 1.0) -> Finding:
    """Something is wrong here, and this would be right; `after` None empties the field."""
    change = Change(field=place.field, before=place.value, after=after, detail_id=place.detail_id)
    return Finding(
        code=code,
        field=place.field,
        detail_id=place.detail_id,
        confidence=confidence,
        proposal=Proposal(changes=(change,), confidence=sure),
    )
