"""The real files through their presets, against counts made here by the csv module alone."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from service.domain.ingestion.batches import Batch, head, read_batches
from service.domain.ingestion.errors import UnknownPreset
from service.domain.ingestion.presets import PRESETS, preset, recognise
from service.domain.ingestion.report import Report
from service.domain.ingestion.rows import OrderLine
from tests.shared_data import shared_data
from tests.unit.domain.ingestion.reading import options

_RETAIL = "A_transactions/online_retail_2010-12_2011-05.csv.gz"
_CDNOW = "A_transactions/cdnow_sample_2357.txt"
_SUPERSTORE = "A_transactions/superstore.csv"


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 18):
            yield chunk


def _import(path: Path, name: str) -> tuple[Report, list[OrderLine]]:
    report, lines = Report(), []
    for batch in _batches(path, name):
        report.add(batch)
        lines += [row for row in batch.rows if isinstance(row, OrderLine)]
    return report, lines


def _batches(path: Path, name: str) -> Iterator[Batch]:
    told = options(time_zone="Europe/London", delimiter=preset(name).delimiter)
    return read_batches(_chunks(path), preset(name).mapping, told)


@pytest.fixture(scope="module")
def retail() -> tuple[Report, list[OrderLine]]:
    return _import(shared_data(_RETAIL), "online_retail")


@pytest.fixture(scope="module")
def published() -> list[dict[str, str]]:
    with gzip.open(shared_data(_RETAIL), "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_online_retail_is_read_to_the_last_line(retail: tuple[Report, list[OrderLine]]) -> None:
    report, lines = retail
    assert (report.read, report.rejected, report.accepted) == (209_029, 59_976, 149_053)
    assert {code: reason.count for code, reason in report.reasons.items()} == {"missing-customer": 59_976}
    assert len({line.customer_id for line in lines}) == 2_767
    assert len({line.order_id for line in lines if line.is_return}) == 1_588
    assert {line.currency for line in lines} == {"GBP"}


def test_online_retail_loses_no_penny(retail: tuple[Report, list[OrderLine]], published: list[dict[str, str]]) -> None:
    net: Counter[str] = Counter()
    for line in retail[1]:
        net[line.customer_id] += -line.amount if line.is_return else line.amount
    expected: dict[str, Decimal] = {}
    for row in published:
        if row["CustomerID"]:
            customer = row["CustomerID"].removesuffix(".0")
            sum_of_line = Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
            expected[customer] = expected.get(customer, Decimal(0)) + sum_of_line
    assert {customer: Decimal(micros) / 1_000_000 for customer, micros in net.items()} == expected
    assert sum(expected.values()) == Decimal("3120488.091")


def test_online_retail_keeps_exact_doubles(retail: tuple[Report, list[OrderLine]]) -> None:
    counts = Counter(line[2:] for line in retail[1])
    assert sum(count - 1 for count in counts.values()) == 1_726


def test_online_retail_rejects_keep_their_line(
    retail: tuple[Report, list[OrderLine]], published: list[dict[str, str]]
) -> None:
    nameless = [number for number, row in enumerate(published, start=2) if not row["CustomerID"]]
    assert retail[0].reasons["missing-customer"].lines == nameless[:10]
    assert retail[0].reasons["missing-customer"].fields == {"customer_id": 59_976}


def test_cdnow_is_one_order_a_line() -> None:
    path = shared_data(_CDNOW)
    report, lines = _import(path, "cdnow")
    rows = [line.split() for line in path.read_text("ascii").splitlines() if line.strip()]
    assert (report.read, report.rejected, len(rows)) == (6_919, 0, 6_919)
    assert len({line.order_id for line in lines}) == 6_919
    assert {line.customer_id for line in lines} == {str(number) for number in range(1, 2_358)}
    assert [(line.ordered_on.strftime("%Y%m%d"), line.quantity, line.amount) for line in lines] == [
        (row[2], Decimal(row[3]), int(Decimal(row[4]) * 1_000_000)) for row in rows
    ]
    assert [line.order_id for line in lines] == [line.order_id for line in _import(path, "cdnow")[1]]


def test_superstore_is_read_day_first_with_amounts_after_discount() -> None:
    path = shared_data(_SUPERSTORE)
    report, lines = _import(path, "superstore")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (report.read, report.rejected) == (len(rows), 0)
    assert sum(line.amount for line in lines) == sum(Decimal(row["Sales"]) for row in rows) * 1_000_000
    assert [line.ordered_on.strftime("%d/%m/%y") for line in lines] == [row["Order Date"] for row in rows]


@pytest.mark.parametrize(
    ("name", "found"), [(_RETAIL, "online_retail"), (_CDNOW, "cdnow"), (_SUPERSTORE, "superstore")]
)
def test_the_real_files_are_recognised(name: str, found: str) -> None:
    seen = head(shared_data(name).read_bytes()[:65_536], options())
    assert recognise(seen.header) == found


@pytest.mark.parametrize("name", ["clientbase_order_lines", "clientbase_orders", "clientbase_customers"])
def test_the_own_formats_are_recognised(name: str) -> None:
    assert recognise([str(column) for column in PRESETS[name].mapping.columns.values()]) == name


def test_what_is_not_known_is_not_recognised() -> None:
    assert recognise(["a", "b"]) is None
    assert recognise(["00004", "0001", "19970101", "2", "text"]) is None


def test_an_unknown_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownPreset, match="'online_retail'"):
        preset("online-retail")
