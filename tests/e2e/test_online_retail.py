"""The real Online Retail file through the running service, against a second computation that shares nothing with it."""

from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.e2e import online_retail, rfm_methods
from tests.e2e.online_retail import File, Scored
from tests.e2e.rfm_methods import Bought
from tests.e2e.running import Person, RunningService
from tests.shared_data import shared_data

_FILE = "A_transactions/online_retail_2010-12_2011-05.csv.gz"
# The day after the last order of the file.
_AS_OF = date(2011, 6, 1)


@pytest.fixture(scope="module")
def file() -> File:
    return online_retail.read(shared_data(_FILE))


@pytest.fixture(scope="module")
def analyst(service: RunningService) -> Person:
    path = shared_data(_FILE)
    person = service.tenant(time_zone="Europe/London", currency="GBP").person()
    report = person.imported(path.read_bytes(), name=path.name)
    assert report["state"] == "done", report
    return person


@pytest.fixture(scope="module")
def numbers(analyst: Person) -> dict[str, str]:
    """The file's number of each customer by our id."""
    return {one["customer_id"]: one["external_ids"][0]["external_id"] for one in analyst.pages("/v1/customers")}


@pytest.fixture(scope="module")
def expected(file: File) -> tuple[dict[str, Scored], dict[str, list[Decimal]]]:
    return online_retail.rfm(file, _AS_OF)


def test_the_file_is_the_published_one(file: File) -> None:
    assert (file.lines, file.without_customer, file.doubles) == (209_029, 59_976, 1_726)
    assert (len(file.customers), len(file.returns)) == (2_767, 1_588)
    assert sum(one.times == 2 for one in file.invoices.values()) == 24
    assert max(one.times for one in file.invoices.values()) == 2
    assert sum(online_retail.net(file).values()) == Decimal("3120488.091")
    assert max(one.at for one in file.orders.values()).date() == date(2011, 5, 31)


def test_the_report_of_the_import_counts_every_line(analyst: Person, file: File) -> None:
    report = analyst.read("/v1/imports")["items"][0]
    assert (report["preset"], report["rows_read"], report["rows_rejected"]) == ("online_retail", 209_029, 59_976)
    assert report["rows_applied"] == 209_029 - 59_976
    assert [(r["code"], r["count"], r["fields"]) for r in report["reasons"]] == [
        ("missing-customer", 59_976, {"customer_id": 59_976})
    ]
    assert report["counts"] == {
        "customers_created": 2_767,
        "orders_created": len(file.orders),
        "returns_created": 1_588,
    }
    assert report["revenue"] == {"GBP": "3120488.091"}
    assert report["progress"]["done"] == report["progress"]["total"] == 209_029


def test_every_order_has_its_customer_earliest_time_and_sum(
    analyst: Person, file: File, numbers: dict[str, str]
) -> None:
    stored = {
        one["external_id"]: (
            numbers[one["customer_id"]],
            datetime.fromisoformat(one["ordered_at"]),
            Decimal(one["total"]),
        )
        for one in analyst.pages("/v1/orders")
    }
    zone = ZoneInfo("Europe/London")
    assert stored == {
        number: (one.customer, one.at.replace(tzinfo=zone), one.amount) for number, one in file.orders.items()
    }


def test_every_return_is_unlinked_and_has_its_sum(analyst: Person, file: File) -> None:
    rows = analyst.query("SELECT external_id, order_id, amount, refunded_on FROM refunds WHERE tenant_id = :tenant")
    assert {r["external_id"]: (r["order_id"], r["amount"], r["refunded_on"]) for r in rows} == {
        number: (None, -one.amount * 1_000_000, one.at.date()) for number, one in file.returns.items()
    }


def test_equal_lines_are_all_kept(analyst: Person, file: File) -> None:
    (row,) = analyst.query("""
        SELECT (SELECT count(*) FROM order_lines WHERE tenant_id = :tenant)
             + (SELECT count(*) FROM refund_lines WHERE tenant_id = :tenant) AS lines
    """)
    assert row["lines"] == file.lines - file.without_customer


def test_rfm_of_every_customer_is_that_of_the_second_computation(
    analyst: Person, numbers: dict[str, str], expected: tuple[dict[str, Scored], dict[str, list[Decimal]]]
) -> None:
    shown = {
        numbers[one["customer_id"]]: Scored(
            days=one["recency_days"],
            orders=one["orders"],
            money=Decimal(one["revenue"]),
            r=one["r"],
            f=one["f"],
            m=one["m"],
            group=one["group"],
        )
        for one in analyst.pages("/v1/rfm/customers", as_of=_AS_OF.isoformat())
    }
    assert len(shown) == 2_718
    assert shown == expected[0]


def test_the_rfm_report_sums_up_the_same_customers(
    analyst: Person, expected: tuple[dict[str, Scored], dict[str, list[Decimal]]]
) -> None:
    scored, cuts = expected
    report = analyst.read("/v1/rfm", as_of=_AS_OF.isoformat())
    assert (report["population"], report["no_orders"], report["prospects"]) == (2_718, 49, 0)
    assert report["excluded_orders"] == {"other_currencies": 0, "after_as_of": 0}
    assert report["undistinguished"] == []
    groups = Counter(one.group for one in scored.values())
    money: dict[str, Decimal] = defaultdict(Decimal)
    for one in scored.values():
        money[one.group] += one.money
    assert {g["group"]: (g["customers"], Decimal(g["revenue"])) for g in report["groups"]} == {
        name: (groups[name], money[name]) for name in online_retail.GROUPS
    }
    grid = Counter((one.r, one.f) for one in scored.values())
    assert {(c["r"], c["f"]): c["customers"] for c in report["grid"] if c["customers"]} == dict(grid)
    assert Decimal(report["revenue"]) == sum(money.values())
    assert report["cuts"]["recency_days"] == [int(-cut) for cut in cuts["r"]]
    assert report["cuts"]["frequency"] == [int(cut) for cut in cuts["f"]]
    assert [Decimal(cut) for cut in report["cuts"]["monetary"]] == cuts["m"]


@pytest.mark.parametrize("asked", rfm_methods.ASKED, ids=lambda asked: "-".join(asked.values()))
def test_every_method_scores_as_the_second_computation(
    analyst: Person, file: File, numbers: dict[str, str], asked: dict[str, str]
) -> None:
    scores, values = rfm_methods.shown(analyst.pages("/v1/rfm/customers", as_of=_AS_OF.isoformat(), **asked))
    base = _bought(file, 90 if "window" in asked else None)
    assert {numbers[one]: value for one, value in values.items()} == base
    assert scores == rfm_methods.scores({one: base[numbers[one]] for one in scores}, asked)


def _bought(file: File, window: int | None) -> dict[str, Bought]:
    """Who ordered on these days; what he gave back on them is off the sum."""
    orders: dict[str, list[date]] = defaultdict(list)
    money: dict[str, Decimal] = defaultdict(Decimal)
    for number, one in file.invoices.items():
        if window is not None and (_AS_OF - one.at.date()).days >= window:
            continue
        money[one.customer] += one.amount
        if not number.startswith("C"):
            orders[one.customer].append(one.at.date())
    return {
        customer: Bought(days=(_AS_OF - max(days)).days, orders=len(days), money=int(money[customer] * 1_000_000))
        for customer, days in orders.items()
    }


def test_abc_classes_are_those_of_the_second_computation(analyst: Person, file: File, numbers: dict[str, str]) -> None:
    totals = online_retail.net(file)
    classes = online_retail.abc(totals)
    report = analyst.read("/v1/abc", as_of=_AS_OF.isoformat(), top=200)
    assert (report["items"], Decimal(report["total"])) == (
        len(totals), sum((total for total in totals.values() if total > 0), Decimal(0)),
    )  # fmt: skip
    assert Decimal(report["negative"]) == sum((total for total in totals.values() if total < 0), Decimal(0))
    assert {c["name"]: (c["items"], Decimal(c["total"])) for c in report["classes"]} == {
        name: _class_sum(name, classes, totals) for name in "ABC"
    }
    for one in report["top"]:
        number = numbers[one["item"]]
        assert (Decimal(one["total"]), one["class_name"]) == (totals[number], classes[number])
    best = sorted(totals.values(), reverse=True)[:200]
    assert [Decimal(one["total"]) for one in report["top"]] == best


def _class_sum(name: str, classes: dict[str, str], totals: dict[str, Decimal]) -> tuple[int, Decimal]:
    """How many items, and what the positive ones among them bring; the others stand in `negative`."""
    members = [totals[item] for item, found in classes.items() if found == name]
    return len(members), sum((total for total in members if total > 0), Decimal(0))
