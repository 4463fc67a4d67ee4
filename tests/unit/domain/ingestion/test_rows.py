from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.presets import preset
from service.domain.ingestion.values import Memo
from tests.unit.domain.ingestion.reading import HEADER, LINES, codes, customers, judged, order_lines, orders

_AMOUNTS = ColumnMapping(
    kind="order_lines",
    columns={"order_id": "order", "customer_id": "customer", "ordered_at": "date", "quantity": "q", "amount": "sum"},
)


def test_a_line_carries_its_values_exactly() -> None:
    (line,) = order_lines(HEADER + "A1,7,2023-06-01 01:30,3,0.085\n")
    assert (line.row, line.line, line.order_id, line.customer_id) == (1, 2, "A1", "7")
    assert (line.ordered_at, line.ordered_on) == (datetime(2023, 5, 31, 22, 30, tzinfo=UTC), date(2023, 6, 1))
    assert (line.quantity, line.unit_price, line.amount) == (Decimal(3), 85_000, 255_000)
    assert (line.currency, line.status, line.is_return) == ("RUB", "completed", False)


def test_both_ways_of_writing_an_amount_are_read() -> None:
    rows = order_lines(HEADER + 'A1,7,2023-06-01,1,"1,234.50"\nA2,7,2023-06-01,1,"1 234,50"\n')
    assert [line.amount for line in rows] == [1_234_500_000] * 2


def test_an_ambiguous_amount_follows_the_column_and_is_rejected_where_that_is_silent() -> None:
    assert [line.amount for line in order_lines(HEADER + 'A1,7,2023-06-01,1,"1,234"\nA2,7,2023-06-01,1,0.5\n')] == [
        1_234_000_000,
        500_000,
    ]
    assert codes(HEADER + 'A1,7,2023-06-01,1,"1,234"\n') == [["ambiguous-number"]]


def test_returns_say_what_went_back() -> None:
    mapping = replace(LINES, return_prefix="C")
    (line,) = order_lines(HEADER + "C1,7,2023-06-01,-2,5.00\n", mapping)
    assert (line.is_return, line.quantity, line.unit_price, line.amount) == (True, Decimal(2), 5_000_000, 10_000_000)


def test_equal_lines_are_kept() -> None:
    assert len(order_lines(HEADER + "A1,7,2023-06-01,1,5\n" * 3)) == 3


def test_every_fault_of_a_row_is_told() -> None:
    _, (reject,) = judged(HEADER + "A1,,20111-01-01,one,5\n")
    assert [(v.row, v.line, v.field, v.code) for v in reject.violations] == [
        (1, 2, "customer_id", "missing-customer"),
        (1, 2, "ordered_at", "date-out-of-range"),
        (1, 2, "quantity", "bad-number"),
    ]
    assert list(reject.cells) == ["A1", "", "20111-01-01", "one", "5"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("A1,7,2023-06-01,1,5,6", "too-many-cells"),
        ("A1,7,2023-06-01,1", "too-few-cells"),
        ("A1,7\0,2023-06-01,1,5", "nul-character"),
        ('A1,"7"x,2023-06-01,1,5', "stray-quote"),
        (",7,2023-06-01,1,5", "missing-order"),
        ("A1,7, ,1,5", "missing-date"),
        ("A1,7,2023-06-01,,5", "missing-quantity"),
        ("A1,7,2023-06-01,1,", "missing-price"),
        ("A1,7,2023-06-01,1000000000,9000000000000", "amount-too-large"),
        ("A1,7,2023-06-01,1,0.0000001", "amount-too-precise"),
        ("A1," + "7" * 201 + ",2023-06-01,1,5", "text-too-long"),
    ],
)
def test_a_bad_row_is_rejected_and_its_neighbours_are_not(row: str, code: str) -> None:
    good = "A0,7,2023-06-01,1,5\n"
    rows, rejects = judged(HEADER + good + row + "\n" + good)
    assert [each.row for each in rows] == [1, 3]
    assert [(each.line, each.violations[0].code) for each in rejects] == [(3, code)]


def test_a_nul_is_shown_in_the_reject() -> None:
    assert judged(HEADER + "A1,7\0,2023-06-01,1,5\n")[1][0].cells[1] == "7␀"


def test_an_amount_wins_and_gives_the_price() -> None:
    header = "order,customer,date,q,sum\n"
    rows = order_lines(header + "1,7,20230601,3,10.00\n2,7,20230601,0,4.00\n", _AMOUNTS)
    assert [(line.unit_price, line.amount) for line in rows] == [(3_333_333, 10_000_000), (4_000_000, 4_000_000)]
    assert codes(header + "1,7,20230601,0.000001,9000000000000\n", _AMOUNTS) == [["amount-too-large"]]


def test_an_amount_after_discount_stands_beside_the_price() -> None:
    mapping = replace(_AMOUNTS, columns={**_AMOUNTS.columns, "unit_price": "price"})
    (line,) = order_lines("order,customer,date,q,price,sum\n1,7,20230601,2,5.00,9.00\n", mapping)
    assert (line.unit_price, line.amount) == (5_000_000, 9_000_000)


def test_a_constant_fills_what_the_file_lacks() -> None:
    mapping = replace(LINES, constants={"currency": "eur", "sales_channel": "web", "customer_id": "walk-in"})
    (line,) = order_lines(HEADER + "A1,,2023-06-01,1,5\n", mapping)
    assert (line.currency, line.sales_channel, line.customer_id) == ("EUR", "web", "walk-in")


def test_an_empty_optional_cell_takes_the_default() -> None:
    header = "order_id,customer_id,ordered_at,unit_price,currency,status,country\n"
    (line,) = order_lines(header + "1,7,2023-06-01,5,,,\n", preset("clientbase_order_lines").mapping)
    assert (line.quantity, line.currency, line.status, line.country) == (Decimal(1), "RUB", "completed", None)


def test_orders_come_by_their_totals() -> None:
    mapping = replace(preset("clientbase_orders").mapping, return_prefix="C")
    header = "order_id,customer_id,ordered_at,total,refunded,status\n"
    first, second = orders(header + "1,7,2023-06-01,5.00,1.50,paid\nC2,7,2023-06-01,-5.00,,\n", mapping)
    assert (first.total, first.refunded, first.status, first.currency) == (5_000_000, 1_500_000, "paid", "RUB")
    assert (second.is_return, second.total, second.refunded) == (True, 5_000_000, 0)
    assert codes(header + "1,7,2023-06-01,5,-1,paid\n2,7,2023-06-01,5,0,shipped\n", mapping) == [
        ["negative-refund"],
        ["unknown-status"],
    ]


def test_an_order_without_a_number_is_named_by_row_and_contents() -> None:
    mapping = ColumnMapping(
        kind="orders", columns={"customer_id": "c", "ordered_at": "d", "total": "t"}, order_ids="row"
    )
    text = "c,d,t\n7,20230601,5\n7,20230601,5\n"
    found = [each.order_id for each in orders(text, mapping)]
    assert found == [each.order_id for each in orders(text, mapping)]
    assert len(set(found)) == 2


def test_a_customer_carries_what_the_file_says() -> None:
    header = "external_id;family_name;given_name;birth_date;gender;email;phone;tags;legal_name\n"
    person, firm = customers(
        header + "1;Ёлкин;Пётр;31.12.1980;м;Elkin@Example.com;8(495)1234567;vip,b2c;\n2;;;;;;;;ООО «Ромашка»\n",
        preset("clientbase_customers").mapping,
    )
    assert (person.kind, person.birth_date, person.gender, person.tags) == (
        "person",
        (date(1980, 12, 31), True),
        "male",
        ("vip", "b2c"),
    )
    assert (person.email, person.phone) == ("Elkin@Example.com", "8(495)1234567")
    assert (firm.kind, firm.legal_name, firm.tags, firm.email) == ("organisation", "ООО «Ромашка»", (), None)


def test_a_birthday_may_lack_its_year_and_a_time_zone_must_be_on_the_list() -> None:
    mapping = preset("clientbase_customers").mapping
    header = "external_id,family_name,birth_date,legal_form,time_zone,preferences\n"
    [person] = customers(header + "1,Ёлкин,--02-29,ИП,Asia/Omsk,чай|торты\n", mapping)
    assert (person.birth_date, person.legal_form) == ((date(1604, 2, 29), False), "ИП")
    assert (person.time_zone, person.preferences) == ("Asia/Omsk", ("чай", "торты"))
    assert codes(header + "1,Ёлкин,--02-30,,,\n2,Ёлкин,,,Omsk,\n", mapping) == [["bad-date"], ["unknown-time-zone"]]


def test_a_customer_needs_an_id_and_a_name() -> None:
    mapping = preset("clientbase_customers").mapping
    header = "external_id,kind,family_name,city\n"
    assert codes(header + "1,,,Орёл\n,,Ёлкин,\n2,robot,Ёлкин,\n", mapping) == [
        ["missing-name"],
        ["missing-external-id"],
        ["unknown-kind"],
    ]
    assert customers(header + "1,organization,Ёлкин,\n", mapping)[0].kind == "organisation"


def test_a_file_of_one_column_has_no_room_for_a_broken_row() -> None:
    mapping = ColumnMapping(kind="customers", columns={"external_id": "id"}, constants={"family_name": "?"})
    assert [row.external_id for row in customers("id\n1\n2\n", mapping)] == ["1", "2"]
    assert codes('id\n"1"x\n', mapping) == [["stray-quote"]]


def test_a_memo_reads_each_text_once_and_stays_small() -> None:
    asked: list[str] = []

    def length(cell: str) -> int:
        asked.append(cell)
        return len(cell)

    memo = Memo(length)
    assert [memo["aa"], memo["aa"], memo["x" * 300], memo["x" * 300]] == [2, 2, 300, 300]
    assert len(asked) == 3
    for number in range(20_000):
        memo[str(number)]
    assert len(memo) <= 16_384
