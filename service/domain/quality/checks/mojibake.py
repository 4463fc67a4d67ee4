"""Text that was written in one encoding and read in another."""

import re
from collections.abc import Iterator

from ftfy import TextFixerConfig, fix_encoding

from service.domain.quality.checks.dictionary import known
from service.domain.quality.checks.places import mended, odd_texts
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_CONFIG = TextFixerConfig(unescape_html=False)
# What can't be mojibake; ё is left out, for an и in UTF-8 reads `Рё` in Windows-1251.
_PLAIN = re.compile(r"[A-Za-z0-9А-Яа-я .,'()\"«»№/&+:;!?-]*")
_WORD = re.compile(r"[^\W\d_]{3,}")
# Of the letters in UTF-8, Windows-1251 lacks just one byte: that of И (after Р), and ј (after С).
_LOST_BYTE = re.compile("(?<=[РС])\ufffd")
# A Russian word of Windows-1251 read as KOI8-R, and the other way round, has its case turned inside out.
_TURNED = re.compile(r"[а-яё][А-ЯЁ]{2,}")
_WESTERN = re.compile("[\u00c0-\u00ff]{3,}")
_PAIRS = re.compile(r"(?:[РС][^\x00-\x7f]|[ -]){3,}")
_SWAPS = (("koi8-r", "cp1251"), ("cp1251", "koi8-r"), ("cp866", "cp1251"), ("cp1251", "cp866"))


def restored(text: str) -> str | None:
    """The text as it was meant; None when it is well as it is, or can't be told."""
    if _PLAIN.fullmatch(text):
        return _swapped(text) if _TURNED.search(text) else None
    fixed = fix_encoding(_LOST_BYTE.sub("\x98", text), _CONFIG)
    if fixed not in (text, _LOST_BYTE.sub("\x98", text)):
        return fixed
    if _PAIRS.fullmatch(text):
        # Without a sign that gives it away, the pairs of UTF-8 do: no real word has Р or С in every other place.
        again = _read_again(_LOST_BYTE.sub("\x98", text), "sloppy-windows-1251", "utf-8")
        if again is not None:
            return again
    if _WESTERN.search(text):
        return _read_again(text, "latin-1", "cp1251") or _read_again(text, "cp1252", "cp1251")
    return _swapped(text) if _TURNED.search(text) else None


def _swapped(text: str) -> str | None:
    for written, read in _SWAPS:
        again = _read_again(text, read, written)
        if again is not None:
            return again
    return None


def _read_again(text: str, read: str, written: str) -> str | None:
    try:
        again = text.encode(read).decode(written)
    except UnicodeError:
        return None
    words = _WORD.findall(again)
    return again if words and (written == "utf-8" or all(known(word) for word in words)) else None


def _examine(card: Card) -> Iterator[Finding]:
    for place in odd_texts(card):
        value = place.value
        if value.isascii():
            continue
        fixed = restored(value)
        if fixed is not None and fixed.strip():
            sure = 0.6 if "\ufffd" in fixed else 0.97
            yield mended("mojibake", place, fixed, sure, 0.98)


CHECKS = (
    Check(
        code="mojibake",
        cause=Cause.TRANSFER,
        severity=Severity.ERROR,
        fields=("family_name", "given_name", "patronymic", "legal_name", "trade_name", "region", "city", "contacts"),
        title="The text was written in one encoding and read in another.",
        example="РРІР°РЅРѕРІ",
        cure="Read it again as it was written; see to the encoding of the import that brought it.",
        examine=_examine,
    ),
)
