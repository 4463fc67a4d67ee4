"""The CDNOW sample through the running service, with customers counted by hand."""

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal

import pytest

from tests.e2e import rfm_methods
from tests.e2e.rfm_methods import Bought
from tests.e2e.running import Person, RunningService
from tests.shared_data import shared_data


@pytest.fixture(scope="module")
def analyst(service: RunningService) -> Person:
    path = shared_data("A_transactions/cdnow_sample_2357.txt")
    person = service.tenant(currency="USD").person()
    report = person.imported(path.read_bytes(), name=path.name)
    assert report["state"] == "done", report
    assert report["preset"] == "cdnow"
    return person


@pytest.fixture(scope="module")
def scored(analyst: Person) -> dict[str, dict[str, object]]:
    known = {one["customer_id"]: one["external_ids"][0]["external_id"] for one in analyst.pages("/v1/customers")}
    scores = analyst.pages("/v1/rfm/customers", as_of="1998-07-01")
    return {known[one["customer_id"]]: one for one in scores}


def test_every_line_is_a_purchase(analyst: Person) -> None:
    report = analyst.read("/v1/imports")["items"][0]
    assert (report["rows_read"], report["rows_applied"], report["rows_rejected"]) == (6_919, 6_919, 0)
    assert report["counts"] == {"customers_created": 2_357, "orders_created": 6_919}
    assert analyst.read("/v1/customers", count="exact")["count"] == 2_357
    assert analyst.read("/v1/orders", count="exact")["count"] == 6_919


def test_sums_are_those_of_the_file(analyst: Person, scored: dict[str, dict[str, object]]) -> None:
    spent: dict[str, Decimal] = defaultdict(Decimal)
    bought: Counter[str] = Counter()
    last: dict[str, date] = {}
    for row in shared_data("A_transactions/cdnow_sample_2357.txt").read_text().splitlines():
        _, customer, day, _, dollars = row.split()
        customer = str(int(customer))
        spent[customer] += Decimal(dollars)
        bought[customer] += 1
        last[customer] = max(last.get(customer, date.min), date(int(day[:4]), int(day[4:6]), int(day[6:])))
    assert {c: (one["orders"], Decimal(str(one["revenue"])), one["last_on"]) for c, one in scored.items()} == {
        c: (bought[c], spent[c], last[c].isoformat()) for c in spent
    }
    assert Decimal(analyst.read("/v1/rfm", as_of="1998-07-01")["revenue"]) == sum(spent.values())


def test_customers_counted_by_hand(analyst: Person, scored: dict[str, dict[str, object]]) -> None:
    # Lines of the file, added on paper; days are counted to the day after its last one (1998-06-30).
    assert _seen(scored["1"]) == (4, "100.50", "1997-12-12", 201)
    assert _seen(scored["2"]) == (2, "75.11", "1997-01-13", 534)
    assert _seen(scored["3"]) == (1, "6.79", "1997-01-01", 546)
    assert _seen(scored["6"]) == (16, "1107.04", "1998-06-20", 11)
    assert _seen(scored["8"]) == (3, "59.67", "1998-03-07", 116)


def test_scores_found_by_sorting_on_paper(analyst: Person, scored: dict[str, dict[str, object]]) -> None:
    # Places 472, 943, 1415 and 1886 of 2357 in the sorted columns; 1205 customers bought once, 406 twice, 208 thrice.
    cuts = analyst.read("/v1/rfm", as_of="1998-07-01")["cuts"]
    assert cuts["frequency"] == [1, 1, 2, 4]
    assert cuts["monetary"] == ["15.36", "31.95", "59.25", "130.49"]
    assert cuts["recency_days"] == [513, 487, 443, 153]
    scores = {customer: tuple(scored[customer][letter] for letter in ("r", "f", "m", "group")) for customer in "123689"}
    assert scores == {
        "1": (4, 4, 4, "loyal"),
        "2": (1, 3, 4, "at_risk"),
        "3": (1, 1, 1, "hibernating"),
        "6": (5, 5, 5, "champions"),
        "8": (5, 4, 4, "champions"),
        "9": (5, 5, 4, "champions"),
    }


def _seen(one: dict[str, object]) -> tuple[object, ...]:
    return one["orders"], one["revenue"], one["last_on"], one["recency_days"]


@pytest.mark.parametrize("asked", rfm_methods.ASKED, ids=lambda asked: "-".join(asked.values()))
def test_every_method_scores_as_the_second_computation(analyst: Person, asked: dict[str, str]) -> None:
    known = {one["customer_id"]: one["external_ids"][0]["external_id"] for one in analyst.pages("/v1/customers")}
    scores, values = rfm_methods.shown(analyst.pages("/v1/rfm/customers", as_of="1998-07-01", **asked))
    base = _base(date(1998, 7, 1), 90 if "window" in asked else None)
    assert {known[one]: value for one, value in values.items()} == base
    assert scores == rfm_methods.scores({one: base[known[one]] for one in scores}, asked)


def _base(as_of: date, window: int | None) -> dict[str, Bought]:
    """Who bought what on these days, the last of them `as_of`."""
    bought: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for row in shared_data("A_transactions/cdnow_sample_2357.txt").read_text().splitlines():
        _, customer, text, _, dollars = row.split()
        day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
        if window is None or (as_of - day).days < window:
            bought[str(int(customer))].append((day, Decimal(dollars)))
    return {
        customer: Bought(
            days=(as_of - max(day for day, _ in rows)).days,
            orders=len(rows),
            money=int(sum(dollars for _, dollars in rows) * 1_000_000),
        )
        for customer, rows in bought.items()
    }
