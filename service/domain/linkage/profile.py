"""What of a record can be compared with another: every value once in the form in which spellings no longer differ.

Names are Latin keys (Cyrillic and its transliterations meet there), addresses are words without abbreviations, what is
only a filler is left out. A missing value is an empty string. Values that one may have several of are sets.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from service.domain.customers.names import fold
from service.domain.linkage.words import address_words, name_words, title_words

_FILLED_IN = frozenset(("1900-01-01", "1970-01-01", "1901-01-01", "1899-12-30"))
_OLDEST = 115
UNKNOWN_YEAR = "0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The comparable values of one record. They are personal: nothing of them belongs in a log."""

    kind: str = "person"
    family: str = field(default="", repr=False)
    given: str = field(default="", repr=False)
    patronymic: str = field(default="", repr=False)
    title: str = field(default="", repr=False)
    birth: str = field(default="", repr=False)
    phones: frozenset[str] = field(default=frozenset(), repr=False)
    emails: frozenset[str] = field(default=frozenset(), repr=False)
    # Each with its kind: `inn:7707083893`.
    requisites: frozenset[str] = field(default=frozenset(), repr=False)
    street: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)


def profile(
    *,
    kind: str = "person",
    family_name: str | None = None,
    given_name: str | None = None,
    patronymic: str | None = None,
    legal_name: str | None = None,
    trade_name: str | None = None,
    birth_date: date | None = None,
    birth_year_known: bool = True,
    today: date | None = None,
    phones: Iterable[str] = (),
    emails: Iterable[str] = (),
    requisites: Iterable[tuple[str, str]] = (),
    street: str | None = None,
    city: str | None = None,
    postal_code: str | None = None,
) -> Profile:
    """The profile of a record's fields; contacts and requisites are given in their normal forms."""
    family, given, middle = _person(name_words(family_name), name_words(given_name), name_words(patronymic))
    return Profile(
        kind=kind,
        family=family,
        given=given,
        patronymic=middle,
        title=" ".join(title_words(trade_name or legal_name)),
        birth=_birth(birth_date, birth_year_known, today),
        phones=frozenset(digits for phone in phones if len(digits := _digits(phone)) >= 5),
        emails=frozenset(folded for email in emails if (folded := fold(email))),
        requisites=frozenset(f"{kind}:{number}" for kind, text in requisites if (number := _number(text))),
        street=" ".join(address_words(street)),
        city=" ".join(address_words(city)),
        postal_code=_number(postal_code or ""),
    )


def _person(family: tuple[str, ...], given: tuple[str, ...], patronymic: tuple[str, ...]) -> tuple[str, str, str]:
    # A whole name in one field is read in the order in which it is written here: family name, given name, patronymic.
    whole = given or family
    if len(whole) >= 2 and not patronymic and not (family and given):
        family, given, patronymic = whole[:1], whole[1:2], whole[2:3]
    return " ".join(family), " ".join(given), " ".join(patronymic)


def _birth(day: date | None, year_known: bool, today: date | None) -> str:
    if day is None or day.isoformat() in _FILLED_IN:
        return ""
    if not year_known:
        return f"{UNKNOWN_YEAR}-{day:%m-%d}"
    if today is not None and not 0 <= (today - day).days <= _OLDEST * 366:
        return ""
    return day.isoformat()


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


def _number(text: str) -> str:
    return "".join(sign for sign in fold(text) if sign.isalnum())
