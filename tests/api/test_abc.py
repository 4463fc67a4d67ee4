"""ABC over HTTP: matrices, items, charts, and what is refused."""

from typing import Any
from xml.etree import ElementTree

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_SVG = "{http://www.w3.org/2000/svg}"


async def _sold(client: Client, name: str, *totals: str) -> str:
    """A customer with an order on the fifth of each month, from January 2026 on."""
    customer = (await client.post("/v1/customers", json={"family_name": name})).json()["customer_id"]
    for month, total in enumerate(totals, start=1):
        body = {"customer_id": customer, "ordered_at": f"2026-{month:02}-05T12:00:00", "total": total}
        answer = await client.post("/v1/orders", json=body | {"status": "completed", "sales_channel": "<b>&shop"})
        assert answer.status_code == 201, answer.text
    return str(customer)


async def _shop(world: Api) -> tuple[Client, list[str]]:
    client = await world.client()
    steady = await _sold(client, "Постоянная", "800", "800", "800", "800")
    moody = await _sold(client, "<script>", "10", "300", "10", "280.50")
    late = await _sold(client, "Новая", "0.25")
    return client, [steady, moody, late]


def _cells(matrix: dict[str, Any]) -> dict[tuple[str, str], tuple[int, str]]:
    return {(cell["row"], cell["column"]): (cell["items"], cell["total"]) for cell in matrix["cells"] if cell["items"]}


def test_value_is_crossed_with_steadiness_and_with_groups(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client, (steady, moody, late) = await _shop(world)
        asked = {"as_of": "2026-05-01", "xyz_borders": "10,60"}
        matrix = (await client.get("/v1/abc/matrix", params=asked)).json()
        assert (matrix["rows"], matrix["columns"]) == (["A", "B", "C"], ["X", "Y", "Z", "too_short"])
        assert _cells(matrix) == {
            ("A", "X"): (1, "3200.00"),
            ("B", "Z"): (1, "600.50"),
            ("C", "Z"): (1, "0.25"),
        }
        assert (matrix["items"], matrix["total"], matrix["period"]) == (3, "3800.75", "month")
        assert matrix["cells"][0]["share"] == "0.841939"

        listed = (await client.get("/v1/abc/items", params=asked | {"limit": 2})).json()
        assert [(one["item"], one["class_name"], one["letter"], one["periods"]) for one in listed["items"]] == [
            (steady, "A", "X", 4),
            (moody, "B", "Z", 4),
        ]
        rest = (await client.get("/v1/abc/items", params=asked | {"cursor": listed["next_cursor"]})).json()
        assert ([one["item"] for one in rest["items"]], rest["next_cursor"]) == ([late], None)
        chosen = (await client.get("/v1/abc/items", params=asked | {"class": "A", "xyz": "X"})).json()
        assert [one["item"] for one in chosen["items"]] == [steady]

        groups = (await client.get("/v1/abc/matrix", params={"as_of": "2026-05-01", "with": "rfm"})).json()
        assert groups["columns"][-1] == "no_orders"
        assert sum(cell["items"] for cell in groups["cells"]) == 3
        assert groups["period"] is None

    in_the_api(database, scenario)


def test_the_current_month_does_not_count(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client, _ = await _shop(world)
        on_the_last = (await client.get("/v1/abc/matrix", params={"as_of": "2026-04-30"})).json()
        assert _cells(on_the_last)["A", "X"] == (1, "3200.00")
        listed = (await client.get("/v1/abc/items", params={"as_of": "2026-04-30"})).json()
        assert [one["periods"] for one in listed["items"]] == [3, 3, 3]

    in_the_api(database, scenario)


def test_charts_parse_and_say_what_the_report_says(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client, _ = await _shop(world)
        for query, title in (
            ({}, "33.3 % of customers bring 80 % of revenue"),
            ({"of": "xyz"}, "ABC of customers by revenue × steadiness (XYZ)"),
            ({"of": "rfm", "by": "orders"}, "ABC of customers by orders × RFM groups"),
            ({"over": "sales_channels"}, "100.0 % of sales channels bring 80 % of revenue"),
            ({"borders": "10,20,30,40,50,60,70,80,90"}, "33.3 % of customers bring 10 % of revenue"),
        ):
            answer = await client.get("/v1/abc/chart.svg", params=query | {"as_of": "2026-05-01"})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml"), answer.text
            root = ElementTree.fromstring(answer.text)
            assert root.findtext(f"{_SVG}title") == title
            assert title in [one.text for one in root.iter(f"{_SVG}text")]
            assert not list(root.iter(f"{_SVG}script"))

    in_the_api(database, scenario)


def test_a_chart_of_nothing_says_so(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client = await world.client()
        for of in ("curve", "xyz", "rfm"):
            answer = await client.get("/v1/abc/chart.svg", params={"of": of})
            assert "Nothing was sold" in answer.text

    in_the_api(database, scenario)


def test_what_cannot_be_told_is_refused_in_words(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client = await world.client()
        for path, query, code in (
            ("", {"by": "margin"}, "margin-unknown"),
            ("/chart.svg", {"by": "margin"}, "margin-unknown"),
            ("/matrix", {"with": "rfm", "over": "products"}, "abc-matrix-over-customers-only"),
            ("/matrix", {"xyz_borders": "25,10"}, "xyz-borders-invalid"),
            ("/matrix", {"xyz_borders": "10,99999"}, "xyz-borders-invalid"),
            ("/matrix", {"with": "ltv"}, "invalid-request"),
            ("/matrix", {"window": "99999d"}, "window-invalid"),
            ("/items", {"borders": "95,80"}, "abc-borders-invalid"),
            ("/items", {"cursor": "bm9uZQ"}, "bad-cursor"),
            ("/items", {"cursor": "eyJ0b3RhbCI6dHJ1ZSwiaXRlbSI6bnVsbH0"}, "bad-cursor"),
            ("/items", {"cursor": "eyJ0b3RhbCI6MWU5OSwiaXRlbSI6bnVsbH0"}, "bad-cursor"),
            ("/chart.svg", {"of": "pie"}, "invalid-request"),
        ):
            answer = await client.get(f"/v1/abc{path}", params=query)
            assert answer.status_code == 422, (path, query, answer.text)
            assert answer.json()["type"].endswith(f"/{code}"), answer.text
        listed = await client.get("/v1/abc/items", params={"class": "J", "cursor": "eyJ0b3RhbCI6MSwiaXRlbSI6ImEifQ"})
        assert listed.json()["items"] == []

    in_the_api(database, scenario)
