"""What tells of a person: whole contacts, digits however grouped, names on one line; never a single word of a name."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.privacy.markers import FileSearch, Markers, Person, joined, markers_of

_MARIA = Person(
    names={"display_name": "Иванова Мария Петровна", "family_name": "Иванова", "given_name": "Мария"},
    contacts=[
        ("email", "Maria.Ivanova@Example.com", "maria.ivanova@example.com"),
        ("phone", "8 (912) 345-67-89", "+79123456789"),
        ("bic", "044525225", "044525225"),
    ],
    external_ids=[("shop", "17850")],
)
_MARKERS = markers_of(_MARIA)


@pytest.mark.parametrize(
    "text",
    [
        "write to MARIA.IVANOVA@example.com",
        "8-912-345-67-89",
        "tel. +7 912 345 6789!",
        "79123456789",
        "Мария;1990;Иванова",
        "ИВАНОВА\tМАРИЯ",
        "x\nИванова Мария Петровна\ny",
    ],
)
def test_a_text_that_tells_of_her(text: str) -> None:
    assert _MARKERS.tell_of(text)


@pytest.mark.parametrize("text", ["", "Иванова", "Мария", "Иванова Анна\nМария Сидорова", "044525225", "912 345 67 88"])
def test_a_text_that_does_not(text: str) -> None:
    assert not _MARKERS.tell_of(text)


def test_an_external_id_counts_where_it_fills_a_cell_of_its_own_system() -> None:
    assert _MARKERS.tell_of("536365,85123A,17850,United Kingdom", "shop")
    assert _MARKERS.tell_of("17850", "shop")
    assert not _MARKERS.tell_of("536365,85123A,178501,United Kingdom", "shop")
    assert not _MARKERS.tell_of("536365,85123A,17850,United Kingdom", "till")
    assert not _MARKERS.tell_of("17850")


def test_yo_and_case_make_no_difference() -> None:
    markers = markers_of(Person(names={"family_name": "Фёдоров", "given_name": "Пётр"}))
    assert markers.tell_of("ПЕТР ФЕДОРОВ")


def test_a_name_of_one_word_tells_of_nobody() -> None:
    markers = markers_of(Person(names={"display_name": "Анна", "given_name": "Анна"}))
    assert not markers.tell_of("Анна")


def test_nothing_known_is_found_nowhere() -> None:
    markers = markers_of(Person(names={}))
    assert not markers.tell_of("anything at all", "shop")
    assert markers.patterns() == markers.digit_patterns() == []


def test_json_loses_the_texts_that_tell_of_her_and_nothing_else() -> None:
    told = {"to": ["maria.ivanova@example.com", "anna@example.com"], "sum": 12, "none": None}
    assert _MARKERS.without(told) == {"to": ["—", "anna@example.com"], "sum": 12, "none": None}


def test_of_a_text_only_the_lines_that_tell_of_her_go() -> None:
    text = "Call on Monday\nAsk Мария Иванова\nBring the contract"
    assert _MARKERS.without(text) == "Call on Monday\n—\nBring the contract"


_ROW = "1;Иванова;Мария;5\r\n"
_OTHERS = "2;Петров;Пётр;5\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "utf-16"])
@pytest.mark.parametrize("stated", [True, False])
def test_a_file_is_read_in_its_encoding(encoding: str, stated: bool) -> None:
    for text, told in ((_OTHERS * 50 + _ROW + _OTHERS * 50, True), (_OTHERS * 100, False)):
        search = FileSearch(_MARKERS, source="shop", encoding=encoding if stated else None)
        assert search.found_in(text.encode(encoding)) is told


def test_an_unknown_encoding_is_found_out() -> None:
    assert FileSearch(_MARKERS, source="shop", encoding="no-such").found_in(_ROW.encode())


def test_a_packed_file_that_is_broken_may_hold_her() -> None:
    packed = bytearray(gzip.compress((_OTHERS * 1000).encode()))
    packed[20] ^= 0xFF
    assert FileSearch(_MARKERS, source="shop", encoding=None).found_in(bytes(packed))


@given(st.integers(1, 400), st.integers(0, 60), st.booleans())
def test_she_is_found_wherever_the_file_is_cut(size: int, before: int, packed: bool) -> None:
    content = (_OTHERS * before + _ROW + _OTHERS * 3).encode()
    content = gzip.compress(content) if packed else content
    search = FileSearch(_MARKERS, source="shop", encoding="utf-8")
    size = max(size, 18)  # the head of a packed file is in its first piece
    assert any(search.found_in(content[at : at + size]) for at in range(0, len(content), size))


@given(st.text(max_size=40), st.sampled_from(_MARKERS.texts))
def test_whatever_stands_around_a_marker_does_not_hide_it(around: str, marker: str) -> None:
    assert _MARKERS.tell_of(f"{around} {marker} {around}")


@given(st.lists(st.text(max_size=20), max_size=5))
def test_a_row_is_one_line(cells: list[str]) -> None:
    assert "\n" not in joined(cells)
    assert _MARKERS.tell_of(joined([*cells, "Иванова", *cells, "Мария"]))


def test_patterns_escape_what_like_would_read() -> None:
    markers = Markers(texts=("a_b%c\\d",), digits=(), pairs=(), ids=())
    assert "%a\\_b\\%c\\\\d%" in markers.patterns()
