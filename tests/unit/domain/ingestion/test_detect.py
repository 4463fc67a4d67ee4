import codecs

import pytest

from service.domain.ingestion.detect import canonical, detect
from service.domain.ingestion.errors import BadDelimiter, NotText, UnknownEncoding, WrongEncoding

_RU = "ФИО;Город\r\nИванов Иван Иванович;Москва\r\nПетрова Аня;Нижний Новгород\r\n"
_UPPER = "ФИО;ГОРОД\r\nИВАНОВ ИВАН;МОСКВА\r\nПЕТРОВА АННА;ТВЕРЬ\r\n"
_WEST = "name;city\r\nJosé Núñez;Málaga\r\nJürgen Groß;Köln\r\nFrançois Lefèvre;Orléans\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "cp866", "koi8-r", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [_RU, _UPPER])
def test_russian_encodings_are_told_apart_without_a_mark(text: str, encoding: str) -> None:
    assert detect(text.encode(encoding)).encoding == encoding


def test_western_text_is_told_from_russian() -> None:
    assert detect(_WEST.encode("cp1252")).encoding == "cp1252"
    assert detect("id,name\r\n1,Müller\r\n2,Smith\r\n".encode("cp1252")).encoding == "cp1252"


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_decides(bom: bytes, encoding: str) -> None:
    dialect = detect(bom + _RU.encode(encoding))
    assert (dialect.encoding, dialect.bom, dialect.delimiter) == (encoding, len(bom), ";")


def test_a_sample_may_cut_a_character() -> None:
    whole = ("имя,город\n" * 50).encode()
    assert {detect(whole[:size]).encoding for size in range(20, 60)} == {"utf-8"}


def test_a_lone_sign_that_says_little_is_taken_as_western() -> None:
    dialect = detect("id,name\n1,©\n".encode("cp1252"))
    assert dialect.encoding == "cp1252"
    assert dialect.confidence <= 0.5


def test_pure_ascii_leaves_the_encoding_open() -> None:
    dialect = detect(b"a,b\n1,2\n")
    assert (dialect.encoding, dialect.settled) == ("utf-8", False)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb\nx,y\tz;w\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ('a,"b;c;d",e\n1,"x;y;z",2\n', ","),
        ("00001 0001 19970101 1 2.00\n00002  0002 19970102 2  4.00\n", " "),
        ("name\nAnna Maria\nJohn\n", ","),
        ("only\n", ","),
        ("", ","),
        ("a,b", ","),
    ],
)
def test_the_delimiter_is_the_one_that_parts_lines_evenly(text: str, delimiter: str) -> None:
    assert detect(text.encode(), final=True).delimiter == delimiter


def test_a_line_of_excel_says_the_delimiter() -> None:
    dialect = detect(b"sep=;\r\na,b;c\r\n1,2;3\r\n")
    assert (dialect.delimiter, dialect.header_line) == (";", 2)


def test_the_callers_word_wins() -> None:
    dialect = detect("a;b\nж;ж\n".encode("cp866"), encoding="IBM866", delimiter="tab")
    assert (dialect.encoding, dialect.delimiter, dialect.confidence) == ("cp866", "\t", 1.0)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("windows-1251", "cp1251"),
        ("UTF8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("ascii", "utf-8"),
        ("utf-16", "utf-16-le"),
    ],
)
def test_an_encoding_has_one_name(asked: str, name: str) -> None:
    assert canonical(asked) == name


@pytest.mark.parametrize("asked", ["rot13", "utf-7", "no-such", "a\0b"])
def test_an_encoding_that_is_not_read_is_refused(asked: str) -> None:
    with pytest.raises(UnknownEncoding):
        detect(b"a,b\n", encoding=asked)


@pytest.mark.parametrize("data", [_RU.encode() * 2, codecs.BOM_UTF8 + b"a,b\n"])
def test_a_word_that_the_bytes_contradict_is_refused_with_the_cure(data: bytes) -> None:
    with pytest.raises(WrongEncoding, match="utf-8"):
        detect(data, encoding="cp1251")


def test_an_endless_cell_leaves_the_delimiter_to_the_reader() -> None:
    assert detect(b"a;b\n" + b"x" * 200_000 + b"\nc;d\n").delimiter == ","


def test_another_delimiter_is_refused() -> None:
    with pytest.raises(BadDelimiter):
        detect(b"a,b\n", delimiter="::")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04rest", "xlsx"),
        (b"\xd0\xcf\x11\xe0rest", "xls"),
        (b"%PDF-1.7", "PDF"),
        (bytes(range(256)) * 4, "binary"),
    ],
)
def test_what_is_no_text_is_refused_in_words(data: bytes, word: str) -> None:
    with pytest.raises(NotText, match=word):
        detect(data)


def test_bytes_that_fit_nothing_are_refused_with_the_cure() -> None:
    with pytest.raises(UnknownEncoding, match="encoding"):
        detect(b"\x81\x98\x8d\x8f\x90\x9d\x81\x98\x00\x01,\n")
