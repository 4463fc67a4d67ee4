"""How a text table is written: its encoding, delimiter and first line, told from its first bytes.

A byte order mark decides. Else what decodes as UTF-8 is UTF-8 (the sample may cut a character at its end), NULs at
every other byte are UTF-16, and the rest is weighed among the code pages of Russia and Western Europe. Pure ASCII
leaves the encoding open (`settled` false): all of them agree so far. The delimiter is the one that parts the lines most
evenly, judged by the first of them; a first line `sep=;` (Excel) says it outright. Whitespace is taken only where
nothing else parts the lines. The caller's own word wins, unless the bytes contradict it.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from charset_normalizer import from_bytes

from service.domain.ingestion.errors import BadDelimiter, NotText, UnknownEncoding, WrongEncoding

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

DELIMITERS = (",", ";", "\t", "|")
WHITESPACE = " "
ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "cp1251", "cp866", "koi8-r", "koi8-u", "cp1252", "cp1250", "iso8859-1",
    "iso8859-5", "iso8859-15", "mac-cyrillic", "ascii",
)  # fmt: skip

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_GUESSED = ["cp1251", "cp866", "koi8_r", "cp1252"]
_MAGIC = (
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or another zip archive; save it as CSV"),
    (b"PK\x05\x06", "a zip archive; send the table in it"),
    (b"PK\x07\x08", "a zip archive; send the table in it"),
    (b"\x1f\x8b", "packed by gzip more than once; unpack it"),
    (b"Rar!", "a RAR archive; send the table in it"),
    (b"7z\xbc\xaf", "a 7z archive; send the table in it"),
    (b"<?xml", "an XML document; export the table as CSV"),
    (b"<!DOCTYPE", "an XML or HTML document; export the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls); save it as CSV"),
    (b"%PDF", "a PDF document; export the table as CSV"),
    (b"PAR1", "a Parquet file; export it as CSV"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; send it plain or as gzip"),
    (b"BZh", "packed with bzip2; send it plain or as gzip"),
    (b"\xfd7zXZ", "packed with xz; send it plain or as gzip"),
)
_BEYOND = re.compile(rb"[\x80-\xff]+")
_TELLING = 16
_WEIGHED = 16_384
_RECORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to read the file; `bom` is the number of bytes to pass over, `header_line` the first line that counts."""

    encoding: str
    delimiter: str
    quote: str | None = '"'
    bom: int = 0
    confidence: float = 1.0
    settled: bool = True
    header_line: int = 1


def detect(
    sample: bytes,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    quote: str | None = '"',
    final: bool = False,
) -> Dialect:
    """The dialect of the file that begins with the sample (is the sample, where final)."""
    name, bom, confidence, settled = _encoding(sample, encoding, final)
    text = codecs.getincrementaldecoder(name)(errors="replace").decode(sample[bom:], final)
    told, header_line = _told(text)
    body = text.split("\n", 1)[-1] if header_line > 1 else text
    return Dialect(
        encoding=name,
        delimiter=_checked(delimiter) or told or _delimiter(body, quote, final),
        quote=quote,
        bom=bom,
        confidence=confidence,
        settled=settled,
        header_line=header_line,
    )


def rows_of(lines: Iterable[str], delimiter: str, quote: str | None, *, strict: bool) -> "CsvReader":
    """The csv reader of the dialect over lines that keep their ends."""
    return csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        strict=strict,
    )


def guess_encoding(sample: bytes) -> tuple[str, float] | None:
    """The encoding of bytes beyond ASCII, with a confidence from 0 to 1; None where nothing fits."""
    if _decodes(sample, "utf-8", final=False):
        return "utf-8", 0.99
    telling = b"\n".join(line for line in sample.splitlines() if not line.isascii())[:_WEIGHED]
    runs = [len(run) for run in _BEYOND.findall(telling)]
    # Accented letters stand alone among plain ones, Cyrillic ones stand together: on short texts this tells more.
    western = runs.count(1) * 2 > sum(runs)
    best = from_bytes(telling, cp_isolation=["cp1252"] if western else _GUESSED).best()
    if best is None:
        return ("cp1252", 0.5) if western and _decodes(sample, "cp1252", final=False) else None
    return codecs.lookup(best.encoding).name, round(0.95 * (1 - best.chaos), 2)


def canonical(encoding: str) -> str:
    """The one name of an encoding that is read here."""
    wanted = encoding.strip().lower()
    if wanted in ("utf-8-sig", "utf8-sig", "utf_8_sig"):
        return "utf-8"
    try:
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError):
        name = ""
    known = {codecs.lookup(each).name for each in ENCODINGS} | {"utf-16"}
    if name not in known:
        raise UnknownEncoding(f"The encoding {encoding!r} is not read here; use one of {', '.join(ENCODINGS)}.")
    return {"ascii": "utf-8", "utf-16": "utf-16-le"}.get(name, name)


def _encoding(sample: bytes, asked: str | None, final: bool) -> tuple[str, int, float, bool]:
    for magic, what in _MAGIC:
        if sample.startswith(magic):
            raise NotText(f"The file is {what}.")
    wanted = canonical(asked) if asked else None
    for bom, name in _BOMS:
        if sample.startswith(bom):
            _refuse_other(wanted, name)
            return name, len(bom), 1.0, True
    if wanted:
        if wanted[:3] not in ("utf",) and _is_surely_utf8(sample):
            _refuse_other(wanted, "utf-8")
        return wanted, 0, 1.0, True
    return _guessed(sample, final)


def _guessed(sample: bytes, final: bool) -> tuple[str, int, float, bool]:
    if wide := _wide(sample):
        return wide, 0, 0.9, True
    _refuse_binary(sample)
    if sample.isascii():
        return "utf-8", 0, 0.9, False
    if _decodes(sample, "utf-8", final):
        return "utf-8", 0, 0.99, True
    guess = guess_encoding(sample)
    if guess is None:
        raise UnknownEncoding("The encoding can't be told; name it with `encoding`, or save the file as UTF-8.")
    return guess[0], 0, guess[1], True


def _refuse_other(asked: str | None, found: str) -> None:
    if asked and asked != found:
        raise WrongEncoding(
            f"The file was sent as {asked}, but it is {found}; leave `encoding` out or set it to {found}.",
            encoding=asked, found=found, line=1, byte=0,
        )  # fmt: skip


def _is_surely_utf8(sample: bytes) -> bool:
    beyond = len(sample) - len(sample.decode("ascii", "ignore"))
    return beyond >= _TELLING and _decodes(sample, "utf-8", final=False)


def _decodes(sample: bytes, encoding: str, final: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final)
    except UnicodeDecodeError:
        return False
    return True


def _wide(sample: bytes) -> str | None:
    half = len(sample) // 2
    if half < 4:
        return None
    # Any text has line ends, digits or delimiters, whose high byte is NUL; byte text has next to none.
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    name = "utf-16-le" if odd else "utf-16-be"
    many = max(even, odd) > max(2, half * 0.04)
    return name if many and not min(even, odd) and _decodes(sample, name, final=False) else None


def _refuse_binary(sample: bytes) -> None:
    strange = sum(sample.count(byte) for byte in (*range(9), *range(14, 32)) if byte != 0x1A)
    if strange > 16 and strange > len(sample) * 0.02:
        raise NotText("The file has binary data; only text tables (CSV) are read.")


def _told(text: str) -> tuple[str | None, int]:
    first = text.split("\n", 1)[0].rstrip("\r")
    if len(first) == 5 and first.lower().startswith("sep=") and first[4] in DELIMITERS:
        return first[4], 2
    return None, 1


def _checked(delimiter: str | None) -> str | None:
    if delimiter is None:
        return None
    word = {"tab": "\t", "\\t": "\t", "whitespace": WHITESPACE, "space": WHITESPACE}.get(delimiter, delimiter)
    if word not in (*DELIMITERS, WHITESPACE):
        raise BadDelimiter(f"The delimiter {delimiter!r} is not one of , ; tab | or whitespace.")
    return word


def _delimiter(text: str, quote: str | None, final: bool) -> str:
    lines = list(StringIO(text, newline=""))
    lines = (lines if final or len(lines) < 2 else lines[:-1])[: _RECORDS * 2]
    scored = [(_evenness(_widths(lines, mark, quote)), mark) for mark in DELIMITERS]
    best = max(scored, key=lambda pair: pair[0])
    if best[0] < (0.7, 0) and _evenness(len(line.split()) for line in lines if line.strip()) >= (0.95, 3):
        return WHITESPACE
    return best[1]


def _widths(lines: list[str], mark: str, quote: str | None) -> list[int]:
    try:
        return [len(row) for row in rows_of(lines, mark, quote, strict=False) if row]
    except csv.Error:
        return []


def _evenness(widths: Iterable[int]) -> tuple[float, int]:
    counts = Counter(widths)
    first = next(iter(counts), 1)
    return (counts[first] / counts.total(), first) if first > 1 else (0.0, 0)
