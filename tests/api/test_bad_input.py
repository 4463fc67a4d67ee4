"""Whatever is sent, the answer is a problem document that names the place, or the value comes back as it was sent."""

import json
from typing import Any

import pytest

from tests.api.support import Api, in_the_api
from tests.api.test_customers import PERSON, make, problem
from tests.postgres import TestDatabase
from tests.shared_data import shared_data

_JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'kind': 'person'}",
        b'{"kind": "person",}',
        b"\xff\xfe\x00",
        b'"\xc3\x28"',
        b"[" * 100_000,
        b'{"attributes": ' * 50_000,
        b'{"attributes": {"x": NaN}, "family_name": "x", "kind": "person"}',
        b'{"attributes": {"x": ' + b"9" * 5000 + b'}, "family_name": "x"}',
        b"nul",
    ],
    ids=range(11),
)
def test_what_is_no_json_is_refused(database: TestDatabase, body: bytes) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for path in ("/v1/customers", "/v1/orders", "/v1/customers/batch", "/v1/customers/search"):
            status, code = problem(await head.post(path, content=body, headers=_JSON))
            assert (status, code in ("malformed-body", "invalid-request")) == (422, True)

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"nickname": "x"}, "/nickname"),
        ({"a/b~c": "x"}, "/a~1b~0c"),
        ({"\ud800": "x"}, ""),
        ({"city": 5}, "/city"),
        ({"city": ["x"]}, "/city"),
        ({"city": ""}, "/city"),
        ({"city": "x" * 201}, "/city"),
        ({"city": "a\x00b"}, "/city"),
        ({"city": "a\ud800b"}, "/city"),
        ({"kind": "robot"}, "/kind"),
        ({"birth_date": "1990-02-30"}, "/birth_date"),
        ({"birth_date": "01.02.1990"}, "/birth_date"),
        ({"birth_date": "--02-30"}, "/birth_date"),
        ({"time_zone": "Moscow"}, "/time_zone"),
        ({"preferences": ["x" * 201]}, "/preferences/0"),
        ({"curator_id": "me"}, "/curator_id"),
        ({"language": "Russian!"}, "/language"),
        ({"tags": "vip"}, "/tags"),
        ({"tags": ["x"] * 51}, "/tags"),
        ({"tags": ["ok", "a\x00b"]}, "/tags/1"),
        ({"attributes": []}, "/attributes"),
        ({"attributes": {"x": "a\x00b"}}, "/attributes"),
        ({"attributes": {"a\ud800": 1}}, "/attributes"),
        ({"attributes": {"x": 2**63}}, "/attributes"),
        ({"attributes": {"x": -(10**400)}}, "/attributes"),
        ({"attributes": {str(i): i for i in range(101)}}, "/attributes"),
        ({"attributes": json.loads('{"a":' * 30 + "1" + "}" * 30)}, "/attributes"),
        ({"external_ids": [{"external_id": ""}]}, "/external_ids/0/external_id"),
        ({"external_ids": [{"external_id": "a\x00"}]}, "/external_ids/0/external_id"),
        ({"external_ids": [{"external_id": "a", "source": "x" * 61}]}, "/external_ids/0/source"),
        ({"contacts": [{"kind": "fax", "value": "1"}]}, "/contacts/0/kind"),
        ({"contacts": [{"kind": "phone", "value": "+7\x00"}]}, None),
        ({"contacts": [{"kind": "phone"}]}, "/contacts/0/value"),
        ({"contacts": [{"kind": "street", "value": "\ud800\ud800\ud800"}]}, None),
        ({"contacts": [{"kind": "email", "value": "a@b.ru", "label": "\x00"}]}, "/contacts/0/label"),
    ],
    ids=range(35),
)
def test_a_value_that_cannot_be_kept_is_named(database: TestDatabase, fields: dict[str, Any], pointer: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        body = json.dumps(PERSON | fields)
        answer = await head.post("/v1/customers", content=body, headers=_JSON)
        status, code = problem(answer)
        assert status == 422, answer.text
        if pointer is not None:
            assert code == "invalid-request"
            assert pointer in [error["pointer"] for error in answer.json()["errors"]]
        path = f"/v1/customers/{(await make(head))['customer_id']}"
        assert problem(await head.patch(path, content=json.dumps(fields), headers=_JSON))[0] == 422
        item = await head.post("/v1/customers/batch", content=json.dumps({"items": [PERSON | fields]}), headers=_JSON)
        assert item.status_code == 422 or item.json()["refused"] == 1

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ({"sku": "a\x00"}, "/lines/0/sku"),
        ({"sku": "\ud800"}, "/lines/0/sku"),
        ({"quantity": "many"}, "/lines/0/quantity"),
        ({"quantity": "1e400"}, "/lines/0/quantity"),
        ({"quantity": 10**30}, "/lines/0/quantity"),
        ({"quantity": "0.0000001"}, "/lines/0/quantity"),
        ({"unit_price": True}, "/lines/0/unit_price"),
        ({"unit_price": "-Infinity"}, "/lines/0/unit_price"),
        ({"unit_price": {"amount": 1}}, "/lines/0/unit_price"),
        ({"product": ""}, "/lines/0/product"),
        ({"discount": 1}, "/lines/0/discount"),
    ],
    ids=range(11),
)
def test_a_line_that_cannot_be_kept_is_named(database: TestDatabase, line: dict[str, Any], pointer: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        good = {"sku": "TEA", "quantity": "1", "unit_price": "1"}
        body = {"customer_id": customer["customer_id"], "ordered_at": "2026-03-01T12:00:00", "lines": [good | line]}
        answer = await head.post("/v1/orders", content=json.dumps(body), headers=_JSON)
        assert problem(answer) == (422, "invalid-request")
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
        batch = await head.post("/v1/orders/batch", content=json.dumps({"items": [body]}), headers=_JSON)
        assert batch.status_code == 422 or batch.json()["refused"] == 1

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=ten",
        "limit=1e2",
        "sort=city",
        "status=gone",
        "kind=robot",
        "curator_id=me",
        "count=roughly",
        "cursor=",
        "cursor=%00",
        "cursor=e30",
        "cursor=ё",
        "cursor=eyJhZnRlcl9pZCI6MX0",
        "cursor=eyJhZnRlcl9pZCI6IngifQ",
        "cursor=" + "x" * 1001,
        "sort=name&cursor=eyJhZnRlcl9pZCI6IjAxODkwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMCJ9",
        "city=%00",
        "tag=%00",
        "unknown=1",
        "q=" + "x" * 201,
    ],
)
def test_a_list_refuses_what_it_does_not_know(database: TestDatabase, query: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        assert problem(await head.get(f"/v1/customers?{query}"))[0] == 422

    in_the_api(database, scenario)


def test_words_of_any_kind_are_no_error(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await make(head)
        for q in ("%00", "%25", "%5C%27--", "%F0%9F%98%80", "%ED%A0%80", "'%20OR%201=1", "a" * 200, "b%20" * 66):
            answer = await head.get(f"/v1/customers?q={q}")
            assert answer.status_code == 200, (q, answer.text)
        for query in ("since=yesterday", "since=0001-01-01T00:00:00%2B14:00", "currency=rub", "external_id=%00"):
            assert problem(await head.get(f"/v1/orders?{query}"))[0] == 422, query

    in_the_api(database, scenario)


def test_a_path_that_names_nothing_is_a_problem_too(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for method, path, expected in (
            ("GET", "/v1/customers/me", (404, "customer-not-found")),
            ("GET", "/v1/customers/%00", (404, "customer-not-found")),
            ("GET", "/v1/orders/1", (404, "order-not-found")),
            ("GET", "/v1/nothing", (404, "no-such-path")),
            ("GET", "/v1", (404, "no-such-path")),
            ("PUT", "/v1/customers", (405, "method-not-allowed")),
            ("PUT", "/v1/customers/by-external-id/", (422, "invalid-request")),
        ):
            assert problem(await head.request(method, path, json=PERSON)) == expected, path
        for method in ("PATCH", "DELETE"):
            assert problem(await head.request(method, "/v1/customers/me", json=PERSON))[0] in (404, 422)

    in_the_api(database, scenario)


def test_a_body_that_is_too_large_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()

        async def endless() -> Any:
            for _ in range(40):
                yield b" " * 1024**2

        for content in (b" " * (32 * 1024**2 + 1), endless()):
            answer = await head.post("/v1/customers", content=content, headers=_JSON)
            assert problem(answer) == (413, "too-large")

    in_the_api(database, scenario)


def test_a_body_of_another_kind_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
            answer = await head.post("/v1/customers", content=json.dumps(PERSON), headers={"Content-Type": kind})
            assert problem(answer)[0] == 422

    in_the_api(database, scenario)


def test_naughty_strings_come_back_as_they_were_sent_or_are_refused(database: TestDatabase) -> None:
    strings = json.loads(shared_data("C_validity/blns.json").read_text(encoding="utf-8"))

    async def scenario(world: Api) -> None:
        head = await world.client()
        items = [
            {
                "kind": "organisation",
                "legal_name": text,
                "tags": [text],
                "attributes": {"text": text, text: [text]},
                "external_ids": [{"source": "naughty", "external_id": f"{index}:{text}"}],
            }
            for index, text in enumerate(strings)
        ]
        results = (await head.post("/v1/customers/batch", json={"items": items})).json()["items"]
        stored: dict[str, Any] = {}
        more = ""
        while more is not None:
            page = (await head.get(f"/v1/customers?limit=200{more and '&cursor='}{more}")).json()
            stored |= {one["customer_id"]: one for one in page["items"]}
            more = page["next_cursor"]
        written = 0
        for text, item, result in zip(strings, items, results, strict=True):
            if result["outcome"] == "refused":
                # What is empty but for blanks, too long, or can't be stored at all.
                assert not text.strip() or len(text) > 180 or "\x00" in text, (text, result)
                continue
            written += 1
            one = stored[result["customer_id"]]
            assert one["attributes"] == item["attributes"]
            assert one["external_ids"] == item["external_ids"]
            assert (one["legal_name"], one["tags"]) == (text, [text])
        assert written > 450

    in_the_api(database, scenario)


def test_naughty_strings_as_orders_and_words_are_answered(database: TestDatabase) -> None:
    strings = json.loads(shared_data("C_validity/blns.json").read_text(encoding="utf-8"))

    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        items = [
            {
                "customer_id": customer["customer_id"],
                "ordered_at": "2026-03-01T12:00:00",
                "external_id": text,
                "lines": [{"sku": text, "product": text, "quantity": "1", "unit_price": "1"}],
            }
            for text in strings
        ]
        results = (await head.post("/v1/orders/batch", json={"items": items})).json()["items"]
        kept = [(text, one["order_id"]) for text, one in zip(strings, results, strict=True) if one["order_id"]]
        assert len(kept) > 440
        for text, order_id in kept[::10]:
            order = (await head.get(f"/v1/orders/{order_id}")).json()
            assert order["external_id"] == text
            assert (order["lines"][0]["sku"], order["lines"][0]["product"]) == (text, text.strip())
        for text in strings[::6]:
            for answer in (
                await head.get("/v1/customers", params={"q": text[:200]}),
                await head.post("/v1/customers/search", json={"q": text[:200], "city": text[:200] or "x"}),
                await head.get("/v1/orders", params={"external_id": text[:200] or "x"}),
            ):
                assert answer.status_code == 200 or problem(answer)[0] == 422, text

    in_the_api(database, scenario)
