"""Numbers as people and programs write them: `1,234.50`, `1 234,50`, `1.234,50`, `1234.5`, `(12.50)`, `−5 ₽`.

A number is read by its own shape. Only one separator with exactly three digits behind it (`1,234`, `1.234`) can mean
two things: then the mapping's decimal mark decides, else the mark that the column shows elsewhere, else the row is
rejected; it is never guessed. No digit is ever lost: more than six decimals are refused, not rounded.
Currency signs are passed over; the currency is a field of its own.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from service.domain.errors import DomainError
from service.domain.ingestion.faults import Fault
from service.domain.money import to_micros

Mark = Literal["point", "comma"]

_LONGEST = 40
_DECIMALS = 6
_MOST = Decimal(1_000_000_000)
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "’": "'", "`": "'", "−": "-"})
_CURRENCY = r"(?:[₽$€£¥₸₴]|руб\.?|р\.|[A-Z]{3})"
_DRESSED = re.compile(rf"(?:{_CURRENCY} ?)?(.*?)(?: ?{_CURRENCY})?", re.DOTALL)
_SIGNED = re.compile(r"([+-]?) ?(.*?)(-?)", re.DOTALL)
_SIMPLE = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,2})?")
_SINGLE = re.compile(r"([0-9]*)([.,])([0-9]+)")
_GROUPED = re.compile(r"([0-9]{1,3}([ '.,])[0-9]{3}(?:\2[0-9]{3})*)(?:([.,])([0-9]+))?")


def money(text: str, mark: Mark | None) -> int:
    """The amount in micros."""
    number = plain(text, mark)
    if len(number.partition(".")[2].rstrip("0")) > _DECIMALS:
        raise Fault("amount-too-precise")
    try:
        return to_micros(Decimal(number))
    except DomainError as error:
        raise Fault("amount-too-large") from error


def quantity(text: str, mark: Mark | None) -> Decimal:
    """The quantity, negative for what came back."""
    number = plain(text, mark)
    value = Decimal(number)
    if abs(value) > _MOST or len(number.partition(".")[2].rstrip("0")) > _DECIMALS:
        raise Fault("quantity-out-of-range")
    return value


def plain(text: str, mark: Mark | None) -> str:
    """The number as `-1234.50`: no groups, no sign of a currency, a decimal point."""
    if _SIMPLE.fullmatch(text):
        return text
    sign, body = _undress(text)
    if body.isascii() and body.isdigit():
        return sign + body
    if single := _SINGLE.fullmatch(body):
        return sign + _one_separator(single[1], single[2], single[3], mark)
    return sign + _grouped(body)


def decimal_mark(cells: Iterable[str]) -> Mark | None:
    """The mark that every unambiguous number among the cells shows; None where there is none, or they disagree."""
    seen: set[Mark] = set()
    for cell in cells:
        try:
            shown = _shown(_undress(cell)[1])
        except Fault:
            continue
        if shown:
            seen.add("point" if shown == "." else "comma")
    return seen.pop() if len(seen) == 1 else None


def _undress(text: str) -> tuple[str, str]:
    if len(text) > _LONGEST:
        raise Fault("bad-number")
    bare = text.translate(_SPACES).strip()
    if bare.startswith("(") and bare.endswith(")"):
        return "-", _undressed(bare[1:-1])
    signed = _SIGNED.fullmatch(_undressed(bare))
    assert signed is not None
    lead, body, trail = signed.groups()
    if lead and trail:
        raise Fault("bad-number")
    return "-" if "-" in (lead, trail) else "", _undressed(body)


def _undressed(text: str) -> str:
    dressed = _DRESSED.fullmatch(text.strip())
    assert dressed is not None
    return dressed.group(1).strip()


def _one_separator(whole: str, separator: str, part: str, mark: Mark | None) -> str:
    if _is_ambiguous(whole, part):
        if mark is None:
            raise Fault("ambiguous-number")
        if separator != {"point": ".", "comma": ","}[mark]:
            return whole + part
    return f"{whole or '0'}.{part}"


def _is_ambiguous(whole: str, part: str) -> bool:
    return len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")


def _grouped(body: str) -> str:
    match = _GROUPED.fullmatch(body)
    if match is None or match.group(2) == match.group(3):
        raise Fault("bad-number")
    whole = match.group(1).replace(match.group(2), "")
    return f"{whole}.{match.group(4)}" if match.group(3) else whole


def _shown(body: str) -> str | None:
    if single := _SINGLE.fullmatch(body):
        return None if _is_ambiguous(single.group(1), single.group(3)) else single.group(2)
    match = _GROUPED.fullmatch(body)
    if match is None:
        return None
    if match.group(3):
        return match.group(3)
    return {".": ",", ",": "."}.get(match.group(2))
