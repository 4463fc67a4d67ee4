"""Files made to hurt whoever reads them, put together when they are asked for: no file of the project is one."""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

from tests.e2e.files import HEADER, a_line, written

MIB = 1 << 20
_HEAD = (",".join(HEADER) + "\r\n").encode()
_ROW = b"1,1,2024-03-01 12:00:00,A,2,10.50\r\n"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _zip(entries: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def _nested(pack: Callable[[bytes], bytes], depth: int, content: bytes = _HEAD + _ROW) -> bytes:
    for _ in range(depth):
        content = pack(content)
    return content


def _lying_zip(declared: int) -> bytes:
    """A zip whose directory and header say another size than the content has."""
    made = bytearray(_zip({"a.csv": _ROW * 100_000}))
    struct.pack_into("<I", made, 22, declared)
    struct.pack_into("<I", made, made.rindex(b"PK\x01\x02") + 24, declared)
    return bytes(made)


def _overlapping_zip(entries: int = 2_000) -> bytes:
    """Many entries of the directory share one content."""
    made = _zip({"a.csv": b"0" * MIB})
    at = made.rindex(b"PK\x01\x02")
    end = made.rindex(b"PK\x05\x06")
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, entries, entries, (end - at) * entries, at, 0)
    return made[:at] + made[at:end] * entries + tail


def _encrypted_zip() -> bytes:
    made = bytearray(_zip({"a.csv": _HEAD + _ROW}))
    for at in (6, made.rindex(b"PK\x01\x02") + 8):
        made[at] |= 1
    return bytes(made)


def _workbook(sheet: str, strings: str = "") -> bytes:
    return _zip(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}"/>'.encode(),
            "xl/worksheets/sheet1.xml": sheet.encode(),
            "xl/sharedStrings.xml": strings.encode(),
        }
    )


_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><l>&a9;</l>"
)
_XXE = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


def _gzip_with(name: bytes = b"", extra: bytes = b"") -> bytes:
    flags = (8 if name else 0) | (4 if extra else 0)
    packed = zlib.compressobj(wbits=-15)
    content = _HEAD + _ROW
    body = packed.compress(content) + packed.flush()
    head = bytes([0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 255])
    if extra:
        head += struct.pack("<H", len(extra)) + extra
    if name:
        head += name + b"\0"
    return head + body + struct.pack("<II", zlib.crc32(content), len(content))


def _honest(rows: int) -> bytes:
    """Rows that pack badly, as real ones do."""
    seed, made = 1, []
    for number in range(rows):
        seed = seed * 6364136223846793005 % (1 << 64)
        made.append(f"{number},{seed},2024-03-01 12:00:00,{seed >> 7},2,10.50\r\n")
    return "".join(made).encode()


def _broken_gzip(at: int) -> bytes:
    made = bytearray(gzip.compress(_HEAD + _ROW * 1_000))
    made[at] ^= 0xFF
    return bytes(made)


def _cell(value: str, column: str = "sku") -> bytes:
    return written([a_line(1), a_line(2, **{column: value}), a_line(3)])


# What it is refused for; "rows" where bad rows are rejected and the others imported, "ok" where it is harmless.
HOSTILE: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "gzip bomb of noughts": (lambda: gzip.compress(bytes(200 * MIB), 9), "compressed-too-far"),
    "gzip bomb of rows": (lambda: gzip.compress(_HEAD + _ROW * 6_000_000, 9), "compressed-too-far"),
    "gzip bomb of one cell": (lambda: gzip.compress(_HEAD + b"1" * 200 * MIB, 9), "compressed-too-far"),
    "gzip bomb of blank lines": (lambda: gzip.compress(_HEAD + b"\n" * 200 * MIB, 9), "compressed-too-far"),
    "gzip bomb behind honest rows": (
        lambda: gzip.compress(_HEAD + _ROW * 1_000) + gzip.compress(_ROW * 6_000_000, 9),
        "compressed-too-far",
    ),
    "gzip bomb behind the first look": (
        lambda: gzip.compress(_HEAD + _honest(60_000), 1) + gzip.compress(_ROW * 6_000_000, 9),
        "compressed-too-far",
    ),
    "gzip within gzip": (lambda: _nested(gzip.compress, 2), "not-a-text-file"),
    "gzip a hundred deep": (lambda: _nested(gzip.compress, 100), "not-a-text-file"),
    "a zip within gzip": (lambda: gzip.compress(_zip({"a.csv": _HEAD})), "not-a-text-file"),
    "a hundred thousand gzip members": (
        lambda: gzip.compress(_HEAD + _ROW) + gzip.compress(b"") * 100_000,
        "ok",
    ),
    "gzip that lies about its size": (lambda: _broken_gzip(-1), "corrupt-file"),
    "gzip with a wrong checksum": (lambda: _broken_gzip(-8), "corrupt-file"),
    "gzip with a broken middle": (lambda: _broken_gzip(60), "corrupt-file"),
    "gzip that was cut": (lambda: gzip.compress(_HEAD + _ROW * 9_000)[:-9], "truncated-file"),
    "gzip followed by noise": (lambda: gzip.compress(_HEAD + _ROW) + b"PK\x03\x04" * 9, "corrupt-file"),
    "gzip with a name of a mebibyte": (lambda: _gzip_with(name=b"n" * MIB), "empty-file"),
    "gzip with all its extra": (lambda: _gzip_with(extra=b"x" * 65_535), "ok"),
    "zip bomb": (lambda: _zip({"a.csv": bytes(100 * MIB)}), "not-a-text-file"),
    "zip in zip in zip": (lambda: _nested(lambda c: _zip({"a.zip": c}), 20), "not-a-text-file"),
    "zip of twenty thousand files": (lambda: _zip({f"{n}.csv": b"" for n in range(20_000)}), "not-a-text-file"),
    "zip that says too little": (lambda: _lying_zip(10), "not-a-text-file"),
    "zip that says too much": (lambda: _lying_zip(0xFFFF_FFF0), "not-a-text-file"),
    "zip whose files overlap": (_overlapping_zip, "not-a-text-file"),
    "zip under a password": (_encrypted_zip, "not-a-text-file"),
    "empty zip": (lambda: _zip({}), "not-a-text-file"),
    "workbook of many rows": (
        lambda: _workbook("<sheetData>" + '<row><c t="n"><v>1</v></c></row>' * 1_100_000 + "</sheetData>"),
        "not-a-text-file",
    ),
    "workbook of long shared strings": (
        lambda: _workbook("", f"<sst>{'<si><t>' + 'A' * 32_000 + '</t></si>'}</sst>" * 2_000),
        "not-a-text-file",
    ),
    "workbook with laughing entities": (lambda: _workbook(_LAUGHS), "not-a-text-file"),
    "workbook that reads a file": (lambda: _workbook(_XXE), "not-a-text-file"),
    "old workbook": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "not-a-text-file"),
    "laughing entities": (_LAUGHS.encode, "not-a-text-file"),
    "XML that reads a file": (_XXE.encode, "not-a-text-file"),
    "HTML called CSV": (lambda: b"<!DOCTYPE html><table><tr><td>1</table>", "not-a-text-file"),
    "bzip2": (lambda: bz2.compress(_ROW * 1_000), "not-a-text-file"),
    "xz": (lambda: lzma.compress(_ROW * 1_000), "not-a-text-file"),
    "a program": (lambda: b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 500, "not-a-text-file"),
    "a line without an end": (lambda: b"x" * 8 * MIB, "line-too-long"),
    "a row without an end": (lambda: _HEAD + b"1," * 4 * MIB, "line-too-long"),
    "a quote that stays open": (lambda: _HEAD + b'"' + _ROW * 300_000, "line-too-long"),
    "nothing but quotes": (lambda: _HEAD + b'"' * 8 * MIB, "line-too-long"),
    "a cell of a mebibyte": (lambda: _cell("x" * MIB), "line-too-long"),
    "a header of a hundred thousand columns": (
        lambda: ",".join(f"c{n}" for n in range(100_000)).encode() + b"\n" + b"," * 99_999,
        "duplicate-header",
    ),
    "a header of one name": (lambda: b"a," * 50_000 + b"a\n1\n", "duplicate-header"),
    "noughts": (lambda: bytes(8 * MIB), "not-a-text-file"),
    "a NUL in a cell": (lambda: _cell("A\0B"), "rows"),
    "NULs in every row": (lambda: _HEAD + _ROW.replace(b"A", b"\0") * 50_000, "not-a-text-file"),
    "UTF-16 with half a character": (
        lambda: b"\xff\xfe" + (_HEAD + _ROW).decode().encode("utf-16-le") + b"\x00\xd8",
        "truncated-file",
    ),
    "bytes that are no UTF-8": (lambda: b"\xef\xbb\xbf" + _HEAD + _ROW * 9_000 + b"\xff\xfe\xfd\n", "wrong-encoding"),
    "a byte order mark alone": (lambda: b"\xef\xbb\xbf", "empty-file"),
    "blank lines alone": (lambda: b"\r\n" * 4 * MIB, "empty-file"),
    "a million lone carriage returns": (lambda: _HEAD + b"\r" * MIB, "no-rows"),
    "a number of a hundred thousand digits": (lambda: _cell("9" * 100_000, "unit_price"), "rows"),
    "a number with a great exponent": (lambda: _cell("1e999999999", "quantity"), "rows"),
    "a number of spaces": (lambda: _cell("1 " * 50_000, "unit_price"), "rows"),
    "a date of dashes": (lambda: _cell("1-" * 50_000, "ordered_at"), "rows"),
}  # fmt: skip
