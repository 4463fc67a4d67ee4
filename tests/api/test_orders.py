"""Purchases over HTTP: totals of an order, refunds, corrections, and what they make of the customer."""

import asyncio
from typing import Any

import pytest

from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import make, problem
from tests.postgres import TestDatabase

_TOTALS = """SELECT currency, orders, revenue, refunds, refunded, first_on::text, last_on::text FROM purchase_totals
    WHERE customer_id = $1::uuid ORDER BY currency"""


async def order(client: Client, customer: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A new order of that customer: ten roubles on the first of March unless the fields say otherwise."""
    body = {"customer_id": customer["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "10"} | fields
    answer = await client.post("/v1/orders", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def totals(world: Api, client: Client, customer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The kept totals of that customer, money as whole units."""
    async with world.tenant.uow.begin(client.principal) as tx:
        rows = await tx.session.connection.fetch(_TOTALS, customer["customer_id"])
    return [
        (r["currency"], r["orders"], r["revenue"] / 1e6, r["refunds"], r["refunded"] / 1e6, r["first_on"], r["last_on"])
        for r in rows
    ]


async def status_of(client: Client, customer: dict[str, Any]) -> str:
    return str((await client.get(f"/v1/customers/{customer['customer_id']}")).json()["status"])


def test_an_order_is_read_as_it_was_written(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        lines = [
            {"sku": "TEA-1", "product": "Green tea", "quantity": "2", "unit_price": "349.90"},
            {"sku": "TEA-1", "quantity": "0.333", "unit_price": "0.085"},
            {"sku": "CUP", "quantity": 1, "unit_price": 100, "amount": "90"},
        ]
        fields = {"external_id": "A-1", "source": "shop", "sales_channel": "web", "currency": "EUR", "total": None}
        made = await order(head, customer, lines=lines, status="paid", **fields)
        assert [
            (one["sku"], one["product"], one["quantity"], one["unit_price"], one["amount"]) for one in made["lines"]
        ] == [
            ("TEA-1", "Green tea", "2", "349.90", "699.80"),
            ("TEA-1", "Green tea", "0.333", "0.085", "0.028305"),
            ("CUP", "CUP", "1", "100.00", "90.00"),
        ]
        assert (made["total"], made["refunded"], made["currency"], made["status"]) == (
            "789.828305",
            "0.00",
            "EUR",
            "paid",
        )
        assert (made["external_id"], made["source"], made["sales_channel"]) == ("A-1", "shop", "web")
        again = await head.get(f"/v1/orders/{made['order_id']}")
        assert (again.json(), again.headers["etag"]) == (made, '"1"')
        listed = (await head.get("/v1/orders")).json()["items"]
        assert listed == [{name: value for name, value in made.items() if name not in ("lines", "refunds")}]

    in_the_api(database, scenario)


def test_the_headers_total_wins_over_the_sum_of_lines(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        line = {"sku": "TEA", "quantity": "3", "unit_price": "10"}
        assert (await order(head, customer, lines=[line], total="25"))["total"] == "25.00"
        assert (await order(head, customer, lines=[line], total=None))["total"] == "30.00"
        assert await totals(world, head, customer) == [("RUB", 2, 55.0, 0, 0.0, "2026-03-01", "2026-03-01")]
        body = {"customer_id": customer["customer_id"], "ordered_at": "2026-03-01T12:00:00"}
        assert problem(await head.post("/v1/orders", json=body)) == (422, "total-missing")

    in_the_api(database, scenario)


def test_times_without_a_zone_are_the_tenants_and_days_too(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()  # of a tenant in Moscow, UTC+3
        customer = await make(head)
        made = await order(head, customer, ordered_at="2026-03-01T01:00:00")
        assert (made["ordered_at"], made["ordered_on"]) == ("2026-02-28T22:00:00+00:00", "2026-03-01")
        made = await order(head, customer, ordered_at="2026-02-28T22:30:00Z")
        assert made["ordered_on"] == "2026-03-01"
        for query, number in (
            ({"since": "2026-03-01T01:00:00"}, 2),
            ({"since": "2026-03-01T01:15:00"}, 1),
            ({"until": "2026-03-01T01:15:00"}, 1),
            ({"since": "2026-02-28T22:15:00Z"}, 1),
            ({"until": "2026-02-28T22:30:00+00:00"}, 1),
        ):
            assert len((await head.get("/v1/orders", params=query)).json()["items"]) == number, query

    in_the_api(database, scenario)


def test_a_first_counted_order_makes_a_prospect_a_customer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        made = await order(head, customer, status="new")
        assert await status_of(head, customer) == "prospect"
        assert await totals(world, head, customer) == [("RUB", 0, 0.0, 0, 0.0, None, None)]
        paid = await head.patch(f"/v1/orders/{made['order_id']}", json={"status": "paid"})
        assert (paid.json()["status"], paid.headers["etag"]) == ("paid", '"2"')
        assert await status_of(head, customer) == "customer"
        assert await totals(world, head, customer) == [("RUB", 1, 10.0, 0, 0.0, "2026-03-01", "2026-03-01")]
        lapsed = await make(head, status="lapsed")
        await order(head, lapsed)
        assert await status_of(head, lapsed) == "lapsed"

    in_the_api(database, scenario)


def test_corrections_move_the_totals_with_them(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        early = await order(head, customer, ordered_at="2026-01-10T12:00:00")
        late = await order(head, customer, ordered_at="2026-03-10T12:00:00", total="5")
        assert await totals(world, head, customer) == [("RUB", 2, 15.0, 0, 0.0, "2026-01-10", "2026-03-10")]
        for patch, expected in (
            ({"status": "cancelled"}, (1, 5.0, "2026-03-10", "2026-03-10")),
            ({"status": "completed", "total": "7.25"}, (2, 12.25, "2026-01-10", "2026-03-10")),
            ({"ordered_at": "2026-04-01T00:00:00+03:00"}, (2, 12.25, "2026-03-10", "2026-04-01")),
            ({"status": "returned"}, (1, 5.0, "2026-03-10", "2026-03-10")),
            ({"sales_channel": "web"}, (1, 5.0, "2026-03-10", "2026-03-10")),
        ):
            assert (await head.patch(f"/v1/orders/{early['order_id']}", json=patch)).status_code == 200
            ((_, orders, revenue, _, _, first, last),) = await totals(world, head, customer)
            assert (orders, revenue, first, last) == expected, patch
        stale = await head.patch(f"/v1/orders/{early['order_id']}", json={"total": "1"}, headers={"If-Match": '"1"'})
        assert problem(stale) == (412, "version-mismatch")
        await head.patch(f"/v1/orders/{late['order_id']}", json={"status": "cancelled"})
        assert await totals(world, head, customer) == [("RUB", 0, 0.0, 0, 0.0, None, None)]

    in_the_api(database, scenario)


def test_a_partial_refund_lowers_and_a_full_one_uncounts(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        made = await order(head, customer, total="10.50")
        path = f"/v1/orders/{made['order_id']}/refunds"
        partly = await head.post(path, json={"amount": "0.50", "reason": "Damaged", "external_id": "R-1"})
        assert partly.status_code == 201
        assert (partly.json()["refunded"], partly.json()["refunds"][0]["amount"]) == ("0.50", "0.50")
        assert await totals(world, head, customer) == [("RUB", 1, 10.0, 1, 0.5, "2026-03-01", "2026-03-01")]
        assert problem(await head.post(path, json={"amount": "1", "external_id": "R-1"})) == (409, "order-id-taken")
        too_much = await head.post(path, json={"amount": "10.01"})
        assert (problem(too_much), too_much.json()["pointer"]) == ((422, "refund-too-large"), "/amount")
        for amount in ("0", "-1", "0.0000001", "1e30", "NaN", None, "ten"):
            assert problem(await head.post(path, json={"amount": amount})) == (422, "invalid-request"), amount
        assert (await head.post(path, json={"amount": "10"})).json()["refunded"] == "10.50"
        assert await totals(world, head, customer) == [("RUB", 0, 0.0, 2, 10.5, None, None)]
        assert problem(await head.post(path, json={"amount": "0.01"})) == (422, "refund-too-large")

    in_the_api(database, scenario)


def test_refunds_at_once_never_exceed_the_total(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        made = await order(head, customer, total="10")
        path = f"/v1/orders/{made['order_id']}/refunds"
        answers = await asyncio.gather(*(head.post(path, json={"amount": "3"}) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 422, 422, 422]
        assert (await head.get(f"/v1/orders/{made['order_id']}")).json()["refunded"] == "9.00"
        assert await totals(world, head, customer) == [("RUB", 1, 1.0, 3, 9.0, "2026-03-01", "2026-03-01")]

    in_the_api(database, scenario)


def test_orders_at_once_of_one_customer_are_all_counted(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        await asyncio.gather(*(order(head, customer, currency="RUB" if i % 2 else "EUR") for i in range(8)))
        assert [row[:3] for row in await totals(world, head, customer)] == [("EUR", 4, 40.0), ("RUB", 4, 40.0)]

    in_the_api(database, scenario)


def test_put_replaces_an_order_and_moves_it_to_another_buyer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        one = await make(head, external_ids=[{"external_id": "C-1"}])
        two = await make(head, external_ids=[{"external_id": "C-2"}])
        line = {"sku": "TEA", "quantity": "2", "unit_price": "5"}
        body = {"customer_external_id": "C-1", "ordered_at": "2026-03-01T12:00:00", "lines": [line, line]}
        first = await head.put("/v1/orders/by-external-id/A%2F1", json=body)
        changed = body | {"customer_external_id": "C-2", "lines": [line | {"sku": "CUP"}], "currency": "EUR"}
        second = await head.put("/v1/orders/by-external-id/A%2F1", json=changed)
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json()["order_id"] == first.json()["order_id"]
        assert [line["sku"] for line in second.json()["lines"]] == ["CUP"]
        assert (first.json()["total"], second.json()["total"], second.json()["version"]) == ("20.00", "10.00", 2)
        assert await totals(world, head, one) == []
        assert [row[:3] for row in await totals(world, head, two)] == [("EUR", 1, 10.0)]
        both = await asyncio.gather(*(head.put("/v1/orders/by-external-id/A-2", json=body) for _ in range(4)))
        assert sorted(answer.status_code for answer in both) == [200, 200, 200, 201]

    in_the_api(database, scenario)


def test_pages_of_orders_are_disjoint_complete_and_newest_first(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        items = [
            # Several of one moment, so that the cursor must tell them apart.
            {"customer_id": customer["customer_id"], "ordered_at": f"2026-03-0{1 + i % 3}T12:00:00", "total": str(i)}
            for i in range(13)
        ]
        await head.post("/v1/orders/batch", json={"items": items})
        for path in ("/v1/orders", f"/v1/customers/{customer['customer_id']}/orders"):
            seen: list[tuple[str, str]] = []
            query: dict[str, Any] = {"limit": 4}
            while True:
                page = (await head.get(path, params=query)).json()
                seen += [(item["ordered_at"], item["order_id"]) for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
            assert len(set(seen)) == len(seen) == 13
            assert seen == sorted(seen, reverse=True)
            assert problem(await head.get(path, params={"cursor": "x" * 1001})) == (422, "invalid-request")
            assert problem(await head.get(path, params={"cursor": "nonsense"})) == (422, "bad-cursor")

    in_the_api(database, scenario)


def test_orders_are_filtered_and_counted(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer, other = await make(head), await make(head)
        await order(head, customer, external_id="A-1", sales_channel="web", currency="EUR", status="new")
        await order(head, other)
        for query in (
            {"customer_id": customer["customer_id"]},
            {"external_id": "A-1"},
            {"status": "new"},
            {"currency": "EUR"},
            {"sales_channel": "web"},
        ):
            page = (await head.get("/v1/orders", params={**query, "count": "exact"})).json()
            assert ([one["external_id"] for one in page["items"]], page["count"]) == (["A-1"], 1), query

    in_the_api(database, scenario)


def test_products_are_made_renamed_and_listed_by_sku(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        await order(head, customer, lines=[{"sku": "B", "product": "Tea", "quantity": "1", "unit_price": "1"}])
        for body in ({"sku": "A", "name": "Cup"}, {"sku": "B", "name": "Green tea", "category": "Tea"}):
            assert (await head.post("/v1/products", json=body)).status_code == 201
        first = (await head.get("/v1/products?limit=1")).json()
        rest = (await head.get("/v1/products", params={"cursor": first["next_cursor"]})).json()
        listed = [(one["sku"], one["name"], one["category"]) for one in first["items"] + rest["items"]]
        assert listed == [("A", "Cup", None), ("B", "Green tea", "Tea")]

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"total": "9999999999999.99"}, "amount-too-precise"),
        ({"total": 1e300}, "invalid-request"),
        ({"total": "0.0000001"}, "invalid-request"),
        ({"total": None, "lines": [{"sku": "x", "quantity": "1e11", "unit_price": "1e12"}]}, "amount-too-precise"),
        ({"ordered_at": "0001-01-01T00:00:00+14:00"}, "invalid-request"),
        ({"ordered_at": "9999-12-31T23:59:59-12:00"}, "invalid-request"),
        ({"ordered_at": "2026-02-30T00:00:00"}, "invalid-request"),
        ({"currency": "rub"}, "invalid-request"),
        ({"status": "lost"}, "invalid-request"),
        ({"customer_id": "01890000-0000-7000-8000-000000000000"}, "customer-not-found"),
    ],
)
def test_an_order_that_cannot_be_kept_is_refused(database: TestDatabase, fields: dict[str, Any], code: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        body = {"customer_id": customer["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "10"} | fields
        status = 404 if code == "customer-not-found" else 422
        assert problem(await head.post("/v1/orders", json=body)) == (status, code)

    in_the_api(database, scenario)


def test_sums_beyond_what_can_be_kept_are_refused_and_nothing_is_written(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        await order(head, customer, total="9000000000000")
        body = {"customer_id": customer["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "9000000000000"}
        assert problem(await head.post("/v1/orders", json=body)) == (422, "amount-too-precise")
        assert (await head.get("/v1/orders?count=exact")).json()["count"] == 1

    in_the_api(database, scenario)


def test_numbers_keep_the_digits_they_were_sent_with(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        body = f"""{{"customer_id": "{customer["customer_id"]}", "ordered_at": "2026-03-01T12:00:00",
            "total": 100000000000.000001}}"""
        answer = await head.post("/v1/orders", content=body, headers={"Content-Type": "application/json"})
        assert answer.json()["total"] == "100000000000.000001"

    in_the_api(database, scenario)
