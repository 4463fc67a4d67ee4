"""Birth dates: what can't be, what stands in for an unknown day, and what a spreadsheet has made of one.

A date that can't be read as one is on the card as text, in `fields["birth_date"]`.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from service.domain.quality.checks.places import Place, found, mended
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_OLDEST = 110
_PLACEHOLDERS = frozenset(
    (
        date(1900, 1, 1),
        date(1970, 1, 1),
        date(1901, 1, 1),
        date(1904, 1, 1),
        date(1899, 12, 30),
        date(1899, 12, 31),
        date(1900, 1, 2),
    )
)
_SERIAL = re.compile(r"\d{5}(?:[.,]0+)?")
_EPOCH = date(1899, 12, 30)


def _place(card: Card) -> Place:
    text = card.fields.get("birth_date")
    return Place(
        "birth_date", None, text if text is not None else card.birth_date.isoformat() if card.birth_date else ""
    )


def _serial(card: Card) -> date | None:
    text = card.fields.get("birth_date", "")
    if not _SERIAL.fullmatch(text.strip()):
        return None
    day = _EPOCH + timedelta(days=int(text.strip()[:5]))
    return day if 5 <= card.today.year - day.year <= _OLDEST else None


def _impossible(card: Card) -> Iterator[Finding]:
    if "birth_date" in card.fields and card.birth_date is None and _serial(card) is None:
        yield found("birth-date-impossible", _place(card))


def _spreadsheet(card: Card) -> Iterator[Finding]:
    if "birth_date" in card.fields:
        day = _serial(card)
        if day is not None:
            yield mended("birth-date-serial", _place(card), day.isoformat(), 0.9)


def _future(card: Card) -> Iterator[Finding]:
    day = card.birth_date
    if day is not None and day > card.today and card.birth_year_known:
        yield found("birth-date-future", _place(card))


def _placeholder(card: Card) -> Iterator[Finding]:
    if card.birth_date in _PLACEHOLDERS and card.birth_year_known:
        yield mended("birth-date-placeholder", _place(card), None, 0.9, 0.95)


def _too_old(card: Card) -> Iterator[Finding]:
    day = card.birth_date
    if day is not None and card.birth_year_known and card.today.year - day.year > _OLDEST and day not in _PLACEHOLDERS:
        yield found("birth-date-too-old", _place(card))


CHECKS = (
    Check(
        code="birth-date-impossible",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=("birth_date",),
        title="There is no such day.",
        example="31.02.1985",
        cure="Ask the customer for the day.",
        examine=_impossible,
    ),
    Check(
        code="birth-date-serial",
        cause=Cause.TRANSFER,
        severity=Severity.ERROR,
        fields=("birth_date",),
        title="A spreadsheet has written the number of the day in place of the date.",
        example="32874",
        cure="Take the day that the number stands for.",
        examine=_spreadsheet,
    ),
    Check(
        code="birth-date-future",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=("birth_date",),
        title="The birth date lies in the future.",
        example="2031-01-01",
        cure="Ask the customer for the day.",
        examine=_future,
    ),
    Check(
        code="birth-date-placeholder",
        cause=Cause.FALSE,
        severity=Severity.WARNING,
        fields=("birth_date",),
        title="The day is one that programs and people put where they don't know it.",
        example="1900-01-01",
        cure="Leave the date empty until the customer tells it.",
        examine=_placeholder,
    ),
    Check(
        code="birth-date-too-old",
        cause=Cause.FALSE,
        severity=Severity.WARNING,
        fields=("birth_date",),
        title=f"The customer would be older than {_OLDEST}.",
        example="1889-05-17",
        cure="Ask the customer for the year.",
        examine=_too_old,
    ),
)
