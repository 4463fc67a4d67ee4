"""Short ways to read a file given as bytes or text."""

from collections.abc import Iterator

from service.domain.ingestion.batches import Batch, BatchReader, Options, read_batches
from service.domain.ingestion.detect import Dialect, detect
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.reader import Decoder, RecordReader
from service.domain.ingestion.rows import CustomerRow, Order, OrderLine, Row

LINES = ColumnMapping(
    kind="order_lines",
    columns={
        "order_id": "order",
        "customer_id": "customer",
        "ordered_at": "date",
        "quantity": "quantity",
        "unit_price": "price",
    },
)
HEADER = "order,customer,date,quantity,price\n"


def options(
    *,
    time_zone: str = "Europe/Moscow",
    currency: str = "RUB",
    encoding: str | None = None,
    delimiter: str | None = None,
    batch_rows: int = 10_000,
    skip_rows: int = 0,
) -> Options:
    return Options(
        time_zone=time_zone,
        currency=currency,
        encoding=encoding,
        delimiter=delimiter,
        batch_rows=batch_rows,
        skip_rows=skip_rows,
    )


def batches(data: bytes | str, mapping: ColumnMapping = LINES, told: Options | None = None) -> list[Batch]:
    raw = data.encode() if isinstance(data, str) else data
    return list(read_batches([raw], mapping, told or options()))


def judged(
    data: bytes | str, mapping: ColumnMapping = LINES, told: Options | None = None
) -> tuple[list[Row], list[Reject]]:
    found = batches(data, mapping, told)
    return [row for batch in found for row in batch.rows], [each for batch in found for each in batch.rejects]


def order_lines(data: bytes | str, mapping: ColumnMapping = LINES, told: Options | None = None) -> list[OrderLine]:
    rows, rejects = judged(data, mapping, told)
    assert not rejects
    return [row for row in rows if isinstance(row, OrderLine)]


def orders(data: str, mapping: ColumnMapping) -> list[Order]:
    return [row for row in judged(data, mapping)[0] if isinstance(row, Order)]


def customers(data: bytes | str, mapping: ColumnMapping) -> list[CustomerRow]:
    return [row for row in judged(data, mapping)[0] if isinstance(row, CustomerRow)]


def codes(data: bytes | str, mapping: ColumnMapping = LINES, told: Options | None = None) -> list[list[str]]:
    return [[violation.code for violation in each.violations] for each in judged(data, mapping, told)[1]]


def table(data: bytes, dialect: Dialect | None = None) -> list[list[str]]:
    told = dialect or detect(data, final=True)
    return RecordReader(told).feed(Decoder(told).feed(data, final=True), final=True).records


def pushed(reader: BatchReader, chunks: Iterator[bytes]) -> Iterator[Batch]:
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()
