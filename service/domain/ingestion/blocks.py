"""From the bytes of an uploaded file to its records, a bounded block at a time: all that touches a file as it came.

Nothing of the base is needed here, so that it can run in a process of its own, with nothing to take, little to break.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from service.domain.ingestion.detect import Dialect, detect
from service.domain.ingestion.errors import EmptyFile
from service.domain.ingestion.inflate import Inflater
from service.domain.ingestion.reader import Block, Decoder, RecordReader

_PIECE = 1 << 17


class BlockReader:
    """Push-style: `feed` each chunk, `finish` at the end, and use up what each call yields before the next."""

    def __init__(self, *, encoding: str | None = None, delimiter: str | None = None, quote: str | None = '"') -> None:
        self.dialect: Dialect | None = None
        self._told = (encoding, delimiter, quote)
        self._inflater = Inflater()
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Block]:
        """The blocks that the chunk completes; a block may be empty."""
        for data in self._inflater.feed(chunk):
            self._buffer += data
            while len(self._buffer) >= _PIECE:
                piece = bytes(self._buffer[:_PIECE])
                del self._buffer[:_PIECE]
                yield self._read(piece, final=False)

    def finish(self) -> Iterator[Block]:
        """The last block; refuses a file that was cut."""
        for data in self._inflater.finish():
            self._buffer += data
        yield self._read(bytes(self._buffer), final=True)

    def _read(self, piece: bytes, *, final: bool) -> Block:
        if self.dialect is None:
            encoding, delimiter, quote = self._told
            self.dialect = detect(piece, encoding=encoding, delimiter=delimiter, quote=quote, final=final)
            self._decoder, self._records = Decoder(self.dialect), RecordReader(self.dialect)
        return self._records.feed(self._decoder.feed(piece, final=final), final=final)


class Head(NamedTuple):
    """The first look at a file: how it is written, its first row, and some of what follows."""

    dialect: Dialect
    header: list[str]
    sample: list[list[str]]


def look(start: bytes, *, encoding: str | None = None, delimiter: str | None = None, quote: str | None = '"') -> Head:
    """Look at the first bytes of a file (64 KiB and more are best; gzip is understood); an empty one is refused."""
    data = b"".join(_first(Inflater().feed(start)))
    dialect = detect(data, encoding=encoding, delimiter=delimiter, quote=quote)
    text = Decoder(dialect).feed(data)
    # The last line may be cut; a file of one line has nothing else.
    records = RecordReader(dialect).feed(text if "\n" in text or "\r" in text else text + "\n").records
    if not records:
        raise EmptyFile
    return Head(dialect, records[0], records[1:])


def _first(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """As many pieces as are looked at; the others are unpacked all the same, so that a bomb goes off here."""
    size = 0
    for piece in pieces:
        if size < _PIECE:
            yield piece
        size += len(piece)
