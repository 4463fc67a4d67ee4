"""Imports as jobs: they can be followed, stopped and run side by side, and say which rows they left out."""

import csv
import io
from typing import Any

import orjson
import pytest

from tests.e2e.files import a_line, many, written
from tests.e2e.running import Person, RunningService, running_service
from tests.postgres import migrated_database

_COUNT = "SELECT count(*) AS n FROM order_lines WHERE tenant_id = :tenant"
# Every total as it is, beside the same counted anew from orders, lines and returns.
RECOUNT = """
    WITH summed AS (
        SELECT order_id, sum(amount) AS amount FROM order_lines WHERE tenant_id = :tenant GROUP BY 1
    ), bought AS (
        SELECT o.customer_id, count(*) AS orders, sum(o.total) AS total, sum(s.amount) AS lines
        FROM orders o LEFT JOIN summed s ON s.order_id = o.order_id WHERE o.tenant_id = :tenant GROUP BY 1
    )
    SELECT coalesce(t.orders, 0) AS orders, coalesce(t.revenue, 0)::text AS revenue, coalesce(b.orders, 0) AS counted,
        coalesce(b.total, 0)::text AS summed, coalesce(b.lines, 0)::text AS lines
    FROM (SELECT * FROM purchase_totals WHERE tenant_id = :tenant) t
    FULL JOIN bought b ON b.customer_id = t.customer_id
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service that applies imports in small chunks, so that there is a middle to meet."""
    with (
        migrated_database() as database,
        running_service(database, tmp_path_factory.mktemp("slow"), JOBS__CHUNK_ROWS="500") as running,
    ):
        yield running


def assert_totals_agree(person: Person) -> None:
    rows = person.query(RECOUNT)
    assert rows
    for row in rows:
        assert (row["orders"], row["revenue"]) == (row["counted"], row["summed"])
        assert row["summed"] == row["lines"]


def test_an_import_can_be_stopped_and_what_was_applied_stays_whole(slow: RunningService) -> None:
    person = slow.tenant().person()
    content = written(many(30_000))
    import_id = person.begin(content)
    person.when(import_id, lambda card: card["rows_read"] > 0)
    assert person.call("POST", f"/v1/imports/{import_id}/cancel").status_code == 202
    report = person.ended(import_id)
    assert report["state"] == "cancelled"
    assert 0 < report["rows_applied"] < 30_000
    assert person.query(_COUNT) == [{"n": report["rows_applied"]}]
    assert_totals_agree(person)
    refused = person.call("POST", f"/v1/imports/{import_id}/cancel")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/job-over")
    again = person.imported(content)
    assert (again["state"], again["rows_applied"]) == ("done", 30_000)
    assert person.query(_COUNT) == [{"n": 30_000}]
    assert_totals_agree(person)


def _events(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.strip().split("\n\n")]
    return [(block["event"], orjson.loads(block["data"])) for block in blocks if "event" in block]


def test_the_stream_tells_the_progress_and_ends_with_the_import(slow: RunningService) -> None:
    person = slow.tenant().person()
    import_id = person.begin(written(many(20_000)))
    answer = person.call("GET", f"/v1/imports/{import_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer.text)
    assert [name for name, _ in events[-2:]] == ["progress", "end"]
    assert [job["done"] for _, job in events] == sorted(job["done"] for _, job in events)
    assert any(job["state"] == "running" and 0 < job["done"] < 20_000 for _, job in events)
    assert (events[-1][1]["state"], events[-1][1]["done"], events[-1][1]["total"]) == ("done", 20_000, 20_000)


def test_imports_of_the_same_customers_at_once_all_end_right(slow: RunningService) -> None:
    person = slow.tenant().person()
    files = [written(many(6_000, first=part * 100_000)) for part in range(3)]
    started = [person.begin(content) for content in files]
    for import_id in started:
        report = person.ended(import_id)
        assert (report["state"], report["rows_applied"]) == ("done", 6_000), report
    assert person.query(_COUNT) == [{"n": 18_000}]
    assert_totals_agree(person)


def test_imports_of_the_same_orders_at_once_leave_one_whole_version_of_each(slow: RunningService) -> None:
    person = slow.tenant().person()
    lines = many(6_000, lines_each=7)
    started = [person.begin(written(lines)), person.begin(written([*lines, a_line("last")]))]
    for import_id in started:
        assert person.ended(import_id)["state"] == "done"
    assert person.query(_COUNT) == [{"n": 6_001}]
    assert_totals_agree(person)


def test_every_rejected_row_stands_in_the_csv_with_its_reason(slow: RunningService) -> None:
    person = slow.tenant().person()
    lines = many(5_000, fault_every=4)
    report = person.imported(written(lines))
    assert (report["rows_applied"], report["rows_rejected"]) == (3_750, 1_250)
    answer = person.call("GET", f"/v1/imports/{report['import_id']}/rejects")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][:4] == ["line", "field", "code", "reason"]
    assert len(rows) == 1 + 1_250
    for number, row in enumerate(rows[1:]):
        cells = [str(cell) for cell in lines[4 * number]]
        assert row == [str(4 * number + 2), "customer_id", "missing-customer", "The row names no customer.", *cells]
