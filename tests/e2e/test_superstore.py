"""The real Superstore file through the running service: ABC and XYZ of every customer, product and category, against a
second computation that shares nothing with it."""

from datetime import date
from decimal import Decimal

import pytest

from tests.e2e import superstore
from tests.e2e.running import Person, RunningService
from tests.e2e.superstore import Judged, Line
from tests.shared_data import shared_data

_FILE = "A_transactions/superstore.csv"


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return superstore.read(shared_data(_FILE))


@pytest.fixture(scope="module")
def analyst(service: RunningService) -> Person:
    path = shared_data(_FILE)
    person = service.tenant(time_zone="America/Chicago", currency="USD").person()
    report = person.imported(path.read_bytes(), name=path.name)
    # Two orders name four customers each: an order is that of its first line, the other lines are refused.
    assert (report["state"], report["rows_read"], report["rows_rejected"]) == ("done", 10_194, 6), report
    return person


@pytest.fixture(scope="module")
def names(analyst: Person) -> dict[str, str]:
    """What the file calls each customer, product and category, by our id."""
    rows = analyst.query("""
        SELECT customer_id AS id, external_id AS name FROM customer_external_ids WHERE tenant_id = :tenant
        UNION ALL SELECT product_id, sku FROM products WHERE tenant_id = :tenant
        UNION ALL SELECT category_id, name FROM categories WHERE tenant_id = :tenant""")
    return {str(row["id"]): row["name"] for row in rows}


@pytest.mark.parametrize("over", superstore.DIMENSIONS)
@pytest.mark.parametrize(
    ("by", "as_of", "window", "period"),
    [
        ("revenue", date(2022, 12, 31), None, "month"),
        ("orders", date(2023, 1, 1), None, "quarter"),
        ("revenue", date(2022, 6, 17), 365, "month"),
        ("orders", date(2022, 12, 31), 200, "week"),
    ],
)
def test_every_item_is_that_of_the_second_computation(
    analyst: Person,
    lines: list[Line],
    names: dict[str, str],
    over: str,
    by: str,
    as_of: date,
    window: int | None,
    period: str,
) -> None:
    asked = {"over": over, "by": by, "as_of": as_of.isoformat(), "window": f"{window}d" if window else "all"}
    expected = superstore.judged(lines, over, by, as_of, window, period)
    shown = {
        names[one["item"]]: Judged(
            total=Decimal(one["total"]), class_name=one["class_name"], letter=one["letter"], periods=one["periods"]
        )
        for one in analyst.pages("/v1/abc/items", **asked, period=period)
    }
    assert len(shown) > 2
    assert shown == expected

    crossed = analyst.read("/v1/abc/matrix", **asked, period=period)
    assert {
        (cell["row"], cell["column"]): (cell["items"], Decimal(cell["total"]))
        for cell in crossed["cells"]
        if cell["items"]
    } == superstore.matrix(expected)
