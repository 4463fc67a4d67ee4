import json

from service.domain.ingestion.report import Report, reject_cells, reject_header, restored
from tests.unit.domain.ingestion.reading import HEADER, batches, judged, options

_FILE = HEADER + "A1,,20111-01-01,1,5\nA2,,2023-06-01,1,5\nA3,7,2023-06-01,1,5\nA4,7,2023-06-01,1,5,spare,more\nA5,7\n"


def test_a_row_counts_once_among_the_rejected_and_under_each_reason() -> None:
    report = Report()
    for batch in batches(_FILE, told=options(batch_rows=2)):
        report.add(batch)
    assert (report.read, report.accepted, report.rejected) == (5, 1, 4)
    assert {code: (reason.count, reason.lines) for code, reason in report.reasons.items()} == {
        "missing-customer": (2, [2, 3]),
        "date-out-of-range": (1, [2]),
        "too-many-cells": (1, [5]),
        "too-few-cells": (1, [6]),
    }


def test_a_report_survives_a_restart() -> None:
    first, *rest = batches(_FILE, told=options(batch_rows=2))
    report = Report()
    report.add(first)
    again = restored(**json.loads(json.dumps(report.stored())))
    for batch in rest:
        report.add(batch)
        again.add(batch)
    assert again.stored() == report.stored()


def test_the_first_examples_are_kept() -> None:
    report = Report()
    report.reject(judged(HEADER + "A1,,2023-06-01,1,5\n" * 30)[1])
    assert report.reasons["missing-customer"].lines == list(range(2, 12))
    assert report.stored()["rejected"] == 30


def test_rejects_keep_the_original_columns_in_place() -> None:
    header = HEADER.strip().split(",")
    assert reject_header(header) == [*header, "line", "field", "code", "reason"]
    both, _, many, few = [reject_cells(each, 5) for each in judged(_FILE)[1]]
    assert both[:8] == [
        "A1", "", "20111-01-01", "1", "5", "2", "customer_id; ordered_at", "missing-customer; date-out-of-range",
    ]  # fmt: skip
    assert many[:5] == ["A4", "7", "2023-06-01", "1", "5"]
    assert many[9:] == ["spare", "more"]
    assert few[:6] == ["A5", "7", "", "", "", "6"]
