"""Where on a card something stands, and how a check says what it has found there."""

from collections.abc import Iterator
from typing import NamedTuple

from service.domain.quality.model import Card, Change, Finding, Proposal

NAME_PARTS = ("family_name", "given_name", "patronymic")
ORGANISATION_NAMES = ("legal_name", "trade_name")
PLACE_NAMES = ("region", "city")
_WORDS = NAME_PARTS + ORGANISATION_NAMES + PLACE_NAMES


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


def of_kind(card: Card, kind: str) -> Iterator[Place]:
    """The contacts of a kind, and the field of that name where the record is a form or a row of a file."""
    for contact in card.contacts:
        if contact.kind == kind:
            yield Place("contacts", contact.detail_id, contact.value)
    if kind in card.fields:
        yield Place(kind, None, card.fields[kind])


def texts(card: Card) -> list[Place]:
    """Every text made of words: names, places, streets."""
    words = [Place(name, None, card.fields[name]) for name in _WORDS if name in card.fields]
    words.extend(of_kind(card, "street"))
    return words


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
