"""Signs that don't belong into a text: blanks, invisible characters, HTML, losses, other alphabets, case."""

import html
import re
from collections.abc import Iterator
from unicodedata import category

from service.domain.quality.checks.places import NAME_PARTS, Place, found, mended, names, odd_texts, words
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{2,6}|#x[0-9a-fA-F]{2,5});")
_LOST = re.compile(r"\?{2,}|\w\?\w|\ufffd")


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _stray_blanks(card: Card) -> Iterator[Finding]:
    for place in odd_texts(card):
        tidy = _tidy(place.value)
        if tidy != place.value and tidy:
            yield mended("stray-blanks", place, tidy, 0.99)


def _invisible(card: Card) -> Iterator[Finding]:
    for place in odd_texts(card):
        if not place.value.isprintable() and _INVISIBLE.search(place.value):
            clean = "".join(sign for sign in place.value if category(sign) not in ("Cf", "Cc") or sign.isspace())
            yield mended("invisible-characters", place, _tidy(clean) or None, 0.97)


def _entities(card: Card) -> Iterator[Finding]:
    for place in odd_texts(card):
        if "&" in place.value and _ENTITY.search(place.value):
            plain = html.unescape(html.unescape(place.value))
            if plain != place.value:
                yield mended("html-entities", place, _tidy(plain) or None, 0.98)


def _losses(card: Card) -> Iterator[Finding]:
    for place in odd_texts(card):
        if ("?" in place.value or "\ufffd" in place.value) and _LOST.search(place.value):
            yield found("lost-letters", place, 0.95)


# The letters of the two alphabets that look alike; the capitals are like more of each other than the small letters.
_LATIN = "aceopxyABCEHKMOPTXYiI"
_CYRILLIC = "асеорхуАВСЕНКМОРТХУіІ"
_TO_CYRILLIC = str.maketrans(_LATIN + "k", _CYRILLIC + "к")
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
_WORD = re.compile(r"[^\W\d_]+")
_IN_CYRILLIC = re.compile("[\u0400-\u04ff]")
_IN_LATIN = re.compile("[A-Za-z]")


def one_alphabet(word: str) -> str | None:
    """The word in the alphabet that it can wholly be written in; None when no look-alikes would do."""
    cyrillic, latin = word.translate(_TO_CYRILLIC), word.translate(_TO_LATIN)
    if not _IN_LATIN.search(cyrillic):
        # Where either would do, the commoner of the two on the page decides.
        both = not _IN_CYRILLIC.search(latin)
        return latin if both and len(_IN_LATIN.findall(word)) > len(_IN_CYRILLIC.findall(word)) else cyrillic
    return latin if not _IN_CYRILLIC.search(latin) else None


def _mixed(place: Place) -> Finding | None:
    sure, text = True, place.value
    for word in _WORD.findall(place.value):
        if _IN_LATIN.search(word) and _IN_CYRILLIC.search(word):
            pure = one_alphabet(word)
            sure = sure and pure is not None
            text = text.replace(word, pure or word)
    if text != place.value:
        return mended("mixed-alphabets", place, text, 0.97 if sure else 0.5)
    return None if sure else found("mixed-alphabets", place, 0.9)


def _mixed_alphabets(card: Card) -> Iterator[Finding]:
    for place in odd_texts(card):
        value = place.value
        if not value.isascii() and _IN_LATIN.search(value) and _IN_CYRILLIC.search(value):
            one = _mixed(place)
            if one is not None:
                yield one


_PARTICLES = words("""
    де дер ван фон дю ла ле да ди дос дель эль аль оглы кызы улы гызы заде бек хан
    von van der den de la le di da dos del el al bin ibn of the y e
""")
_PARTS = re.compile(r"([-\s'’.]+)")


def _cased(text: str) -> str:
    parts = _PARTS.split(text.lower())
    return "".join(
        word if index and word in _PARTICLES else word[:1].upper() + word[1:] for index, word in enumerate(parts)
    )


def _case(card: Card) -> Iterator[Finding]:
    for place in names(card):
        value = place.value
        if value[:1].isupper() and (value[1:].islower() or len(value) == 1):
            continue
        letters = "".join(sign for sign in value if sign.isalpha())
        if len(letters) < 3 or letters.lower() in _PARTICLES:
            continue
        turned = letters[0].islower() and letters[1:].isupper()
        cased = _cased(value) if letters.isupper() or letters.islower() or turned else value
        if cased != value:
            yield mended("letter-case", place, cased, 0.96)


CHECKS = (
    Check(
        code="html-entities",
        cause=Cause.TRANSFER,
        severity=Severity.WARNING,
        fields=(*NAME_PARTS, "legal_name", "trade_name", "region", "city", "contacts"),
        title="The text holds codes of a web page in place of characters.",
        example="ООО &quot;Ромашка&quot;",
        cure="Put the characters in place of the codes; see to the import that wrote them.",
        examine=_entities,
    ),
    Check(
        code="lost-letters",
        cause=Cause.TRANSFER,
        severity=Severity.ERROR,
        fields=(*NAME_PARTS, "legal_name", "trade_name", "region", "city", "contacts"),
        title="Letters have become question marks on their way between two systems.",
        example="И?анов",
        cure="Take the value anew from where it came from; its letters can't be told from what is left.",
        examine=_losses,
    ),
    Check(
        code="invisible-characters",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=(*NAME_PARTS, "legal_name", "trade_name", "region", "city", "contacts"),
        title="The text holds characters that nobody sees and no search finds.",
        example="Ива\u200bнов",
        cure="Remove them.",
        examine=_invisible,
    ),
    Check(
        code="stray-blanks",
        cause=Cause.ENTRY,
        severity=Severity.NOTE,
        fields=(*NAME_PARTS, "legal_name", "trade_name", "region", "city", "contacts"),
        title="Blanks stand around the text, or several in a row within it.",
        example="  Иванов ",
        cure="Keep one blank between words and none around them.",
        examine=_stray_blanks,
    ),
    Check(
        code="mixed-alphabets",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=(*NAME_PARTS, "legal_name", "trade_name", "region", "city", "contacts"),
        title="Latin and Cyrillic letters that look alike are mixed within one word.",
        example="Cергей with a Latin C",
        cure="Write the word in one alphabet.",
        examine=_mixed_alphabets,
    ),
    Check(
        code="letter-case",
        cause=Cause.ENTRY,
        severity=Severity.NOTE,
        fields=NAME_PARTS,
        title="The name is written in capitals or without any.",
        example="ИВАНОВ",
        cure="Write the first letter of each part as a capital.",
        examine=_case,
    ),
)
