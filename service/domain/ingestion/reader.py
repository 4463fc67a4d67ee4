"""From pieces of bytes to records with the lines they begin on, in bounded memory.

A record may span lines inside quotes; a quote still open at the end of the file means that the file was cut. Bytes
that the encoding doesn't allow stop the file, with the line, the byte and the cure. While a file is pure ASCII its
encoding is open, and the first bytes beyond ASCII settle it. A record beyond 1 Mi characters, or a cell beyond
128 Ki, is refused. A quoted cell that goes on after its closing quote spoils its own row only. Blank lines are no rows.
"""

import codecs
import csv
from collections.abc import Sequence
from io import StringIO
from typing import NamedTuple

from service.domain.ingestion.detect import WHITESPACE, Dialect, guess_encoding, rows_of
from service.domain.ingestion.errors import LineTooLong, TruncatedFile, UnknownEncoding, WrongEncoding

_LONGEST = 1 << 20


class Broken(list[str]):
    """A record that can't be parted into cells; its one cell is the raw text."""


class Block(NamedTuple):
    """Records and their first lines; `odd` where one of them is broken or holds a NUL."""

    records: list[list[str]]
    lines: Sequence[int]
    odd: bool


class Decoder:
    """Text of a byte stream, strictly in its encoding."""

    def __init__(self, dialect: Dialect) -> None:
        self.encoding = dialect.encoding
        self._settled = dialect.settled
        self._skip = dialect.bom
        self._byte = 0
        self._line = 1
        self._codec = codecs.getincrementaldecoder(dialect.encoding)()

    def feed(self, piece: bytes, *, final: bool = False) -> str:
        """The text of the piece; a character cut at its end waits for the next."""
        if not self._settled and not piece.isascii():
            self._settle(piece)
        if self._skip:
            self._byte, piece, self._skip = self._skip, piece[self._skip :], 0
        try:
            text = self._codec.decode(piece, final)
        except UnicodeDecodeError as error:
            raise self._refusal(error, piece, final) from error
        self._byte += len(piece)
        self._line += max(text.count("\n"), text.count("\r"))
        return text

    def _settle(self, piece: bytes) -> None:
        guess = guess_encoding(piece)
        if guess is None:
            raise UnknownEncoding("The encoding can't be told; name it with `encoding`, or save the file as UTF-8.")
        self.encoding, self._settled = guess[0], True
        self._codec = codecs.getincrementaldecoder(guess[0])()

    def _refusal(self, error: UnicodeDecodeError, piece: bytes, final: bool) -> TruncatedFile | WrongEncoding:
        # The codec may have held back the first bytes of a character that the last piece cut.
        held = len(error.object) - len(piece)
        before = error.object[: error.start].decode(self.encoding, "replace")
        line, byte = self._line + max(before.count("\n"), before.count("\r")), self._byte - held + error.start
        if final and ("end of data" in error.reason or "truncated" in error.reason):
            return TruncatedFile(f"The file ends within a character (line {line}, byte {byte}).", line=line, byte=byte)
        guess = guess_encoding(error.object[error.start :]) if self.encoding == "utf-8" else None
        hint = f" These bytes look like {guess[0]}." if guess and guess[0] != self.encoding else ""
        return WrongEncoding(
            f"Line {line}, byte {byte}: the file is read as {self.encoding}, which has no such bytes.{hint} "
            "Save the whole file as UTF-8, or name its encoding with `encoding`.",
            line=line, byte=byte, encoding=self.encoding, looks_like=guess[0] if guess else None,
        )  # fmt: skip


class RecordReader:
    """Records of a text stream; what is not complete yet is carried over."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._carry = ""
        self._line = 1

    def feed(self, text: str, *, final: bool = False) -> Block:
        """The records that the text completes."""
        text = self._carry + text
        cut = len(text) if final else max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
        self._carry = text[cut:]
        block = self._parted(text[:cut], final)
        if len(self._carry) > _LONGEST:
            raise LineTooLong(f"The record that begins on line {self._line} is longer than {_LONGEST} characters; "
                              "perhaps a quote is not closed.", line=self._line)  # fmt: skip
        return self._from_header(block)

    def _parted(self, text: str, final: bool) -> Block:
        if not text.strip("\r\n"):
            # Blank lines alone: a million of them must not take the time of a million rows.
            self._line += text.count("\r") + text.count("\n") - text.count("\r\n")
            return Block([], (), odd=False)
        if self._dialect.delimiter == WHITESPACE:
            return self._block([line.split() for line in StringIO(text, newline="")], text)
        reader = rows_of(StringIO(text, newline=""), self._dialect.delimiter, self._dialect.quote, strict=True)
        try:
            records = list(reader)
        except csv.Error:
            return self._one_by_one(text, final)
        if len(records) != reader.line_num:
            return self._one_by_one(text, final)
        return self._block(records, text)

    def _block(self, records: list[list[str]], text: str) -> Block:
        lines: Sequence[int] = range(self._line, self._line + len(records))
        self._line += len(records)
        if not all(records):
            lines = [line for line, record in zip(lines, records, strict=True) if record]
            records = [record for record in records if record]
        return Block(records, lines, "\0" in text)

    def _one_by_one(self, text: str, final: bool) -> Block:
        source = list(StringIO(text, newline=""))
        reader = rows_of(source, self._dialect.delimiter, self._dialect.quote, strict=True)
        records: list[list[str]] = []
        lines: list[int] = []
        start = odd = 0
        while start < len(source):
            try:
                record = next(reader)
            except csv.Error as error:
                if "unexpected end" in str(error):
                    break
                record, odd = self._broken(error, source[start : reader.line_num], self._line + start), 1
            if record:
                records.append(record)
                lines.append(self._line + start)
            start = reader.line_num
        self._carry = "".join(source[start:]) + self._carry
        self._line += start
        if final and self._carry:
            raise TruncatedFile(
                f"The quote that opens in the row of line {self._line} is never closed; the file seems to be cut.",
                line=self._line,
            )
        return Block(records, lines, bool(odd) or "\0" in text)

    def _broken(self, error: csv.Error, raw: list[str], line: int) -> Broken:
        if "field larger" in str(error):
            raise LineTooLong(
                f"A cell of the row on line {line} is longer than {csv.field_size_limit()} characters; "
                "perhaps a quote is not closed.", line=line,
            ) from error  # fmt: skip
        return Broken(["".join(raw).rstrip("\r\n")])

    def _from_header(self, block: Block) -> Block:
        first = self._dialect.header_line
        if not block.lines or block.lines[0] >= first:
            return block
        kept = [i for i, line in enumerate(block.lines) if line >= first]
        return Block([block.records[i] for i in kept], [block.lines[i] for i in kept], block.odd)
