"""What people really upload: every fault gets words that say where and what to do, and the base stays as it was."""

import csv
import gzip
import io
import json
import random
from typing import Any

import pytest

from tests.e2e.files import HEADER, a_line, many, written
from tests.e2e.running import Person, RunningService

_MAPPING = {
    "kind": "order_lines",
    "columns": {"order_id": "No", "customer_id": "Who", "ordered_at": "When", "amount": "Sum"},
}
_STATE = """
    SELECT (SELECT count(*) FROM customers WHERE tenant_id = :tenant) AS customers,
           (SELECT count(*) FROM orders WHERE tenant_id = :tenant) AS orders,
           (SELECT sum(total) FROM orders WHERE tenant_id = :tenant)::text AS total,
           (SELECT count(*) FROM order_lines WHERE tenant_id = :tenant) AS lines,
           (SELECT sum(revenue) FROM purchase_totals WHERE tenant_id = :tenant)::text AS revenue,
           (SELECT count(*) FROM changes WHERE tenant_id = :tenant) AS changes
"""


@pytest.fixture(scope="module")
def clerk(service: RunningService) -> Person:
    """Somebody in a base of three orders."""
    person = service.tenant(currency="EUR").person()
    report = person.imported(written([a_line(1, 1), a_line(2, 2), a_line(3, 2), a_line(3, 2)]))
    assert (report["state"], report["rows_applied"]) == ("done", 4), report
    return person


def _state(person: Person) -> dict[str, Any]:
    (row,) = person.query(_STATE)
    return row


def _refused(person: Person, content: bytes, **form: str) -> dict[str, Any]:
    """The problem document of a file that must not get in, told at once or by the import."""
    before = _state(person)
    answer = person.upload(content, **form)
    if answer.status_code == 202:
        report = person.ended(answer.json()["import_id"])
        assert report["state"] == "failed", report
        problem = dict(report["error"])
    else:
        assert answer.status_code in (409, 413, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = dict(answer.json())
        assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    assert _state(person) == before
    return problem


def _rejects(person: Person, import_id: str) -> list[dict[str, str]]:
    answer = person.call("GET", f"/v1/imports/{import_id}/rejects")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text)))


def _amounts(person: Person, content: bytes, **form: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Import a file; the report, and the total of each order that is there afterwards."""
    report = person.imported(content, **form)
    assert report["state"] == "done", report
    return report, {one["external_id"]: one["total"] for one in person.pages("/v1/orders")}


def _noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


_LONG = written(many(9_000))
_BOMB = gzip.compress(written([a_line(1)]) + b"4,1,2024-03-01,A,1,1\r\n" * 4_000_000, 9)
_CASES: dict[str, tuple[bytes, dict[str, str], str]] = {
    "cut gzip": (gzip.compress(_LONG)[:-5_000], {}, "truncated-file"),
    "cut gzip of a few lines": (gzip.compress(written([a_line(9)]))[:-4], {}, "truncated-file"),
    "cut inside a quoted cell": (written([a_line(9)]) + b'10,1,2024-03-01,"A', {}, "truncated-file"),
    "damaged gzip": (gzip.compress(_LONG)[:30_000] + _noise(2_000), {}, "corrupt-file"),
    "cp1251 within UTF-8": (
        _LONG + "77,1,2024-03-01,Чай,1,1\r\n".encode("cp1251"),
        {"encoding": "utf-8"},
        "wrong-encoding",
    ),
    "an encoding that isn't one": (written([a_line(9)]), {"encoding": "utf-9"}, "unknown-encoding"),
    "a column that the mapping lacks": (written([a_line(9)]), {"mapping": json.dumps(_MAPPING)}, "unknown-column"),
    "a column that the format lacks": (written([[*a_line(9), "x"]], [*HEADER, "colour"]), {}, "unknown-column"),
    "a header of no known format": (b"a,b,c\r\n1,2,3\r\n", {}, "unrecognised-file"),
    "a header that names a column twice": (written([[*a_line(9), "A"]], [*HEADER, "sku"]), {}, "duplicate-header"),
    "a needed column missing": (b"order_id,customer_id,ordered_at\r\n9,1,2024-03-01\r\n", {}, "missing-column"),
    "empty": (b"", {}, "empty-file"),
    "empty inside gzip": (gzip.compress(b""), {}, "empty-file"),
    "a header alone": (written([]), {}, "no-rows"),
    "a PNG": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + _noise(5_000), {}, "not-a-text-file"),
    "an xlsx": (b"PK\x03\x04\x14\x00\x06\x00" + _noise(5_000), {}, "not-a-text-file"),
    "noise": (_noise(100_000), {}, "not-a-text-file"),
    "a gzip bomb": (_BOMB, {}, "compressed-too-far"),
    "a record without an end": (written([a_line(9)]) + b'9,1,"' + b"x" * 3_000_000, {}, "line-too-long"),
    "another kind than it is": (written([a_line(9)]), {"kind": "customers"}, "unrecognised-file"),
    "an unknown preset": (written([a_line(9)]), {"preset": "online-retail"}, "unknown-preset"),
    "a mapping that isn't JSON": (written([a_line(9)]), {"mapping": "{"}, "invalid-request"),
}  # fmt: skip


@pytest.mark.parametrize("case", _CASES)
def test_a_broken_file_is_refused_in_words_and_changes_nothing(clerk: Person, case: str) -> None:
    content, form, code = _CASES[case]
    assert _refused(clerk, content, **form)["type"] == f"/problems/{code}"


def test_a_wrong_encoding_is_told_with_its_place_and_its_cure(clerk: Person) -> None:
    content, form, _ = _CASES["cp1251 within UTF-8"]
    problem = _refused(clerk, content, **form)
    assert (problem["line"], problem["looks_like"]) == (9_002, "cp1251")


def test_an_unknown_column_is_told_with_what_may_be_meant(clerk: Person) -> None:
    header = ["order_id", "customer_id", "orderd_at", "sku", "quantity", "unit_price"]
    mapping = {"kind": "order_lines", "columns": {name: name for name in HEADER}}
    problem = _refused(clerk, written([a_line(9)], header), mapping=json.dumps(mapping))
    assert "orderd_at" in problem["detail"]


def test_a_bad_row_is_rejected_with_its_line_and_the_others_are_applied(service: RunningService) -> None:
    person = service.tenant().person()
    report = person.imported(
        written(
            [
                a_line(1),
                a_line(2, ordered_at="20111-12-09 12:50:00"),
                [*a_line(3), "one too many"],
                a_line(4)[:-1],
                a_line(5, sku="A\0B"),
                a_line(6, unit_price="free"),
                a_line(7, quantity="many"),
                a_line(8, ""),
                a_line(9),
            ]
        )
    )
    assert (report["state"], report["rows_read"], report["rows_applied"], report["rows_rejected"]) == ("done", 9, 2, 7)
    found = [(one["line"], one["field"], one["code"]) for one in _rejects(person, report["import_id"])]
    assert found == [
        ("3", "ordered_at", "date-out-of-range"),
        ("4", "", "too-many-cells"),
        ("5", "", "too-few-cells"),
        ("6", "", "nul-character"),
        ("7", "unit_price", "bad-number"),
        ("8", "quantity", "bad-number"),
        ("9", "customer_id", "missing-customer"),
    ]
    assert {one["external_id"] for one in person.pages("/v1/orders")} == {"1", "9"}


def test_a_number_that_can_be_read_in_two_ways_is_not_guessed(service: RunningService) -> None:
    person = service.tenant().person()
    mapping = json.dumps({"kind": "order_lines", "columns": {name: name for name in HEADER}})
    content = written([a_line(1, quantity=1, unit_price="1,234"), a_line(2, unit_price="5")])
    report = person.imported(content, mapping=mapping)
    assert [(one["line"], one["code"]) for one in _rejects(person, report["import_id"])] == [("2", "ambiguous-number")]


@pytest.mark.parametrize(("delimiter", "price"), [(",", "1,234.50"), (";", "1 234,50"), (";", "1\u00a0234,50")])
def test_amounts_are_read_as_they_are_written(service: RunningService, delimiter: str, price: str) -> None:
    person = service.tenant().person()
    content = written([a_line(1, quantity=1, unit_price=price)], delimiter=delimiter)
    assert _amounts(person, content)[1] == {"1": "1234.50"}


def test_the_same_file_again_is_recognised(clerk: Person) -> None:
    content = written([a_line(100, 50), a_line(101, 51)])
    first = clerk.imported(content)
    problem = _refused(clerk, content, name="copy.csv")
    assert (problem["type"], problem["import_id"]) == ("/problems/already-imported", first["import_id"])


def test_the_same_file_forced_doubles_nothing(service: RunningService) -> None:
    person = service.tenant().person()
    content = written(many(900, fault_every=90))
    first = person.imported(content)
    before = _state(person)
    again = person.imported(content, force="true")
    assert (again["state"], again["rows_applied"], again["rows_rejected"]) == ("done", 890, 10)
    assert again["revenue"] == first["revenue"]
    assert again["counts"] == {"orders_updated": first["counts"]["orders_created"]}
    after = _state(person)
    assert {name: after[name] for name in after if name != "changes"} == {
        name: before[name] for name in before if name != "changes"
    }


def test_orders_of_an_overlapping_file_are_replaced(service: RunningService) -> None:
    person = service.tenant().person()
    person.imported(written([a_line(1), a_line(1, sku="B"), a_line(2)]))
    report, amounts = _amounts(person, written([a_line(1, quantity=5), a_line(3)]))
    assert report["counts"] == {"orders_created": 1, "orders_updated": 1}
    assert amounts == {"1": "52.50", "2": "21.00", "3": "21.00"}
    assert _state(person)["lines"] == 3
    assert _state(person)["revenue"] == "94500000"


def test_refunds_of_an_order_outlive_its_replacement(service: RunningService) -> None:
    person = service.tenant().person()
    person.imported(written([a_line(1)]))
    (order,) = person.pages("/v1/orders")
    refund = {"amount": "5.00"}
    assert person.call("POST", f"/v1/orders/{order['order_id']}/refunds", json=refund).status_code in (200, 201)
    person.imported(written([a_line(1, quantity=3)]))
    (order,) = person.pages("/v1/orders")
    assert (order["total"], order["refunded"]) == ("31.50", "5.00")
    assert _state(person)["revenue"] == "26500000"


def test_an_order_that_moves_to_another_customer_leaves_nothing_behind(service: RunningService) -> None:
    person = service.tenant().person()
    person.imported(written([a_line(1, "first")]))
    person.imported(written([a_line(1, "second")]))
    rows = person.query("""
        SELECT x.external_id, coalesce(sum(t.revenue), 0)::bigint AS revenue FROM customer_external_ids x
        LEFT JOIN purchase_totals t ON t.tenant_id = x.tenant_id AND t.customer_id = x.customer_id
        WHERE x.tenant_id = :tenant GROUP BY 1
    """)
    assert {row["external_id"]: row["revenue"] for row in rows} == {"first": 0, "second": 21_000_000}


def test_a_file_of_orders_lists_each_order_once(service: RunningService) -> None:
    person = service.tenant().person()
    header = ("order_id", "customer_id", "ordered_at", "total")
    rows = [(1, "a", "2024-03-01", "100"), (2, "a", "2024-03-02", "50"), (1, "a", "2024-03-01", "100")]
    report, amounts = _amounts(person, written(rows, header))
    assert amounts == {"1": "100.00", "2": "50.00"}
    assert [(one["line"], one["code"]) for one in _rejects(person, report["import_id"])] == [("4", "order-repeated")]
    assert (report["rows_applied"], report["rows_rejected"]) == (2, 1)


@pytest.mark.parametrize("kind", ["order_lines", "orders"])
def test_what_belongs_to_others_is_rejected_row_by_row(service: RunningService, kind: str) -> None:
    tenant = service.tenant()
    head, manager = tenant.person(), tenant.person(reach="own")
    header = HEADER if kind == "order_lines" else ("order_id", "customer_id", "ordered_at", "total")

    def rows(*pairs: tuple[int, str]) -> bytes:
        if kind == "order_lines":
            return written([a_line(order, customer) for order, customer in pairs], header)
        return written([(order, customer, "2024-03-01", "21.00") for order, customer in pairs], header)

    head.imported(rows((1, "theirs"), (2, "theirs")))
    before = _state(head)
    report = manager.imported(rows((3, "theirs"), (1, "mine"), (4, "mine")))
    assert (report["state"], report["rows_applied"], report["rows_rejected"]) == ("done", 1, 2), report
    assert [(one["line"], one["code"]) for one in _rejects(manager, report["import_id"])] == [
        ("2", "external-id-taken"),
        ("3", "order-id-taken"),
    ]
    assert [one["external_id"] for one in manager.pages("/v1/orders")] == ["4"]
    after = _state(head)
    assert (after["orders"], after["customers"]) == (before["orders"] + 1, before["customers"] + 1)
    assert {one["external_id"]: one["total"] for one in head.pages("/v1/orders")} == {
        "1": "21.00", "2": "21.00", "4": "21.00",
    }  # fmt: skip
