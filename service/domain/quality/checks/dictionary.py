"""Russian words and names, from the compiled dictionary of pymorphy3; it is opened when it is first asked.

Roles are remembered only of words that the dictionary holds: what is kept is the dictionary's, not the customers'.
"""

from functools import cache
from typing import Any, Final, NamedTuple

import pymorphy3  # type: ignore[import-untyped]

_PARTS: Final = {"Name": "given_name", "Surn": "family_name", "Patr": "patronymic"}
_GENDERS: Final = {"masc": "m", "femn": "f"}
_YO: Final = {"е": "ё"}


class Roles(NamedTuple):
    """What a word can be in a person's name, each with the genders (`m`, `f`, `mf`) that it then has; empty if none."""

    given_name: str = ""
    family_name: str = ""
    patronymic: str = ""

    @property
    def any(self) -> bool:
        return bool(self.given_name or self.family_name or self.patronymic)


_NONE = Roles()
_seen: dict[str, Roles] = {}
_MOST = 100_000


@cache
def _dictionary() -> Any:
    return pymorphy3.MorphAnalyzer(lang="ru").dictionary


@cache
def _respelt() -> Any:
    words = _dictionary().words
    return words, words.compile_replaces(_YO)


def known(word: str) -> bool:
    """Whether this is a Russian word or name, in any of its forms; ё may be written as е."""
    words, respelling = _respelt()
    lower = word.lower()
    return lower in words or ("е" in lower and bool(words.similar_keys(lower, respelling)))


def roles(word: str) -> Roles:
    """What the word can be in a name."""
    lower = word.lower()
    held = _seen.get(lower)
    if held is not None:
        return held
    words, respelling = _respelt()
    read = _read(words.get(lower) or ())
    if not read.any and "е" in lower:
        read = _read([form for _, spelt in words.similar_items(lower, respelling) for form in spelt])
    if read.any:
        if len(_seen) >= _MOST:
            _seen.clear()
        _seen[lower] = read
    return read


def _read(forms: Any) -> Roles:
    genders: dict[str, set[str]] = {}
    for paradigm, index in forms:
        for part, gender in _meaning(paradigm, index):
            genders.setdefault(part, set()).update(gender)
    return (
        _combined(**{part: "".join(sorted(one, reverse=True)) for part, one in genders.items()}) if genders else _NONE
    )


@cache
def _combined(**genders: str) -> Roles:
    return Roles(**genders)


@cache
def _meaning(paradigm: int, index: int) -> tuple[tuple[str, str], ...]:
    tag = _dictionary().build_tag_info(paradigm, index)
    if tag.number != "sing" or tag.case != "nomn":
        return ()
    gender = "mf" if "ms-f" in tag or "Ms-f" in tag else _GENDERS.get(tag.gender or "", "mf")
    return tuple((part, gender) for grammeme, part in _PARTS.items() if grammeme in tag)
