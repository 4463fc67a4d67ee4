"""Phone numbers: what no line can have, what was made up, what a spreadsheet has mangled."""

import re
from collections.abc import Iterator

from service.domain.customers.contacts import ContactKind, NormalForm, assess
from service.domain.quality.checks.places import Place, found, of_kind, once
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_SCIENTIFIC = re.compile(r"\+?\d(?:[.,]\d+)?[eEеЕ]\+?\d{1,2}")
_DIGIT = re.compile(r"\d")
_UP = "01234567890123456789"
_DOWN = _UP[::-1]


def _digits(text: str) -> str:
    return "".join(_DIGIT.findall(text))


def made_up(digits: str) -> bool:
    """Whether nobody would be given such a number: one digit repeated, digits in a row, all of it."""
    bare = digits[1:] if len(digits) == 11 and digits[0] in "78" else digits
    if len(bare) < 4:
        return False
    tail = bare[-7:]
    return len(set(tail)) == 1 or bare in _UP or bare in _DOWN or (len(bare) >= 10 and len(set(bare)) == 1)


def _scientific(card: Card) -> Iterator[Finding]:
    for place in of_kind(card, "phone"):
        if not place.value.isdigit() and _SCIENTIFIC.fullmatch(place.value.strip()):
            yield found("phone-scientific", place)


def _fake(card: Card) -> Iterator[Finding]:
    for place in of_kind(card, "phone"):
        if made_up(_digits(place.value)):
            yield found("phone-fake", place)


@once
def _doubtful(card: Card) -> list[tuple[Place, NormalForm]]:
    """The numbers that aren't known to be ones, and not explained yet."""
    forms = ((place, assess(ContactKind.PHONE, place.value, card.phone_region)) for place in of_kind(card, "phone"))
    return [
        (place, form)
        for place, form in forms
        if form.verdict != "valid" and not made_up(_digits(place.value)) and not _SCIENTIFIC.fullmatch(place.value)
    ]


def _impossible(card: Card) -> Iterator[Finding]:
    for place, form in _doubtful(card):
        if form.verdict == "invalid":
            yield found("phone-impossible", place)


def _no_such_range(card: Card) -> Iterator[Finding]:
    for place, form in _doubtful(card):
        if form.verdict == "possible":
            yield found("phone-unassigned", place, 0.9)


CHECKS = (
    Check(
        code="phone-scientific",
        cause=Cause.TRANSFER,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="A spreadsheet has taken the number for a quantity and cut its last digits.",
        example="7,92613E+10",
        cure="Import it anew with the column as text; the digits can't be told from what is left.",
        examine=_scientific,
    ),
    Check(
        code="phone-fake",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The number was made up: one digit repeated, or digits in a row.",
        example="+7 111 111-11-11",
        cure="Ask the customer for a number, or leave the field empty.",
        examine=_fake,
    ),
    Check(
        code="phone-impossible",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The number has too few or too many digits, or other signs in it.",
        example="792138157",
        cure="Look for a digit left out or typed twice; ask the customer.",
        examine=_impossible,
    ),
    Check(
        code="phone-unassigned",
        cause=Cause.FALSE,
        severity=Severity.WARNING,
        fields=("contacts",),
        title="The number is of the right length, but no operator of its country has such numbers.",
        example="+7 200 123-45-67",
        cure="Ask the customer; a digit may be wrong.",
        examine=_no_such_range,
    ),
)
