"""Requisites of Russian and other firms: control digits, lengths, zeros that a spreadsheet has dropped."""

import re
from collections.abc import Iterator

from service.domain.customers.contacts import ContactKind, assess
from service.domain.quality.checks.places import Place, found, mended, of_kind, once
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_KINDS = tuple(ContactKind(kind) for kind in ("inn", "ogrn", "kpp", "bic", "iban", "vat", "account"))
# The lengths that a number of the kind may have, where it is made of digits.
_LENGTHS = {"inn": (10, 12), "ogrn": (13, 15), "kpp": (9,), "bic": (9,), "account": (20,)}
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[eEеЕ]\+?\d{1,2}")
_TAIL = re.compile(r"\.0+$")


@once
def _wrong(card: Card) -> list[tuple[ContactKind, Place]]:
    return [
        (kind, place)
        for kind in _KINDS
        for place in of_kind(card, kind.value)
        if assess(kind, place.value, card.phone_region).verdict == "invalid"
    ]


def _mended(kind: ContactKind, text: str, region: str) -> str | None:
    """The number with its lost zeros, or without the `.0` of a spreadsheet; None unless its control digits agree."""
    bare = _TAIL.sub("", text.strip())
    for length in _LENGTHS.get(kind.value, ()):
        if bare.isdigit() and length - 2 <= len(bare) <= length:
            whole = bare.zfill(length)
            if whole != text and assess(kind, whole, region).verdict == "valid":
                return whole
    return None


def _lost_zero(card: Card) -> Iterator[Finding]:
    for kind, place in _wrong(card):
        whole = _mended(kind, place.value, card.phone_region)
        if whole is not None:
            yield mended("requisite-lost-zero", place, whole, 0.95)


def _scientific(card: Card) -> Iterator[Finding]:
    for _, place in _wrong(card):
        if _SCIENTIFIC.fullmatch(place.value.strip()):
            yield found("requisite-scientific", place)


def _lengths(kind: ContactKind) -> tuple[int, ...]:
    return _LENGTHS.get(kind.value, ())


def _form(card: Card) -> Iterator[Finding]:
    for kind, place in _wrong(card):
        if _right_length(kind, place) or _SCIENTIFIC.fullmatch(place.value.strip()):
            continue
        if _mended(kind, place.value, card.phone_region) is None:
            yield found("requisite-form", place)


def _right_length(kind: ContactKind, place: Place) -> bool:
    bare = re.sub(r"[\s-]", "", place.value)
    lengths = _lengths(kind)
    return len(bare) in lengths and bare.isdigit() if lengths else 5 <= len(bare) <= 34 and bare.isalnum()


def _control(card: Card) -> Iterator[Finding]:
    for kind, place in _wrong(card):
        if _right_length(kind, place) and _mended(kind, place.value, card.phone_region) is None:
            yield found("requisite-control-digit", place)


def _owner(card: Card) -> Iterator[Finding]:
    wrong = 10 if card.kind == "person" else 0
    for place in of_kind(card, "inn"):
        if len(place.value) == wrong and place.value.isdigit():
            yield found("inn-of-another-kind", place, 0.8)


CHECKS = (
    Check(
        code="requisite-scientific",
        cause=Cause.TRANSFER,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="A spreadsheet has taken the number for a quantity and cut its last digits.",
        example="7,70944E+09",
        cure="Import it anew with the column as text.",
        examine=_scientific,
    ),
    Check(
        code="requisite-lost-zero",
        cause=Cause.TRANSFER,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="A spreadsheet has dropped the zero at the beginning of the number, or added decimals to it.",
        example="INN 273074555 for 0273074555",
        cure="Put the zero back: with it the control digits agree.",
        examine=_lost_zero,
    ),
    Check(
        code="requisite-form",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The number has too few or too many digits, or other signs in it.",
        example="INN 12345",
        cure="Compare it with the document.",
        examine=_form,
    ),
    Check(
        code="requisite-control-digit",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The control digits don't agree: no office has given out such a number.",
        example="INN 1234567895",
        cure="Compare it with the document; a digit is wrong, or the number was made up.",
        examine=_control,
    ),
    Check(
        code="inn-of-another-kind",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=("contacts",),
        title="The INN of a firm stands with a person.",
        example="INN 7709442668 with Иванов Иван",
        cure="See whether the record is that of a firm, or the number was taken from one.",
        examine=_owner,
    ),
)
