"""Words typed with the keyboard set to the other alphabet: `ghbdtn` for привет, `еуые"илюкг` for test@bk.ru."""

import re
from collections.abc import Iterator

from service.domain.customers.contacts import ContactKind, assess
from service.domain.quality.checks.dictionary import known, roles
from service.domain.quality.checks.places import NAME_PARTS, PLACE_NAMES, fields, mended, of_kind
from service.domain.quality.checks.translit import in_cyrillic
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_ENGLISH = "`qwertyuiop[]asdfghjkl;'zxcvbnm,./~QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>?@#$^&"
_RUSSIAN = 'ёйцукенгшщзхъфывапролджэячсмитьбю.ЁЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ,"№;:?'
_TO_RUSSIAN = str.maketrans(_ENGLISH, _RUSSIAN)
_TO_ENGLISH = str.maketrans(_RUSSIAN, _ENGLISH)
# Letters, and the signs on whose keys Russian letters lie.
_TYPED = re.compile(r"[A-Za-z`\[\];',.~{}:\"<>\s-]+")
_RUSSIAN_WORD = re.compile(r"[А-Яа-яЁё]{2,}(?:-[А-Яа-яЁё]{2,})*")
_NAME_ENDING = re.compile(
    r"(?:[оеё]ва?|[иы]на?|[сц]к(?:ий|ой|ая)|[нлртдгв](?:ый|ий|ая)|енко|[иы]х|[оеь]вич|[оеёь]вна|ична|дзе|швили|ян)$"
)
# What no Latin word has: a sign on whose key a Russian letter lies, no vowel at all, three consonants on end.
_STRANGE = re.compile(r"[`\[\];',.{}:\"<>~]|[bcdfghjklmnpqrstvwxz]{3}", re.IGNORECASE)
_VOWEL = re.compile("[aeiou]", re.IGNORECASE)
_LONG_ENOUGH = 6


def in_russian(word: str, *, name: bool) -> tuple[str, float] | None:
    """The Russian word (of a name, if it is one) that the keys make, and how sure that is; None when they make none."""
    made = word.translate(_TO_RUSSIAN)
    if not _RUSSIAN_WORD.fullmatch(made):
        return None
    strange = bool(_STRANGE.search(word)) or not _VOWEL.search(word)
    # A short word that could be Latin may be a name as it stands: Petr gives the keys of Зуек.
    if len(made) < 3 or not (strange or len(made) >= _LONG_ENOUGH or not known(in_cyrillic(word))):
        return None
    parts = made.split("-")
    if roles(made).any or any(roles(part).any for part in parts):
        return made, 0.98 if strange else 0.92
    if (strange or not name) and all(known(part) for part in parts):
        return made, 0.9 if strange else 0.6
    usual = made.istitle() or made.islower() or made.isupper()
    return (made, 0.85) if strange and usual and len(made) > 4 and _NAME_ENDING.search(made.lower()) else None


def _retyped(text: str, *, name: bool) -> tuple[str, float] | None:
    made = [in_russian(word, name=name) for word in text.split()]
    sure = [one for one in made if one is not None]
    if not sure or len(sure) < len(made):
        return None
    return " ".join(word for word, _ in sure), min(confidence for _, confidence in sure)


def _words(card: Card) -> Iterator[Finding]:
    for place in fields(card, (*NAME_PARTS, *PLACE_NAMES)):
        value = place.value
        if value.isascii() and len(value) > 2 and _TYPED.fullmatch(value):
            made = _retyped(value, name=place.field in NAME_PARTS)
            if made is not None:
                text, sure = made
                yield mended("wrong-keyboard-layout", place, text, sure, sure)


def _addresses(card: Card) -> Iterator[Finding]:
    for place in of_kind(card, "email"):
        if not place.value.isascii() and "@" not in place.value:
            made = place.value.translate(_TO_ENGLISH)
            if made.isascii() and assess(ContactKind.EMAIL, made, "").verdict == "valid":
                yield mended("wrong-keyboard-layout", place, made, 0.98)


def _examine(card: Card) -> Iterator[Finding]:
    yield from _words(card)
    yield from _addresses(card)


CHECKS = (
    Check(
        code="wrong-keyboard-layout",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=(*NAME_PARTS, *PLACE_NAMES, "contacts"),
        title="The text was typed with the keyboard set to the other alphabet.",
        example="Bdfyjd",
        cure="Take the text that the same keys make in the other alphabet.",
        examine=_examine,
    ),
)
