"""The records of a file become batches of judged rows, with a watermark; the one way in for whoever imports.

Rows are numbered from 1 in the order of the file; lines are those a text editor shows. Batches are cut at the same rows
however the bytes arrive, so a run that broke off goes on behind its watermark (`skip_rows`) and meets the same rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.ingestion.binding import Bound, bind
from service.domain.ingestion.blocks import BlockReader, Head, look
from service.domain.ingestion.detect import Dialect
from service.domain.ingestion.errors import EmptyFile, NoRows
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.judge import Judge
from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.reader import Block
from service.domain.ingestion.rows import Row


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
    """Data rows first_row…last_row, each in rows or in rejects; last_row is the watermark."""

    rows: list[Row]
    rejects: list[Reject]
    first_row: int
    last_row: int


class Batcher:
    """Push-style: `take` each block of a file, `end` after the last."""

    def __init__(self, mapping: ColumnMapping, options: Options) -> None:
        self.mapping = mapping
        self.options = options
        self.bound: Bound | None = None
        self.rows_read = 0
        self._judge: Judge | None = None
        self._rows: list[Row] = []
        self._rejects: list[Reject] = []
        self._first = options.skip_rows + 1

    def take(self, block: Block) -> Iterator[Batch]:
        """The batches that the block completes."""
        if self._judge is None and block.records:
            block = self._begin(block)
        yield from self._judged(block)

    def count(self, rows: int) -> None:
        """Pass over so many rows, unseen."""
        self.rows_read += rows

    def end(self) -> Iterator[Batch]:
        """The last batch, which may be short; refuses a file that is empty or has no rows."""
        if self.bound is None:
            raise EmptyFile
        if self.rows_read == 0:
            raise NoRows
        if self.rows_read >= self._first:
            yield self._batch()

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
        batch = Batch(self._rows, self._rejects, self._first, self.rows_read)
        self._rows, self._rejects, self._first = [], [], self.rows_read + 1
        return batch


class BatchReader:
    """A file read and judged in this very process, for files that are trusted: `feed` each chunk, then `finish`."""

    def __init__(self, mapping: ColumnMapping, options: Options) -> None:
        self._batcher = Batcher(mapping, options)
        self._blocks = BlockReader(encoding=options.encoding, delimiter=options.delimiter, quote=options.quote)

    @property
    def dialect(self) -> Dialect | None:
        return self._blocks.dialect

    @property
    def bound(self) -> Bound | None:
        return self._batcher.bound

    @property
    def rows_read(self) -> int:
        return self._batcher.rows_read

    def feed(self, chunk: bytes) -> Iterator[Batch]:
        """The batches that the chunk completes."""
        for block in self._blocks.feed(chunk):
            yield from self._batcher.take(block)

    def finish(self) -> Iterator[Batch]:
        """The last batch; refuses a file that is empty, has no rows, or was cut."""
        for block in self._blocks.finish():
            yield from self._batcher.take(block)
        yield from self._batcher.end()


def head(start: bytes, options: Options) -> Head:
    """The first look at a file that is trusted."""
    return look(start, encoding=options.encoding, delimiter=options.delimiter, quote=options.quote)


def read_batches(chunks: Iterable[bytes], mapping: ColumnMapping, options: Options) -> Iterator[Batch]:
    """All batches of a file whose bytes can be pulled."""
    reader = BatchReader(mapping, options)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()
