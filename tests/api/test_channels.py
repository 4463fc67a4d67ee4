"""Channels over HTTP: costs are kept by administrators, and the report covers what the caller reaches."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_COST = {"from_on": "2026-03-01", "until_on": "2026-03-31", "amount": "3100"}


async def _channel(head: Client, code: str = "fair") -> str:
    answer = await head.post("/v1/channels", json={"code": code, "name": "Ярмарка", "kind": "advertising"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["channel_id"])


async def _customer(client: Client, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json={"family_name": "Иванова", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _order(client: Client, customer_id: str, total: str) -> None:
    order = {"customer_id": customer_id, "ordered_at": "2026-03-10T12:00:00+03:00", "total": total}
    assert (await client.post("/v1/orders", json=order)).status_code == 201


def test_costs_are_entered_listed_and_taken_away(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        path = f"/v1/channels/{await _channel(head)}/costs"
        made = []
        for amount in ("1", "2.5", "3"):
            answer = await head.post(path, json=_COST | {"amount": amount})
            assert answer.status_code == 201, answer.text
            made.append(answer.json())
        assert [one["amount"] for one in made] == ["1.00", "2.50", "3.00"]
        assert made[0]["currency"] == "RUB"
        page = (await head.get(f"{path}?limit=2")).json()
        assert page["items"] == [made[2], made[1]]
        rest = (await head.get(f"{path}?limit=2&cursor={page['next_cursor']}")).json()
        assert (rest["items"], rest["next_cursor"]) == ([made[0]], None)
        gone = f"{path}/{made[1]['cost_id']}"
        assert (await head.delete(gone)).status_code == 204
        again = await head.delete(gone)
        assert (again.status_code, again.json()["type"]) == (404, "/problems/channel-cost-not-found")
        assert (await head.get(path)).json()["items"] == [made[2], made[0]]

    in_the_api(database, scenario)


def test_the_same_key_enters_one_cost_even_at_once(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        path = f"/v1/channels/{await _channel(head)}/costs"
        first = await head.post(path, json=_COST, headers={"Idempotency-Key": "k"})
        again = await asyncio.gather(*(head.post(path, json=_COST, headers={"Idempotency-Key": "k"}) for _ in range(3)))
        assert {one.json().get("cost_id", first.json()["cost_id"]) for one in again} == {first.json()["cost_id"]}
        assert len((await head.get(path)).json()["items"]) == 1

    in_the_api(database, scenario)


def test_a_cost_that_can_not_be_is_refused_by_place(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        channel_id = await _channel(head)
        path = f"/v1/channels/{channel_id}/costs"
        for change, code in (
            ({"until_on": "2026-02-28"}, "period-reversed"),
            ({"amount": "0"}, "invalid-request"),
            ({"amount": "-5"}, "invalid-request"),
            ({"amount": "1.0000001"}, "invalid-request"),
            ({"amount": "9999999999999"}, "amount-too-precise"),
            ({"from_on": "0001-01-01"}, "invalid-request"),
            ({"currency": "rub"}, "invalid-request"),
            ({"color": "red"}, "invalid-request"),
        ):
            answer = await head.post(path, json=_COST | change)
            assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}"), answer.text
        missing = await head.post(f"/v1/channels/{uuid4()}/costs", json=_COST)
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/channel-not-found")
        missing = await head.get(f"/v1/channels/{uuid4()}/costs")
        assert missing.status_code == 404

    in_the_api(database, scenario)


def test_costs_are_for_those_who_reach_the_whole_tenant(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        path = f"/v1/channels/{await _channel(head)}/costs"
        cost_id = (await head.post(path, json=_COST)).json()["cost_id"]
        answers = [await anna.get(path), await anna.post(path, json=_COST), await anna.delete(f"{path}/{cost_id}")]
        assert {(one.status_code, one.json()["type"]) for one in answers} == {(403, "/problems/tenant-reach-needed")}

    in_the_api(database, scenario)


def test_the_report_sets_costs_against_what_came(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        fair, calls = await _channel(head), await _channel(head, "calls")
        await head.post(f"/v1/channels/{fair}/costs", json=_COST)
        await head.post(f"/v1/channels/{fair}/costs", json=_COST | {"currency": "EUR"})
        for amount in ("100", "50"):
            await _order(head, await _customer(head, channel_id=fair), amount)
        await _order(anna, await _customer(anna, channel_id=fair), "30.5")
        await _customer(head, channel_id=fair)
        await _order(head, await _customer(head), "7")
        whole = (await head.get("/v1/channels/report?from=2026-03-01&to=2026-03-15")).json()
        lines = {line["channel"]["code"] if line["channel"] else None: line for line in whole["items"]}
        assert list(lines) == ["calls", "fair", None]
        assert lines["fair"] == {
            "channel": {"channel_id": fair, "code": "fair", "name": "Ярмарка", "kind": "advertising"},
            "customers": 3,
            "prospects": 0,  # entered today, after the period
            "conversion": "1.0000",
            "revenue": "180.50",
            "value": "60.17",
            "cost": "1500.00",
            "acquisition_cost": "500.00",
        }
        assert lines["calls"]["customers"] == 0
        assert lines["calls"]["conversion"] is None
        assert lines[None]["revenue"] == "7.00"
        assert (whole["total"]["customers"], whole["total"]["cost"]) == (4, "1500.00")
        assert (whole["excluded_costs"], whole["reach"]) == (1, "tenant")
        ever = (await head.get("/v1/channels/report")).json()
        assert [line["prospects"] for line in ever["items"]] == [0, 1, 0]
        own = (await anna.get("/v1/channels/report")).json()
        assert [(line["customers"], line["cost"]) for line in own["items"]] == [(0, None), (1, None), (0, None)]
        assert (own["reach"], own["total"]["revenue"]) == ("own", "30.50")
        assert calls != fair

    in_the_api(database, scenario)


def test_a_period_turned_round_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.get("/v1/channels/report?from=2026-03-02&to=2026-03-01")
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/period-reversed")
        reader = await world.client(scopes=("customers:read",))
        assert (await reader.get("/v1/channels/report")).status_code == 403

    in_the_api(database, scenario)
