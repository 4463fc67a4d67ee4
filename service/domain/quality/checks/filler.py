"""What is put into a field only because something had to stand there."""

from collections.abc import Iterator

from service.domain.quality.checks.dictionary import roles
from service.domain.quality.checks.places import (
    NAME_PARTS,
    ORGANISATION_NAMES,
    PLACE_NAMES,
    Place,
    fields,
    found,
    mended,
    once,
    words,
)
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_NAMES = (*NAME_PARTS, *ORGANISATION_NAMES)
_FILLERS = words("""
    нет нету n/a na н/д нд null none nil nan undefined unknown неизвестно неизвестный неизвестна неизвестен отсутствует
    пусто empty xxx xx ххх хх xyz tbd todo blank -//- n\\a нд. н.д. б/н no
""") | {"не указано", "не указан", "не указана", "не задано", "нет данных",
        "no data", "not set", "not provided", "no name",
        "без имени", "без отчества", "без фамилии", "не знаю", "not known", "to be defined",
        }  # fmt: skip
_JOKES = words("""
    тест тестов тестова тестович тестовна тестовый тестовая тестер test tests tester testov testing qwerty asdf asdfg
    asdfgh zxcv zxcvb qwe asd zxc йцу йцук йцуке йцукен фыв фыва фывап фывапр ячс ячсм ячсми пупкин пупкина pupkin vasya
    клиент покупатель заказчик гость аноним аноним anonymous anonim guest user customer client buyer клиентка
    фамилия имя отчество firstname lastname surname fullname фио noname неважно какойто ктото
    абырвалг блабла blah foo bar foobar lorem ipsum ааа ббб ввв
""")
# Words that are only a joke beside one of the above: a surname and a given name may both be real.
_ONLY_BESIDE = words("новый новая new name первый какой-то мой наш тот vasya вася василий")
_ROWS = ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
_RUNS = frozenset(
    way[start:end]
    for row in _ROWS
    for way in (row, row[::-1])
    for start in range(len(row))
    for end in range(start + 4, len(row) + 1)
)


def is_filler(text: str) -> bool:
    """Whether the text says no more than that there is none."""
    bare = text.strip().lower()
    return bare in _FILLERS or (bare != "" and not any(sign.isalnum() for sign in bare))


def is_joke(text: str) -> bool:
    """Whether nobody is called so: a run of keys, one letter repeated, or a word for a test or a client."""
    bare = text.strip().lower()
    # Смит lies in a row on the keyboard too, and is a name.
    run = bare in _RUNS and not roles(bare).any
    return run or bare in _JOKES or (len(bare) > 2 and bare == bare[0] * len(bare))


@once
def _named(card: Card) -> list[Place]:
    return fields(card, _NAMES)


def _filler(card: Card) -> Iterator[Finding]:
    empty = [place for place in (*_named(card), *fields(card, PLACE_NAMES)) if is_filler(place.value)]
    if not empty:
        return
    # A record without any name could not be kept: then there is nothing to propose.
    named = any(not is_filler(place.value) for place in _named(card))
    for place in empty:
        if named or place.field in (*PLACE_NAMES, "patronymic"):
            yield mended("filler", place, None, 0.97)
        else:
            yield found("filler", place)


def _contacts(card: Card) -> Iterator[Finding]:
    for contact in card.contacts:
        if len(contact.value) < 16 and is_filler(contact.value):
            yield mended("filler", Place("contacts", contact.detail_id, contact.value), None, 0.97)


def _all_filler(card: Card) -> Iterator[Finding]:
    yield from _filler(card)
    yield from _contacts(card)


def _joke(card: Card) -> Iterator[Finding]:
    named = _named(card)
    jokes = [place for place in named if is_joke(place.value)]
    if jokes:
        yield from (found("made-up-name", place, 0.95) for place in jokes)
        beside = (place for place in named if place.value.strip().lower() in _ONLY_BESIDE)
        yield from (found("made-up-name", place, 0.8) for place in beside)


CHECKS = (
    Check(
        code="filler",
        cause=Cause.FALSE,
        severity=Severity.WARNING,
        fields=(*_NAMES, *PLACE_NAMES, "contacts"),
        title="The field holds a dash or a word for nothing in place of a value.",
        example="нет",
        cure="Leave the field empty; if it is required, ask the customer.",
        examine=_all_filler,
    ),
    Check(
        code="made-up-name",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=_NAMES,
        title="Nobody is called so: a test, a run of keys, one letter repeated.",
        example="фыва",
        cure="Ask the customer for their name.",
        examine=_joke,
    ),
)
