"""Addresses: postal codes by their form, and against the region that they belong to."""

import re
from collections.abc import Iterator

from service.domain.quality.checks.places import Place, found, mended
from service.domain.quality.checks.regions import region_of, region_of_city, region_of_code
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_DIGITS = re.compile(r"\d+")
# How many digits a postal code has, where it is made of digits alone and may begin with a zero.
_LENGTHS = {
    "RU": 6, "KZ": 6, "BY": 6, "UZ": 6, "KG": 6, "DE": 5, "FR": 5, "IT": 5, "ES": 5, "US": 5, "UA": 5, "EE": 5, "FI": 5,
    "TR": 5, "MX": 5, "AT": 4, "CH": 4, "BE": 4, "NO": 4, "DK": 4, "AU": 4, "CN": 6, "IN": 6, "AM": 4, "GE": 4,
}  # fmt: skip
_NO_ZERO = frozenset(("RU", "AT", "CH", "BE", "IN", "KZ", "BY"))


def _place(card: Card) -> Place | None:
    code = card.fields.get("postal_code")
    return Place("postal_code", None, code) if code else None


def _country(card: Card) -> str:
    return card.fields.get("country", card.phone_region).upper()


def _form(card: Card) -> Iterator[Finding]:
    place = _place(card)
    length = _LENGTHS.get(_country(card))
    if place is None or length is None:
        return
    code = place.value
    if len(code) == length and code.isdigit():
        return
    bare = re.sub(r"[\s.-]", "", code)
    if _country(card) == "US" and re.fullmatch(r"\d{9}", bare):
        return
    if len(bare) == length and bare.isdigit():
        yield mended("postal-code-form", place, bare, 0.95)
    elif not (bare.isdigit() and len(bare) == length - 1 and _country(card) not in _NO_ZERO):
        yield found("postal-code-form", place)


def _lost_zero(card: Card) -> Iterator[Finding]:
    place = _place(card)
    length = _LENGTHS.get(_country(card))
    if place is None or length is None or _country(card) in _NO_ZERO:
        return
    if len(place.value) == length - 1 and _DIGITS.fullmatch(place.value):
        yield mended("postal-code-lost-zero", place, f"0{place.value}", 0.95)


def _region(card: Card) -> Iterator[Finding]:
    place = _place(card)
    if place is None or len(place.value) != 6 or _country(card) != "RU":
        return
    region, city = card.fields.get("region"), card.fields.get("city")
    meant = region_of(region) if region else region_of_city(city) if city else None
    by_code = region_of_code(place.value)
    if meant is not None and by_code is not None and meant != by_code:
        yield found("postal-code-region", place, 0.95)


CHECKS = (
    Check(
        code="postal-code-lost-zero",
        cause=Cause.TRANSFER,
        severity=Severity.WARNING,
        fields=("postal_code",),
        title="A spreadsheet has dropped the zero at the beginning of the postal code.",
        example="1067 for 01067",
        cure="Put the zero back; import the column as text.",
        examine=_lost_zero,
    ),
    Check(
        code="postal-code-form",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=("postal_code",),
        title="The country has no postal codes of this form.",
        example="10100 in Russia",
        cure="Look for a digit left out or typed twice.",
        examine=_form,
    ),
    Check(
        code="postal-code-region",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=("postal_code", "region", "city"),
        title="The postal code belongs to another region.",
        example="236000 in Москва",
        cure="Ask the customer which of the two is right.",
        examine=_region,
    ),
)
