"""Names: how they are compared, found and shown.

Comparison folds case, Unicode form, ё and blanks. A record is found by prefixes of its words: every word gives a Latin
key, and a Cyrillic word also stands as it is written. A query word in Cyrillic looks for the word, any other for the
key, so that "Ivanov", "ivanov" and "Иванов" find Иванов, and "Julia", "Yulia" or "Iuliia" find Юлия. Keys change letter
by letter and only ever shorten runs, so that a prefix of a word has a prefix of its key. Words in other alphabets are
their own keys.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal
from unicodedata import normalize

LONGEST_TOKEN = 64
MOST_TOKENS = 24
MOST_QUERY_WORDS = 8

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_YO = re.compile("(е[\u0300-\u0307\u0309-\u036f]*)\u0308+")
_BETWEEN_WORDS = re.compile("(?:[^\\w\u0300-\u036f]|_)+")
_CYRILLIC = re.compile("[\u0400-\u052f]")
_MARKS = re.compile("[\u0300-\u036f]+")
_RUNS = re.compile(r"([^\W\d_])\1+")
_SINGLE = dict(
    zip("абвгдезийклмнопрстуўфыэіїґәғқңөұүһјљњђłøđıjyw", "abvgdeziiklmnoprstuufieiigagknouuhilndlodiiiv", strict=True)
)
_SEVERAL = {
    "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "iu", "я": "ia", "є": "ie", "џ": "dzh",
    "ћ": "ch", "x": "ks", "æ": "ae", "œ": "oe", "þ": "th", "ь": "", "ъ": "",
}  # fmt: skip
_LATIN = str.maketrans(_SINGLE | _SEVERAL)


def fold(text: str) -> str:
    """The form in which text is compared: composed, without case, ё as е, single blanks, nothing unstorable."""
    if text.isascii() and "\x00" not in text:
        return " ".join(text.lower().split())
    folded = normalize("NFD", normalize("NFD", _UNSTORABLE.sub(" ", text)).casefold())
    return " ".join(normalize("NFC", _YO.sub(r"\1", folded)).split())


def search_tokens(words: Iterable[str]) -> frozenset[str]:
    """What a record is found by: of each word its Latin key, of a Cyrillic word itself too; the first words count."""
    tokens: dict[str, None] = {}
    for token in _tokens(words):
        if len(tokens) == MOST_TOKENS:
            break
        tokens[token] = None
    return frozenset(tokens)


def query_tokens(text: str) -> tuple[str, ...]:
    """The prefixes that a record must all have among its tokens, in the order of the query."""
    asked = (word if _CYRILLIC.search(word) else latin_key(word) for word in _words(text))
    return tuple(dict.fromkeys(token[:LONGEST_TOKEN] for token in asked if token))[:MOST_QUERY_WORDS]


def latin_key(word: str) -> str:
    """The Latin spelling of a folded word with the usual variants made one: y, j and i, w and v, x and ks, runs."""
    spelled = word.translate(_LATIN)
    if not spelled.isascii():
        spelled = normalize("NFC", _MARKS.sub("", normalize("NFD", word)).translate(_LATIN))
    return _RUNS.sub(r"\1", spelled)


def display_name(
    *,
    kind: Literal["person", "organisation"] = "person",
    family_name: str | None = None,
    given_name: str | None = None,
    patronymic: str | None = None,
    trade_name: str | None = None,
    legal_name: str | None = None,
) -> str:
    """A person as "Иванов Иван Иванович"; an organisation by its trade name, else by its legal name."""
    person = _joined(family_name, given_name, patronymic)
    organisation = _joined(trade_name) or _joined(legal_name)
    return (person or organisation) if kind == "person" else (organisation or person)


def _joined(*parts: str | None) -> str:
    return " ".join(word for part in parts for word in (part or "").split())


def _tokens(words: Iterable[str]) -> Iterator[str]:
    for word in _words(" ".join(words)):
        if _CYRILLIC.search(word):
            yield word[:LONGEST_TOKEN]
        key = latin_key(word)[:LONGEST_TOKEN]
        if key:
            yield key


def _words(text: str) -> list[str]:
    return [word for word in _BETWEEN_WORDS.split(fold(text)) if word]
