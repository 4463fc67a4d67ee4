"""Rules over HTTP: previewed within reach, explained, in both forms, and refused with the place of what is wrong."""

from decimal import Decimal
from typing import Any

import pytest

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

RICH = 'city = "казань" and orders.sum >= 1000'


async def _customer(client: Client, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json={"family_name": "Иванова", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _order(client: Client, customer_id: str, total: str, **fields: Any) -> None:
    body = {"customer_id": customer_id, "ordered_at": "2026-03-01T12:00:00", "total": total, **fields}
    answer = await client.post("/v1/orders", json=body)
    assert answer.status_code == 201, answer.text


async def _preview(client: Client, text: str) -> dict[str, Any]:
    answer = await client.post("/v1/segments/preview", json={"text": text})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_preview_counts_what_the_caller_reaches(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        mine = await _customer(anna, city="Казань", contacts=[{"kind": "phone", "value": "+79161234567"}])
        theirs, poor = await _customer(head, city="КАЗАНЬ"), await _customer(head, city="Казань")
        for one, total in ((mine, "1000"), (theirs, "2500.50"), (poor, "999.99")):
            await _order(head, one, total)
        whole = await _preview(head, RICH)
        assert (whole["customers"], whole["base"], whole["share"]) == (2, 3, "0.666667")
        assert (whole["revenue"], whole["currency"]) == ("3500.50", "RUB")
        assert {card["customer_id"] for card in whole["sample"]} == {mine, theirs}
        assert whole["slowest_clause"] in ("orders.sum >= 1000", 'city = "казань"')
        own = await _preview(anna, RICH)
        assert (own["customers"], own["base"], own["revenue"]) == (1, 1, "1000.00")
        assert [card["customer_id"] for card in own["sample"]] == [mine]
        assert "9161234567" not in str(own["sample"])

    in_the_api(database, scenario)


def test_an_explanation_names_what_decided_with_values(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        customer_id = await _customer(head, city="Казань", tags=["vip"])
        await _order(head, customer_id, "900")
        text = RICH + ' and not tags has any ("x")'
        answer = await head.post("/v1/segments/explain", json={"text": text, "customer_id": customer_id})
        found = answer.json()
        assert not found["member"]
        told = [(one["met"], one["decisive"], one["value"]) for one in found["clauses"]]
        assert told == [(True, False, "Казань"), (False, True, {"orders": 1, "sum": "900.00"}), (False, False, ["vip"])]
        foreign = await anna.post("/v1/segments/explain", json={"text": text, "customer_id": customer_id})
        assert foreign.status_code == 404

    in_the_api(database, scenario)


def test_every_kind_of_clause_is_previewed_and_explained(database: TestDatabase) -> None:
    clauses = (
        "birthday within 30 days",
        'consent "marketing" by "email" given',
        'share("Чай", last 365 days) >= 0.5',
        'top_category is present',
        "orders.avg(last 365 days) between 1 and 2",
        'orders.last(category "Чай") >= today - 90 days',
        'orders.max(product in ("TEA", "CUP"), currency EUR) > 0.000001',
        "depth = accounting and contacts has any (email) and channel is missing",
        'attributes."tea sort" = "green" or attributes.cups > 1.5',
        "created_at between today - 1 days and today",
        "name contains 'x'".replace("'", '"'),
    )  # fmt: skip

    async def scenario(world: Api) -> None:
        head = await world.client()
        for name, kind in (("tea sort", "text"), ("cups", "number")):
            made = await head.post("/v1/attributes", json={"name": name, "kind": kind, "label": name})
            assert made.status_code == 201, made.text
        customer_id = await _customer(head, attributes={"tea sort": "Green", "cups": 1})
        for text in clauses:
            parsed = (await head.post("/v1/segments/parse", json={"text": text})).json()
            again = (await head.post("/v1/segments/parse", json={"rule": parsed["rule"]})).json()
            assert again == parsed
            assert (await _preview(head, text))["text"] == parsed["text"]
            answer = await head.post("/v1/segments/explain", json={"rule": parsed["rule"], "customer_id": customer_id})
            assert answer.status_code == 200, answer.text

    in_the_api(database, scenario)


def test_the_catalogue_tells_of_own_fields_and_of_values_in_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        await head.post("/v1/attributes", json={"name": "tea", "kind": "choice", "label": "Tea", "choices": ["green"]})
        await _customer(head, city="Казань", tags=["vip"])
        fields = {one["name"]: one for one in (await head.get("/v1/segments/fields")).json()["fields"]}
        assert (fields["city"]["values"], fields["tags"]["values"]) == (["Казань"], ["vip"])
        assert fields["attributes.tea"]["choices"] == ["green"]
        own = {one["name"]: one for one in (await anna.get("/v1/segments/fields")).json()["fields"]}
        assert own["city"]["values"] == []
        for one in fields.values():
            parsed = await head.post("/v1/segments/parse", json={"text": one["example"]})
            assert parsed.status_code == 200, (one, parsed.text)
        found = (await head.get("/v1/segments/fields")).json()
        for clause in found["clauses"]:
            assert (await head.post("/v1/segments/parse", json={"text": clause["example"]})).status_code == 200, clause
        for narrowed in found["filters"]:
            parsed = await head.post("/v1/segments/parse", json={"text": f"orders.count({narrowed}) > 1"})
            assert parsed.status_code == 200, narrowed

    in_the_api(database, scenario)


def _all(*rules: Any) -> dict[str, Any]:
    return {"kind": "all", "of": list(rules)}


_CITY = {"kind": "field", "field": "city", "op": "eq", "value": "Казань"}


def _deep(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = _CITY
    for _ in range(levels):
        rule = {"kind": "not", "rule": rule}
    return rule


@pytest.mark.parametrize(
    ("rule", "code", "pointer"),
    [
        (_all(_CITY, {**_CITY, "field": "town"}), "bad-rule", "/rule/of/1/field"),
        (_all({**_CITY, "op": "gt"}), "bad-rule", "/rule/of/0/op"),
        (_all({**_CITY, "value": 5}), "bad-rule", "/rule/of/0/value"),
        (_all({**_CITY, "op": "in", "value": ["a", True]}), "bad-rule", "/rule/of/0/value/1"),
        (_all({"kind": "not", "rule": {**_CITY, "op": "like"}}), "invalid-request", "/rule/of/0/rule/op"),
        (_all({**_CITY, "colour": 1}), "invalid-request", "/rule/of/0/colour"),
        (_all({"kind": "field", "op": "eq"}), "invalid-request", "/rule/of/0/field"),
        (_all(_CITY, {"kind": "sql"}), "invalid-request", "/rule/of/1"),
        (_all(), "bad-rule", "/rule/of"),
        (_deep(8), "rule-too-large", "/rule" + "/rule" * 8),
        (_deep(30), "rule-too-large", "/rule" + "/rule" * 8),
        (_all(*[_CITY] * 201), "rule-too-large", None),
        ({**_CITY, "op": "in", "value": ["a"] * 1001}, "rule-too-large", "/rule/value"),
        ({**_CITY, "field": "phone"}, "contacts-closed", "/rule/field"),
        ({**_CITY, "field": "email.value"}, "contacts-closed", "/rule/field"),
        ({"kind": "orders", "measure": "sum", "op": "ge", "value": "0.0000001"}, "bad-rule", "/rule/value"),
        ({"kind": "orders", "measure": "sum", "op": "missing"}, "bad-rule", "/rule/op"),
        ({"kind": "orders", "measure": "last", "op": "ge", "value": "yesterday"}, "bad-rule", "/rule/value"),
        ({"kind": "orders", "measure": "count", "op": "ge", "value": 1, "where": {"last_days": 0}}, "bad-rule",
         "/rule/where/last_days"),
        ({"kind": "birthday", "within_days": 367}, "bad-rule", "/rule/within_days"),
        ({**_CITY, "value": "\x00"}, "bad-rule", "/rule/value"),
        ({**_CITY, "field": "created_at", "op": "lt", "value": {"today": 10**9}}, "bad-rule", "/rule/value"),
        ({**_CITY, "field": "curator", "value": "me"}, "bad-rule", "/rule/value"),
    ],
)  # fmt: skip
def test_bad_rules_are_refused_with_the_place(
    database: TestDatabase, rule: dict[str, Any], code: str, pointer: str | None
) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.post("/v1/segments/preview", json={"rule": rule})
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, f"/problems/{code}"), answer.text
        places = [problem.get("pointer"), *(one["pointer"] for one in problem.get("errors", []))]
        assert pointer is None or pointer in places

    in_the_api(database, scenario)


def test_faults_of_a_text_name_line_and_column(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for text, line, column in (
            ('city = "Казань" and\n  twon = "x"', 2, 3),
            ("city ~ 1", 1, 6),
            ('city = "Казань', 1, 8),
            ("orders.sum(last 5) > 1", 1, 18),
            ('(city = "a" or city = "b"', 1, 26),
            ("", 1, 1),
        ):
            answer = await head.post("/v1/segments/parse", json={"text": text or " "})
            problem = answer.json()
            assert answer.status_code == 422, answer.text
            assert (problem["errors"][0]["line"], problem["errors"][0]["column"]) == (line, column + (text == "")), text

    in_the_api(database, scenario)


def test_what_the_caller_may_not_see_he_may_not_ask(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await _customer(head, city="Казань")
        narrow = await world.client(scopes=("segments:read", "customers:read"))
        refused = await narrow.post("/v1/segments/preview", json={"text": "orders.count > 1"})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/field-closed")
        seen = await _preview(narrow, 'city = "Казань"')
        assert (seen["customers"], seen["revenue"]) == (1, None)
        nobody = await world.client(scopes=("customers:read",))
        assert (await nobody.post("/v1/segments/preview", json={"text": "city is missing"})).status_code == 403

    in_the_api(database, scenario)


def test_money_of_rules_keeps_every_digit(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer_id = await _customer(head)
        await _order(head, customer_id, "0.1")
        await _order(head, customer_id, "0.2")
        assert (await _preview(head, "orders.sum = 0.3"))["customers"] == 1
        assert (await _preview(head, "orders.avg = 0.15"))["customers"] == 1
        assert (await _preview(head, "orders.avg > 0.149999 and orders.avg < 0.150001"))["customers"] == 1
        assert Decimal("0.3") == Decimal((await _preview(head, "orders.count = 2"))["revenue"])

    in_the_api(database, scenario)


def test_tags_hand_overs_and_searches_take_a_rule(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        mine, theirs, poor = (
            await _customer(anna, city="Казань"),
            await _customer(head, city="казань"),
            await _customer(head, city="Казань"),
        )
        await _order(head, mine, "1000")
        await _order(head, theirs, "1000")
        found = await anna.post("/v1/customers/tag", json={"add": ["rich"], "text": RICH})
        assert found.json() == {"matched": 1, "changed": 1, "full": 0}
        page = (await head.post("/v1/customers/search", json={"text": RICH, "limit": 1, "count": "exact"})).json()
        assert ([one["customer_id"] for one in page["items"]], page["count"]) == ([theirs], 2)
        rest = await head.post("/v1/customers/search", json={"text": RICH, "limit": 1, "cursor": page["next_cursor"]})
        assert [one["customer_id"] for one in rest.json()["items"]] == [mine]
        assert rest.json()["next_cursor"] is None
        own = (await anna.post("/v1/customers/search", json={"text": RICH, "tag": "rich"})).json()
        assert [one["customer_id"] for one in own["items"]] == [mine]
        target = {"curator_id": str(anna.principal.staff_id)}
        rule = {"kind": "field", "field": "city", "op": "eq", "value": "КАЗАНЬ"}
        body = {"select": {"rule": rule, "text": None}, "to": target}
        tried = await head.post("/v1/assignments", json=body)
        assert (tried.json()["records"], tried.json()["unchanged"]) == (2, 1), tried.text
        assert tried.json()["request"]["select"] == {"rule": ["city"]}
        done = await head.post("/v1/assignments", json=body | {"dry_run": False})
        assert done.status_code == 201, done.text
        assert (await _preview(anna, RICH))["customers"] == 2
        assert (await anna.get(f"/v1/customers/{poor}")).status_code == 200

    in_the_api(database, scenario)


def test_a_bad_rule_in_a_selection_names_its_place_there(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        to = {"curator_id": str(head.principal.staff_id)}
        for select, pointer in (
            ({"rule": {"kind": "field", "field": "town", "op": "missing"}}, "/select/rule/field"),
            ({"rule": _deep(9)}, "/select/rule" + "/rule" * 8),
            ({"text": "town is missing"}, "/select/text"),
            ({"text": "city is"}, "/select/text"),
        ):
            answer = await head.post("/v1/assignments", json={"select": select, "to": to})
            problem = answer.json()
            assert answer.status_code == 422, answer.text
            assert pointer in (problem.get("pointer"), *(one["pointer"] for one in problem.get("errors", []))), problem

    in_the_api(database, scenario)
