"""What tells that a text speaks of one person, so that an erasure finds him in files and free text.

A contact, requisite or address as it was given or in its normal form; a phone, INN or account number by its digits,
however they are grouped; the whole name; family and given name on one line, in any order. A single word of a name tells
of nobody, nor do a bank's BIC or a KPP. An external id counts where it fills a cell, in a file of the same system.
Case, ё and Unicode form make no difference. A namesake is taken for the person: what was one line too many in an old
file costs less than one too few.
"""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

_SHORTEST = 5
_DIGITS = {"phone": 10, "inn": 10, "ogrn": 13, "account": 10, "iban": 10, "vat": 8}
_OF_OTHERS = {"bic", "kpp"}
_GROUPING = re.compile(r"[ \u00a0\u202f()+.-]+")
_CELL_END = r"[,;|\t\r\n\"]"
_OVERLAP = 2_000
_ROOM = 1 << 20
_GZIP = b"\x1f\x8b"


def plain(text: str) -> str:
    """The form in which texts are compared here; lines stay lines."""
    return normalize("NFC", text).casefold().replace("ё", "е")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of a person before the erasure."""

    names: Mapping[str, str]
    former_names: Sequence[Mapping[str, str]] = ()  # of records that were merged into this one
    contacts: Sequence[tuple[str, str, str]] = ()  # kind, value, normal form
    external_ids: Sequence[tuple[str, str]] = ()  # source, id


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """Whole texts, runs of digits, pairs of names, and ids by source."""

    texts: tuple[str, ...]
    digits: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    ids: Sequence[tuple[str, str]]

    def tell_of(self, text: str, source: str | None = None) -> bool:
        """Whether the text speaks of the person; `source` is the system whose ids it uses, None when it has none."""
        shown = plain(text)
        if any(marker in shown for marker in self.texts) or self._has_digits(shown):
            return True
        return any(_on_one_line(shown, *pair) for pair in self.pairs) or self._has_id(shown, source)

    def without(self, value: Any) -> Any:
        """The same text or JSON value, each line in it that speaks of the person replaced."""
        match value:
            case str():
                lines = value.split("\n")
                return "\n".join("—" if self.tell_of(line) else line for line in lines)
            case Mapping():
                return {self.without(name): self.without(inner) for name, inner in value.items()}
            case list():
                return [self.without(inner) for inner in value]
        return value

    def patterns(self) -> list[str]:
        """LIKE patterns that at least everything matches that tells of the person by text or name."""
        words = {*self.texts, *(family for family, _ in self.pairs)}
        spelled = {form for word in words for form in (word, word.title(), word.capitalize(), word.upper())}
        return [f"%{_escaped(word)}%" for word in sorted(spelled)]

    def digit_patterns(self) -> list[str]:
        return [f"%{digits}%" for digits in self.digits]

    def _has_digits(self, shown: str) -> bool:
        if not self.digits:
            return False
        stripped = _GROUPING.sub("", shown)
        return any(digits in stripped for digits in self.digits)

    def _has_id(self, shown: str, source: str | None) -> bool:
        if source is None:
            return False
        return any(_fills_a_cell(shown, plain(one)) for system, one in self.ids if system == source)


def markers_of(person: Person) -> Markers:
    """What to look for."""
    texts: set[str] = set()
    digits: set[str] = set()
    for kind, value, normal in person.contacts:
        if kind in _OF_OTHERS:
            continue
        texts |= {plain(value), plain(normal)}
        run = re.sub(r"\D", "", normal)
        if kind in _DIGITS and len(run) >= _DIGITS[kind]:
            digits.add(run[-10:] if kind == "phone" else run)
    pairs: set[tuple[str, str]] = set()
    for known in (person.names, *person.former_names):
        names = {name: plain(text).strip() for name, text in known.items() if text}
        texts |= {text for text in names.values() if " " in text}
        texts |= {names[name] for name in ("legal_name", "trade_name") if name in names}
        if names.get("family_name") and names.get("given_name"):
            pairs.add((names["family_name"], names["given_name"]))
    return Markers(
        texts=tuple(sorted(text for text in texts if len(text) >= _SHORTEST)),
        digits=tuple(sorted(digits)),
        pairs=tuple(sorted(pairs)),
        ids=tuple(person.external_ids),
    )


class FileSearch:
    """Looks through a file that comes in pieces: plain or gzip, UTF-8, UTF-16 or the Windows code page."""

    def __init__(self, markers: Markers, *, source: str, encoding: str | None) -> None:
        self._markers = markers
        self._source = source
        self._encoding = encoding
        self._unpacker: Any | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False
        self._tail = ""

    def found_in(self, piece: bytes) -> bool:
        """Whether this piece, with the end of the one before, tells of the person. What can't be read might."""
        if not self._begun:
            self._begun = True
            self._unpacker = zlib.decompressobj(wbits=31) if piece.startswith(_GZIP) else None
        try:
            return any(self._tells(plain_piece) for plain_piece in self._unpacked(piece))
        except zlib.error:
            return True

    def _unpacked(self, piece: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield piece
            return
        while True:
            unpacked = self._unpacker.decompress(piece, _ROOM)
            yield unpacked
            piece = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                piece = self._unpacker.unused_data
                self._unpacker = zlib.decompressobj(wbits=31)
            if not piece and len(unpacked) < _ROOM:
                return

    def _tells(self, piece: bytes) -> bool:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(_codec(self._encoding) or _encoding_of(piece))("ignore")
        text = self._tail + self._decoder.decode(piece)
        self._tail = text[-_OVERLAP:]
        return self._markers.tell_of(text, self._source)


def _codec(name: str | None) -> str | None:
    try:
        return codecs.lookup(name).name if name else None
    except LookupError:
        return None


def _encoding_of(piece: bytes) -> str:
    if piece.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        piece[: max(len(piece) - 4, 0)].decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.start > len(piece) - 8 else "cp1251"
    return "utf-8"


def _on_one_line(text: str, first: str, second: str) -> bool:
    return any(second in line for line in _lines_with(text, first))


def _lines_with(text: str, word: str) -> Iterator[str]:
    at = text.find(word)
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", 0, at) + 1 : end]
        at = text.find(word, end)


def _fills_a_cell(text: str, value: str) -> bool:
    return value in text and re.search(f"(?:^|{_CELL_END}){re.escape(value)}(?:$|{_CELL_END})", text) is not None


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def joined(cells: Iterable[str]) -> str:
    """The cells of a row as one line."""
    return ";".join(cell.replace("\n", " ") for cell in cells)
