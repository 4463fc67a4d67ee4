"""Names compare, sort and are found whatever the case, the form of their letters, or the alphabet of the query."""

import string
import unicodedata
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.customers.names import (
    LONGEST_TOKEN,
    MOST_QUERY_WORDS,
    MOST_TOKENS,
    display_name,
    fold,
    latin_key,
    query_tokens,
    search_tokens,
)

words = st.text(alphabet="абвгдежзийклмнопрстуфхцчшщъыьэюяё" + string.ascii_letters + string.digits, min_size=1)
person = partial(display_name, family_name="Иванов", given_name="Иван")


def found(query: str, *names: str) -> bool:
    tokens = search_tokens(names)
    asked = query_tokens(query)
    return bool(asked) and all(any(token.startswith(prefix) for token in tokens) for prefix in asked)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Иванов \t Иван\u00a0Иванович\n", "иванов иван иванович"),
        ("ФЁДОР", "федор"),
        ("Фе\u0308дор", "федор"),
        ("Андреи\u0306", "андрей"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Zoe\u0308", "zoë"),
        ("Ο ΣΟΦΟΣ", "ο σοφοσ"),
        ("a\x00b\ud800c", "a b c"),
        ("\x00", ""),
        ("", ""),
        (" \u3000 ", ""),
    ],
)
def test_text_is_folded_to_what_is_compared(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
@example("е\u0308\u0308")
@example("ё\u0323\u0308")
@example("ᾳ\u0345\u0301")
def test_folding_twice_changes_nothing_and_is_storable(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert unicodedata.is_normalized("NFC", folded)
    assert "\x00" not in folded.encode().decode()
    assert "ё" not in folded


@given(st.text())
def test_composed_and_decomposed_text_fold_alike(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Ivanov", "Иванов"),
        ("иванов", "ИВАНОВ"),
        ("Иван", "Иванов Пётр"),
        ("петр иванов", "Иванов Пётр"),
        ("Petr Ivan", "Иванов Пётр"),
        ("Fedor", "Фёдор"),
        ("Julia", "Юлия"),
        ("Yulia", "Юлия"),
        ("Iuliia", "Юлия"),
        ("Yuliya", "Julia"),
        ("Dmitry", "Дмитрий"),
        ("Dmitrij", "Дмитрий"),
        ("Sergei", "Сергей"),
        ("Alexey", "Алексей"),
        ("Shcherbakov", "Щербаков"),
        ("Olga", "Ольга"),
        ("Anna", "Анна"),
        ("Wasiliy", "Василий"),
        ("Muller", "Müller"),
        ("Müller", "Muller"),
        ("Łukasz", "Lukasz"),
        ("romashka", "ООО «Ромашка-2000»"),
        ("2000", "ООО «Ромашка-2000»"),
        ("Їжак", "Їжакевич"),
        ("izhak", "Їжакевич"),
        ("王", "王 小明"),
        ("o'brien", "O’Brien"),
    ],
)
def test_a_name_is_found(query: str, name: str) -> None:
    assert found(query, name)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Петров", "Иванов"),
        ("Иванов Пётр", "Иванов Иван"),
        ("ванов", "Иванов"),
        ("Ш", "Сидоров"),
        ("2000", "20"),
        ("", "И"),
    ],
)
def test_another_name_is_not_found(query: str, name: str) -> None:
    assert not found(query, name)


@given(words, st.data())
def test_every_prefix_of_a_word_finds_it(word: str, data: st.DataObject) -> None:
    prefix = word[: data.draw(st.integers(1, len(word)))]
    if query_tokens(prefix):
        assert found(prefix, word)


@given(words, st.data())
def test_every_prefix_of_a_latin_spelling_finds_the_word(word: str, data: st.DataObject) -> None:
    spelled = latin_key(fold(word))
    if spelled:
        assert found(spelled[: data.draw(st.integers(1, len(spelled)))], word)


@given(words)
def test_a_latin_key_is_its_own_key(word: str) -> None:
    key = latin_key(fold(word))
    assert latin_key(key) == key


@given(st.lists(st.text(), max_size=40))
def test_tokens_are_bounded_and_made_of_letters_and_digits(texts: list[str]) -> None:
    tokens = search_tokens(texts)
    assert len(tokens) <= MOST_TOKENS
    assert all(0 < len(token) <= LONGEST_TOKEN for token in tokens)
    assert all(token == fold(token) and " " not in token for token in tokens)
    asked = query_tokens(" ".join(texts))
    assert len(asked) <= MOST_QUERY_WORDS
    assert all(0 < len(token) <= LONGEST_TOKEN for token in asked)


def test_the_first_words_of_a_record_count() -> None:
    tokens = search_tokens([f"word{number}" for number in range(100)])
    assert tokens == frozenset(f"vord{number}" for number in range(MOST_TOKENS))


def test_a_long_word_is_found_by_all_of_it() -> None:
    assert found("Щ" * 300, "Щ" * 300)
    assert found("shch" * 80, "щ" * 300)


def test_a_word_without_a_latin_spelling_stands_as_it_is_written() -> None:
    assert search_tokens(["Ь"]) == {"ь"}


def test_a_repeated_word_is_asked_for_once() -> None:
    assert query_tokens("Иван иван ИВАН") == ("иван",)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("Иванов Иван Иванович", person(patronymic="Иванович")),
        ("Иванов Иван", person()),
        ("Иванов Иван", person(patronymic="  ", trade_name="Ромашка")),
        ("Анна Мария", display_name(given_name=" Анна  Мария ")),
        ("Ромашка", display_name(trade_name=" Ромашка ", legal_name="ООО «Цветы»")),
        ("ООО «Цветы»", display_name(trade_name=" ", legal_name="ООО  «Цветы»")),
        ("Ромашка", person(kind="organisation", trade_name="Ромашка")),
        ("Иванов Иван", person(kind="organisation")),
        ("", display_name()),
    ],
)
def test_a_record_is_shown_by_name(shown: str, name: str) -> None:
    assert name == shown
