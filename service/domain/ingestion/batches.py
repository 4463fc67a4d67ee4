"""A file in pieces becomes batches of judged rows, with a watermark; the one way in for whoever imports.

Rows are numbered from 1 in the order of the file; lines are those a text editor shows. Batches are cut at the same rows
however the bytes arrive, so a run that broke off goes on behind its watermark (`skip_rows`) and meets the same rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.ingestion.binding import Bound, bind
from service.domain.ingestion.detect import Dialect, detect
from service.domain.ingestion.errors import EmptyFile, NoRows
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.inflate import Inflater
from service.domain.ingestion.judge import Judge
from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.reader import Block, Decoder, RecordReader
from service.domain.ingestion.rows import Row

_PIECE = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the tenant and the caller say beside the mapping; None means: told from the file."""

    time_zone: str
    currency: str
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = '"'
    batch_rows: int = 10_000
    skip_rows: int = 0


class Batch(NamedTuple):
    """Data rows first_row…last_row, each in rows or in rejects; last_row is the watermark, bytes_read the progress."""

    rows: list[Row]
    rejects: list[Reject]
    first_row: int
    last_row: int
    bytes_read: int


class BatchReader:
    """Push-style: `feed` each chunk, `finish` at the end, and use up what each call yields before the next."""

    def __init__(self, mapping: ColumnMapping, options: Options) -> None:
        self.mapping = mapping
        self.options = options
        self.dialect: Dialect | None = None
        self.bound: Bound | None = None
        self.rows_read = 0
        self._inflater = Inflater()
        self._buffer = bytearray()
        self._judge: Judge | None = None
        self._rows: list[Row] = []
        self._rejects: list[Reject] = []
        self._first = options.skip_rows + 1

    def feed(self, chunk: bytes) -> Iterator[Batch]:
        """The batches that the chunk completes."""
        for data in self._inflater.feed(chunk):
            self._buffer += data
            while len(self._buffer) >= _PIECE:
                piece = bytes(self._buffer[:_PIECE])
                del self._buffer[:_PIECE]
                yield from self._read(piece, final=False)

    def finish(self) -> Iterator[Batch]:
        """The last batch, which may be short; refuses a file that is empty, has no rows, or was cut."""
        for data in self._inflater.finish():
            self._buffer += data
        yield from self._read(bytes(self._buffer), final=True)
        if self.bound is None:
            raise EmptyFile
        if self.rows_read == 0:
            raise NoRows
        if self.rows_read >= self._first:
            yield self._batch()

    def _read(self, piece: bytes, *, final: bool) -> Iterator[Batch]:
        if self.dialect is None:
            options = self.options
            self.dialect = detect(
                piece, encoding=options.encoding, delimiter=options.delimiter, quote=options.quote, final=final
            )
            self._decoder, self._records = Decoder(self.dialect), RecordReader(self.dialect)
        block = self._records.feed(self._decoder.feed(piece, final=final), final=final)
        if self._judge is None and block.records:
            block = self._begin(block)
        yield from self._judged(block)

    def _begin(self, block: Block) -> Block:
        header, *sample = block.records
        mapping = self.mapping
        self.bound = bind(
            header, mapping, time_zone=self.options.time_zone, currency=self.options.currency, sample=sample
        )
        self._judge = Judge(self.bound)
        return Block(sample, block.lines[1:], block.odd) if mapping.header else block

    def _judged(self, block: Block) -> Iterator[Batch]:
        start, count = 0, len(block.records)
        if self.rows_read < self.options.skip_rows:
            start = min(count, self.options.skip_rows - self.rows_read)
            self.rows_read += start
        while start < count:
            assert self._judge is not None
            end = min(count, start + self._first + self.options.batch_rows - 1 - self.rows_read)
            part = Block(block.records[start:end], block.lines[start:end], block.odd)
            self._judge.read(part, self.rows_read, self._rows, self._rejects)
            self.rows_read += end - start
            start = end
            if self.rows_read == self._first + self.options.batch_rows - 1:
                yield self._batch()

    def _batch(self) -> Batch:
        batch = Batch(self._rows, self._rejects, self._first, self.rows_read, self._inflater.taken)
        self._rows, self._rejects, self._first = [], [], self.rows_read + 1
        return batch


class Head(NamedTuple):
    """The first look at a file: how it is written, its first row, and some of what follows."""

    dialect: Dialect
    header: list[str]
    sample: list[list[str]]


def head(start: bytes, options: Options) -> Head:
    """Look at the first bytes of a file (64 KiB and more are best; gzip is understood); an empty one is refused."""
    data = b"".join(_first(Inflater().feed(start)))
    dialect = detect(data, encoding=options.encoding, delimiter=options.delimiter, quote=options.quote)
    text = Decoder(dialect).feed(data)
    # The last line may be cut; a file of one line has nothing else.
    records = RecordReader(dialect).feed(text if "\n" in text or "\r" in text else text + "\n").records
    if not records:
        raise EmptyFile
    return Head(dialect, records[0], records[1:])


def read_batches(chunks: Iterable[bytes], mapping: ColumnMapping, options: Options) -> Iterator[Batch]:
    """All batches of a file whose bytes can be pulled."""
    reader = BatchReader(mapping, options)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()


def _first(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        yield piece
        size += len(piece)
        if size >= _PIECE:
            return
