import csv
import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.ingestion.detect import Dialect
from service.domain.ingestion.errors import LineTooLong, TruncatedFile, UnknownEncoding, WrongEncoding
from service.domain.ingestion.reader import Decoder, RecordReader
from tests.shared_data import shared_data
from tests.unit.domain.ingestion.reading import table

_COMMA = Dialect(encoding="utf-8", delimiter=",")
_SPECTRUM = (
    "comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "newlines", "newlines_crlf",
    "quotes_and_newlines", "simple", "simple_crlf", "utf8",
)  # fmt: skip


@pytest.mark.parametrize("name", _SPECTRUM)
def test_the_published_csv_cases_are_read_rightly(name: str) -> None:
    header, *rows = table(shared_data(f"C_validity/csv_spectrum/csvs/{name}.csv").read_bytes())
    expected = json.loads(shared_data(f"C_validity/csv_spectrum/json/{name}.json").read_text("utf-8"))
    assert [dict(zip(header, row, strict=True)) for row in rows] == expected


def test_a_quote_within_an_open_cell_is_a_character() -> None:
    # The published answer of this case has another phone number than its file, so the file itself is the witness.
    rows = table(shared_data("C_validity/csv_spectrum/csvs/location_coordinates.csv").read_bytes())
    assert rows[1] == ["2095257564", "37\ufffd36'37.8\"N 121\ufffd2'17.9\"W", "Modesto", "Stanislaus"]


_PEOPLE = [
    ["ФИО", "Телефон", "E-mail", "Город", "Сумма", "Дата заказа"],
    ["Иванов Иван Иванович", "+7 916 123-45-67", "ivanov@example.com", "Москва", "1 234,50", "01.02.2023"],
    ['Петрова "Аня"; Сергеевна', "8(495)1234567", "petrova@example.com", "Нижний Новгород", "99,00", "28.02.2023"],
    ["Ёлкин Пётр", "", "elkin@example.com", "Орёл", "1 000 000,00", "31.12.2022"],
]


@pytest.mark.parametrize(
    "name", ["ru_excel_cp1251_semicolon.csv", "ru_excel_utf8_bom.csv", "excel_unicode_text_utf16le.txt", "sep_line.csv"]
)
def test_what_excel_writes_is_read_whatever_the_encoding(name: str) -> None:
    assert table(shared_data(f"C_validity/csv_crafted/{name}").read_bytes()) == _PEOPLE


def test_ragged_rows_are_kept_as_they_are() -> None:
    rows = table(shared_data("C_validity/csv_crafted/ragged_rows.csv").read_bytes())
    assert rows[:4] == _PEOPLE
    assert rows[4:] == [["Мало", "1"], ["Много", "1", "2", "3", "4", "5", "6", "7", "8"]]


def test_orders_in_lines_are_read() -> None:
    rows = table(shared_data("C_validity/csv_crafted/orders_one_row_per_line.csv").read_bytes())
    assert rows[0] == ["Заказ", "Клиент", "Телефон", "Дата", "Товар", "Цена", "Кол-во"]
    assert [row[0] for row in rows[1:]] == ["100"] * 3 + ["101"] * 3 + ["102"] * 3


_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(
    rows=st.lists(st.lists(_cells, min_size=2, max_size=4), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    size=st.integers(1, 30),
)
def test_any_table_survives_any_cut_of_its_bytes(rows: list[list[str]], end: str, size: int) -> None:
    out = StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    data = out.getvalue().encode()
    decoder, reader = Decoder(_COMMA), RecordReader(_COMMA)
    found: list[list[str]] = []
    lines: list[int] = []
    for start in range(0, len(data), size):
        block = reader.feed(decoder.feed(data[start : start + size]))
        found += block.records
        lines += block.lines
    last = reader.feed(decoder.feed(b"", final=True), final=True)
    assert found + last.records == rows
    assert [*lines, *last.lines] == sorted({*lines, *last.lines})


def test_lines_are_those_of_the_file_and_blank_ones_are_no_rows() -> None:
    block = RecordReader(_COMMA).feed('a,b\n\n1,"x\ny"\n\n2,z\n', final=True)
    assert (list(block.lines), block.records) == ([1, 3, 6], [["a", "b"], ["1", "x\ny"], ["2", "z"]])


@pytest.mark.parametrize("blank", ["\n", "\r\n", "\r", "\n\r", "\r\n\n"])
def test_blank_lines_that_fill_whole_pieces_are_counted(blank: str) -> None:
    reader = RecordReader(_COMMA)
    blocks = [reader.feed(piece) for piece in ("a,b\n", blank * 9, blank, blank)]
    last = reader.feed("1,2\n", final=True)
    assert [len(block.records) for block in blocks] == [1, 0, 0, 0]
    whole = StringIO("a,b\n" + blank * 11 + "1,2\n", newline="").readlines()
    assert list(last.lines) == [len(whole)]


def test_a_quote_left_open_means_a_truncated_file() -> None:
    with pytest.raises(TruncatedFile, match="line 3") as refusal:
        table(b'a,b\n1,2\n3,"cut of')
    assert refusal.value.extra == {"line": 3}


def test_a_character_left_open_means_a_truncated_file() -> None:
    with pytest.raises(TruncatedFile, match="line 2, byte 6"):
        table("a,b\n1,ж".encode()[:-1], _COMMA)


def test_a_stray_quote_spoils_its_own_row_only() -> None:
    block = RecordReader(_COMMA).feed('a,b\n"x"y,1\n2,"p\nq"\n', final=True)
    assert (block.records, list(block.lines), block.odd) == ([["a", "b"], ['"x"y,1'], ["2", "p\nq"]], [1, 2, 3], True)


def test_a_wrong_byte_is_named_with_line_byte_and_cure() -> None:
    good = "имя,город\n".encode() * 3
    with pytest.raises(WrongEncoding, match=r"Line 4, byte 54.*cp1251.*Save the whole file as UTF-8") as refusal:
        table(good + "Иванов Иван Иванович,Нижний Новгород\n".encode("cp1251"), _COMMA)
    assert refusal.value.extra["line"] == 4
    assert refusal.value.extra["looks_like"] == "cp1251"


def test_a_wrong_byte_right_behind_a_cut_character_is_placed_rightly() -> None:
    decoder = Decoder(_COMMA)
    decoder.feed(b"ab\n\xd0")
    with pytest.raises(WrongEncoding, match="Line 2, byte 3"):
        decoder.feed(b"\x20x")


def test_another_encoding_has_no_hint() -> None:
    with pytest.raises(WrongEncoding, match=r"cp1251, which has no such bytes\. Save"):
        table(b"a,b\n\x98,1\n", Dialect(encoding="cp1251", delimiter=","))


def test_ascii_settles_at_the_first_byte_beyond_it() -> None:
    dialect = Dialect(encoding="utf-8", delimiter=",", settled=False)
    decoder = Decoder(dialect)
    assert decoder.feed(b"id,name\n" * 10) == "id,name\n" * 10
    assert decoder.feed("1,Петрова Анна Сергеевна\n".encode("cp1251")) == "1,Петрова Анна Сергеевна\n"
    assert decoder.encoding == "cp1251"
    with pytest.raises(UnknownEncoding):
        Decoder(dialect).feed(b"\x81\x98\x8d\x8f\x90\x9d\x81\x98\x00\x01,\n")


def test_a_cell_or_a_record_without_end_is_refused() -> None:
    with pytest.raises(LineTooLong, match="line 2"):
        table(b"a,b\n" + b"x" * 200_000 + b",1\n", _COMMA)
    reader = RecordReader(_COMMA)
    reader.feed("a,b\n")
    with pytest.raises(LineTooLong, match="line 2"):
        reader.feed("x," * 600_000)


def test_runs_of_whitespace_part_cells() -> None:
    assert table(b" 1  2\t3\r\n\r\n 4 5 6") == [["1", "2", "3"], ["4", "5", "6"]]
