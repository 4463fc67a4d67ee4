"""Many records at once, and requests sent twice: each item has its answer, and each key has its effect once."""

import asyncio
import json
from typing import Any

from service.domain.access import Principal
from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import PERSON, make, problem
from tests.postgres import TestDatabase


def _person(number: int, **fields: Any) -> dict[str, Any]:
    return (
        {"kind": "person", "family_name": f"Иванова {number}"}
        | fields
        | {"external_ids": [{"source": "shop", "external_id": f"C-{number}"}]}
    )


def _order(number: int, customer: int, **fields: Any) -> dict[str, Any]:
    return {
        "source": "shop",
        "external_id": f"A-{number}",
        "customer_source": "shop",
        "customer_external_id": f"C-{customer}",
        "ordered_at": "2026-03-01T12:00:00",
        "total": "10",
    } | fields


def outcomes(answer: Any) -> list[tuple[str, str | None]]:
    """Outcome and code of each item, in order; the counts must agree with them."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [item["index"] for item in body["items"]] == list(range(len(body["items"])))
    for name in ("created", "updated", "refused"):
        assert body[name] == sum(item["outcome"] == name for item in body["items"])
    codes = [item["problem"] and item["problem"]["type"].removeprefix("/problems/") for item in body["items"]]
    return [(item["outcome"], code) for item, code in zip(body["items"], codes, strict=True)]


async def _count(client: Client, path: str = "/v1/customers") -> int:
    return int((await client.get(path, params={"count": "exact", "limit": 1})).json()["count"])


def test_good_items_are_written_and_the_others_say_why(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await head.post("/v1/customers/batch", json={"items": [_person(1, city="Казань")]})
        items = [
            _person(1, city="Москва"),
            _person(2),
            {"kind": "person"},
            _person(2, city="Пермь"),
            _person(3, contacts=[{"kind": "phone", "value": "12"}]),
            _person(4, nickname="x"),
            {"kind": "person", "family_name": "Без номера"},
        ]
        answer = await head.post("/v1/customers/batch", json={"items": items})
        assert outcomes(answer) == [
            ("updated", None),
            ("created", None),
            ("refused", "name-missing"),
            ("refused", "repeated-in-batch"),
            ("refused", "invalid-phone"),
            ("refused", "invalid-request"),
            ("created", None),
        ]
        assert answer.json()["items"][5]["problem"]["errors"][0]["pointer"] == "/items/5/nickname"
        cities = {(one["display_name"], one["city"]) for one in (await head.get("/v1/customers")).json()["items"]}
        assert cities == {("Иванова 1", "Москва"), ("Иванова 2", None), ("Без номера", None)}

    in_the_api(database, scenario)


def test_an_atomic_batch_is_all_or_none(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        refused = await head.post("/v1/customers/batch?atomic=true", json={"items": [_person(1), {"kind": "person"}]})
        assert outcomes(refused) == [("skipped", None), ("refused", "name-missing")]
        assert await _count(head) == 0
        written = await head.post("/v1/customers/batch?atomic=true", json={"items": [_person(1), _person(2)]})
        assert outcomes(written) == [("created", None)] * 2
        bad = [_order(1, 1), _order(2, 99)]
        orders = await head.post("/v1/orders/batch?atomic=true", json={"items": bad})
        assert outcomes(orders) == [("skipped", None), ("refused", "customer-not-found")]
        assert await _count(head, "/v1/orders") == 0

    in_the_api(database, scenario)


def test_a_batch_takes_ten_thousand_items_and_not_one_more(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        items = [_person(number) for number in range(10_000)]
        answer = await head.post("/v1/customers/batch", json={"items": items}, timeout=60)
        assert answer.json()["created"] == 10_000
        assert await _count(head) == 10_000
        orders = [_order(number, number) for number in range(10_000)]
        answer = await head.post("/v1/orders/batch", json={"items": orders}, timeout=60)
        assert answer.json()["created"] == 10_000
        for path in ("/v1/customers/batch", "/v1/orders/batch"):
            for wrong in ([*items, _person(1)], []):
                assert problem(await head.post(path, json={"items": wrong})) == (422, "invalid-request")

    in_the_api(database, scenario)


def test_ids_of_records_out_of_reach_are_refused_item_by_item(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for reach in ("own", "team"):
            anna = await world.client(reach=reach, teams=(f"Team {reach}",))
            prefix = {"own": 100, "team": 200}[reach]
            theirs, mine, fresh = (_person(prefix + number) for number in range(3))
            await head.post("/v1/customers/batch", json={"items": [theirs]})
            await anna.post("/v1/customers/batch", json={"items": [mine]})
            two_ids = _person(prefix + 3)
            two_ids["external_ids"] += theirs["external_ids"]
            also_theirs = mine | {"city": "Омск", "external_ids": mine["external_ids"] + theirs["external_ids"]}
            answer = await anna.post("/v1/customers/batch", json={"items": [theirs, fresh]})
            assert outcomes(answer) == [("refused", "external-id-taken"), ("created", None)]
            assert answer.json()["items"][0]["customer_id"] is None
            answer = await anna.post("/v1/customers/batch", json={"items": [two_ids, also_theirs]})
            assert outcomes(answer) == [("refused", "external-id-taken")] * 2
            seen = (await anna.get("/v1/customers")).json()["items"]
            assert sorted((one["display_name"], one["city"]) for one in seen) == [
                (mine["family_name"], None),
                (fresh["family_name"], None),
            ]
            # The id that the refused item would have got besides is still to be had.
            assert outcomes(await anna.post("/v1/customers/batch", json={"items": [_person(prefix + 3)]})) == [
                ("created", None)
            ]
            assert problem(await anna.post("/v1/customers", json=theirs)) == (409, "external-id-taken")
            put = await anna.put(f"/v1/customers/by-external-id/C-{prefix}?source=shop", json=PERSON)
            assert problem(put) == (409, "external-id-taken")
            assert "customer_id" not in put.text

    in_the_api(database, scenario)


def test_an_import_leaves_ids_out_of_reach_to_their_records(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach="own")
        await head.post("/v1/customers/batch", json={"items": [_person(1)]})
        mapping = {"kind": "customers", "columns": {"external_id": "no", "family_name": "name"}}
        form = {"kind": "customers", "mapping": json.dumps(mapping), "source": "shop"}
        file = {"file": ("customers.csv", b"no,name\nC-1,Stolen\nC-2,Petrova\n")}
        started = await anna.post("/v1/imports", files=file, data=form)
        assert started.status_code == 202, started.text
        assert await world.run_jobs() == 1
        card = (await anna.get(f"/v1/imports/{started.json()['import_id']}")).json()
        assert (card["state"], card["rows_applied"], card["rows_rejected"]) == ("done", 1, 1), card
        rejects = (await anna.get(f"/v1/imports/{card['import_id']}/rejects")).text
        assert "external-id-taken" in rejects
        names = {one["display_name"] for one in (await head.get("/v1/customers")).json()["items"]}
        assert names == {"Иванова 1", "Petrova"}

    in_the_api(database, scenario)


def test_order_ids_out_of_reach_are_refused_item_by_item(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach="own")
        await head.post("/v1/customers/batch", json={"items": [_person(1)]})
        await anna.post("/v1/customers/batch", json={"items": [_person(2)]})
        await head.post("/v1/orders/batch", json={"items": [_order(1, 1)]})
        items = [_order(1, 2), _order(2, 2), _order(3, 1), _order(2, 2)]
        answer = await anna.post("/v1/orders/batch", json={"items": items})
        assert outcomes(answer) == [
            ("refused", "order-id-taken"),
            ("created", None),
            ("refused", "customer-not-found"),
            ("refused", "order-id-taken"),
        ]
        assert await _count(anna, "/v1/orders") == 1
        put = {name: value for name, value in _order(1, 2).items() if name != "external_id"}
        assert problem(await anna.put("/v1/orders/by-external-id/A-1", json=put)) == (409, "order-id-taken")
        assert problem(await anna.post("/v1/orders", json=_order(1, 2))) == (409, "order-id-taken")
        assert (await head.get("/v1/orders?external_id=A-1")).json()["items"][0]["total"] == "10.00"

    in_the_api(database, scenario)


def test_the_same_key_and_body_give_the_same_answer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await make(head)
        order = {"customer_id": customer["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "5"}
        order_id = (await head.post("/v1/orders", json=order)).json()["order_id"]
        requests: list[tuple[str, dict[str, Any]]] = [
            ("/v1/customers", PERSON),
            ("/v1/orders", order),
            (f"/v1/orders/{order_id}/refunds", {"amount": "1"}),
            ("/v1/customers/batch", {"items": [_person(1), {"kind": "person"}, _person(1)]}),
            ("/v1/orders/batch", {"items": [_order(1, 1), _order(2, 77), {"total": "x"}]}),
        ]
        for path, body in requests:
            key = {"Idempotency-Key": "the same key everywhere"}
            first, second = [await head.post(path, json=body, headers=key) for _ in range(2)]
            assert first.is_success, first.text
            assert (second.status_code, second.json()) == (first.status_code, first.json()), path
            assert second.headers.get("location") == first.headers.get("location")
            assert problem(await head.post(path, json=body | {"x": 1}, headers=key))[0] == 422
        assert await _count(head) == 3
        assert await _count(head, "/v1/orders") == 3

    in_the_api(database, scenario)


def test_a_key_with_another_body_is_refused_and_belongs_to_its_owner_and_path(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, other = await world.client(), await world.client()
        key = {"Idempotency-Key": "k-1"}
        first = await head.post("/v1/customers", json=PERSON, headers=key)
        changed = await head.post("/v1/customers", json=PERSON | {"city": "Омск"}, headers=key)
        assert problem(changed) == (422, "idempotency-key-reused")
        theirs = await other.post("/v1/customers", json=PERSON | {"city": "Омск"}, headers=key)
        assert theirs.json()["customer_id"] != first.json()["customer_id"]
        elsewhere = await head.post("/v1/customers/batch", json={"items": [PERSON]}, headers=key)
        assert elsewhere.json()["created"] == 1
        for wrong in (b"", b"x" * 256, "ключ".encode(), b"a\tb"):
            refused = await head.post("/v1/customers", json=PERSON, headers={b"Idempotency-Key": wrong})
            assert problem(refused) == (422, "bad-idempotency-key"), wrong

    in_the_api(database, scenario)


def test_a_refused_request_does_not_use_up_its_key(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        key = {"Idempotency-Key": "k-1"}
        ids = {"external_ids": [{"external_id": "C-1"}]}
        await make(head, **ids)
        assert problem(await head.post("/v1/customers", json=PERSON | ids, headers=key)) == (409, "external-id-taken")
        assert (await head.post("/v1/customers", json=PERSON, headers=key)).status_code == 201

    in_the_api(database, scenario)


def test_a_request_in_flight_is_not_done_twice(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        async with world.tenant.uow.begin(head.principal) as tx:
            # What the first request holds while it is being carried out.
            name = _lock_name(head.principal, "/v1/customers", "k-1")
            await tx.session.connection.fetchval("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
            second = await head.post("/v1/customers", json=PERSON, headers={"Idempotency-Key": "k-1"})
            assert problem(second) == (409, "request-in-flight")
        assert (await head.post("/v1/customers", json=PERSON, headers={"Idempotency-Key": "k-1"})).status_code == 201

    in_the_api(database, scenario)


def _lock_name(principal: Principal, path: str, key: str) -> str:
    return f"{principal.tenant_id}:{principal.staff_id}:POST:{path}:{key}"


def test_twenty_requests_at_once_make_one_record(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        body = PERSON | {"external_ids": [{"external_id": "C-1"}]}
        answers = await asyncio.gather(
            *(head.post("/v1/customers", json=body, headers={"Idempotency-Key": "k-1"}) for _ in range(20))
        )
        made = {answer.json()["customer_id"] for answer in answers if answer.status_code == 201}
        assert len(made) == 1
        for answer in answers:
            assert answer.status_code == 201 or problem(answer) == (409, "request-in-flight")
        last = await head.post("/v1/customers", json=body, headers={"Idempotency-Key": "k-1"})
        assert last.json()["customer_id"] in made
        assert await _count(head) == 1

    in_the_api(database, scenario)
