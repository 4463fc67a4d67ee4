"""Saved segments over HTTP: they follow what is written, show what is in reach, and tell of past moments."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.segments import settled
from tests.support import a_tenant

KAZAN = 'city = "казань"'


async def _customer(client: Client, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json={"family_name": "Иванова", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _segment(client: Client, name: str, **fields: Any) -> str:
    answer = await client.post("/v1/segments", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["segment_id"])


async def _refresh(world: Api) -> None:
    await settled(world.tenant.uow, world.container.segments, world.tenant.tenant_id)


async def _members(client: Client, segment_id: str, **params: Any) -> set[str]:
    answer = await client.get(f"/v1/segments/{segment_id}/members", params=params)
    assert answer.status_code == 200, answer.text
    return {one["customer"]["customer_id"] for one in answer.json()["items"]}


def _fault(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_a_live_segment_follows_what_is_written(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, second = await _customer(head, city="Казань"), await _customer(head, city="Пермь")
        segment = await _segment(head, "Казань", text=KAZAN)
        made = (await head.get(f"/v1/segments/{segment}")).json()
        assert (made["state"], made["computed_at"], made["lag_seconds"], made["members"]) == ("building", None, None, 0)
        await _refresh(world)
        assert await _members(head, segment) == {first}
        before = datetime.now(UTC)
        await head.patch(f"/v1/customers/{first}", json={"city": "Пермь"})
        await head.patch(f"/v1/customers/{second}", json={"city": "КАЗАНЬ"})
        waiting = (await head.get(f"/v1/segments/{segment}")).json()
        assert waiting["lag_seconds"] > 0
        assert waiting["members"] == 1
        await _refresh(world)
        assert await _members(head, segment) == {second}
        assert await _members(head, segment, as_of=before.isoformat()) == {first}
        assert await _members(head, segment, as_of="2020-01-01T00:00:00Z") == set()
        now = (await head.get(f"/v1/segments/{segment}")).json()
        assert (now["state"], now["lag_seconds"], now["members"], now["text"]) == ("ready", 0, 1, KAZAN)
        day = (await head.get(f"/v1/segments/{segment}/history")).json()["items"][-1]
        assert (day["entered"], day["left"], day["members"]) == (2, 1, 1)
        changes = (await head.get("/v1/changes")).json()["items"]
        told = [(one["kind"], one["customer_id"]) for one in changes if one["entity"] == "segment"]
        assert sorted(told) == sorted([("left", first), ("entered", second)])
        listed = (await head.get("/v1/customers", params={"segment_id": segment, "count": "exact"})).json()
        assert (listed["count"], listed["items"][0]["customer_id"]) == (1, second)

    in_the_api(database, scenario)


def test_members_and_counts_are_those_of_the_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        mine = await _customer(anna, city="Казань", contacts=[{"kind": "phone", "value": "+79161234567"}])
        theirs = await _customer(head, city="Казань")
        segment = await _segment(anna, "Казань", text=KAZAN)
        await _refresh(world)
        assert await _members(head, segment) == {mine, theirs}
        assert await _members(anna, segment) == {mine}
        page = (await anna.get(f"/v1/segments/{segment}/members")).text
        assert "9161234567" not in page
        assert (await anna.get(f"/v1/segments/{segment}")).json()["members"] == 1
        assert (await anna.get(f"/v1/segments/{segment}/history")).json()["items"][-1]["members"] == 1
        assert (await anna.post("/v1/segments/overlap", json={"segment_ids": [segment]})).json()["union"] == 1
        assert (await head.post("/v1/segments/overlap", json={"segment_ids": [segment]})).json()["union"] == 2
        rule = {"text": f'segment has any ("{segment}")'}
        assert (await anna.post("/v1/segments/preview", json=rule)).json()["customers"] == 1
        frozen = await anna.post(f"/v1/segments/{segment}/freeze", json={"name": "Мои"})
        assert (frozen.status_code, frozen.json()["members"]) == (201, 1)
        assert await _members(head, frozen.json()["segment_id"]) == {mine}
        listed = await _segment(anna, "Список", customer_ids=[mine, theirs, str(uuid4())])
        assert await _members(head, listed) == {mine}
        explained = await anna.get(f"/v1/segments/{segment}/explain/{theirs}")
        assert _fault(explained) == (404, "customer-not-found")
        alien = world.client_of(await (await _another_tenant(world)).staff())
        assert _fault(await alien.get(f"/v1/segments/{segment}")) == (404, "segment-not-found")
        narrow = world.client_of(head.principal, scopes=("customers:read", "reach:tenant"))
        assert _fault(await narrow.get("/v1/customers", params={"segment_id": segment})) == (403, "missing-scope")

    in_the_api(database, scenario)


async def _another_tenant(world: Api) -> Any:
    return await a_tenant(world.container.pool, world.database.owner_url, world.database.service_url)


def test_segments_are_built_on_segments_and_never_on_themselves(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        vip, plain = await _customer(head, city="Казань", tags=["vip"]), await _customer(head, city="Казань")
        friends = await _segment(head, "Друзья", customer_ids=[plain])
        kazan = await _segment(head, "Казань", text=KAZAN)
        both = await _segment(head, "Друзья в Казани", text=f'segment has all ("{kazan}", "{friends}")')
        rest = await _segment(
            head, "Без друзей", text=f'segment has any ("{kazan}") and not segment has any ("{both}")'
        )
        await _refresh(world)
        assert await _members(head, both) == {plain}
        assert await _members(head, rest) == {vip}
        edited = await head.post(f"/v1/segments/{friends}/members", json={"add": [vip], "remove": [plain]})
        assert (edited.json()["added"], edited.json()["removed"]) == (1, 1)
        await _refresh(world)
        assert await _members(head, both) == {vip}
        assert await _members(head, rest) == {plain}
        await head.patch(f"/v1/segments/{kazan}", json={"text": "tags is missing"})
        await _refresh(world)
        assert (await _members(head, kazan), await _members(head, both)) == ({plain}, set())
        await head.patch(f"/v1/segments/{kazan}", json={"text": KAZAN})
        await _refresh(world)
        assert await _members(head, both) == {vip}
        cycle = await head.patch(f"/v1/segments/{kazan}", json={"text": f'{KAZAN} or segment has any ("{rest}")'})
        assert _fault(cycle) == (422, "segment-cycle")
        assert (cycle.json()["line"], cycle.json()["column"]) == (1, 20)
        rule = {"kind": "field", "field": "segment", "op": "has_any", "value": [friends, kazan]}
        itself = await head.patch(f"/v1/segments/{kazan}", json={"rule": {"kind": "not", "rule": rule}})
        assert (_fault(itself), itself.json()["pointer"]) == ((422, "segment-cycle"), "/rule/rule/value/1")
        unknown = await head.post("/v1/segments", json={"name": "?", "rule": rule | {"value": [str(uuid4())]}})
        assert (_fault(unknown), unknown.json()["pointer"]) == ((422, "bad-rule"), "/rule/value/0")
        assert _fault(await head.delete(f"/v1/segments/{kazan}")) == (409, "segment-in-use")
        assert (await head.delete(f"/v1/segments/{rest}")).status_code == 204
        compared = (await head.post("/v1/segments/overlap", json={"segment_ids": [kazan, friends]})).json()
        pairs = {(one["segment_id"], one["other_id"]): one["customers"] for one in compared["pairs"]}
        assert pairs == {(kazan, kazan): 2, (kazan, friends): 1, (friends, kazan): 1, (friends, friends): 1}
        assert (compared["union"], compared["intersection"]) == (2, 1)
        assert compared["only"] == {kazan: 1, friends: 0}

    in_the_api(database, scenario)


def test_a_segment_is_changed_once_and_by_who_has_read_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await _customer(head, city="Пермь")
        once = {"Idempotency-Key": "one"}
        body = {"name": "Казань", "text": KAZAN}
        first, again = [await head.post("/v1/segments", json=body, headers=once) for _ in range(2)]
        assert first.json()["segment_id"] == again.json()["segment_id"]
        segment = first.json()["segment_id"]
        await _refresh(world)
        stale = await head.patch(f"/v1/segments/{segment}", json={"name": "x"}, headers={"If-Match": '"9"'})
        assert _fault(stale) == (412, "version-mismatch")
        changed = await head.patch(
            f"/v1/segments/{segment}", json={"text": 'city = "Пермь"'}, headers={"If-Match": first.headers["etag"]}
        )
        assert (changed.status_code, changed.json()["state"], changed.headers["etag"]) == (200, "building", '"2"')
        await _refresh(world)
        assert await _members(head, segment) == {customer}
        explained = (await head.get(f"/v1/segments/{segment}/explain/{customer}")).json()
        assert (explained["member"], explained["meant"], explained["clauses"][0]["met"]) == (True, True, True)
        taken = await head.post("/v1/segments", json={"name": "Казань"})
        assert _fault(taken) == (409, "name-taken")
        assert _fault(await head.post(f"/v1/segments/{segment}/members", json={"add": [customer]})) == (
            409,
            "segment-not-static",
        )
        frozen = (await head.post(f"/v1/segments/{segment}/freeze", json={"name": "Снимок"})).json()
        await head.patch(f"/v1/customers/{customer}", json={"city": "Казань"})
        await _refresh(world)
        assert await _members(head, segment) == set()
        assert await _members(head, frozen["segment_id"]) == {customer}
        assert _fault(await head.patch(f"/v1/segments/{frozen['segment_id']}", json={"text": KAZAN})) == (
            409,
            "segment-not-live",
        )
        names = [one["name"] for one in (await head.get("/v1/segments")).json()["items"]]
        assert names == ["Казань", "Снимок"]
        page = (await head.get("/v1/segments", params={"limit": 1})).json()
        further = await head.get("/v1/segments", params={"cursor": page["next_cursor"]})
        assert [one["name"] for one in further.json()["items"]] == ["Снимок"]

    in_the_api(database, scenario)


def test_a_rule_whose_field_was_taken_away_is_told_as_broken(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await head.post("/v1/attributes", json={"name": "cups", "kind": "number", "label": "Cups"})
        segment = await _segment(head, "Чашки", text="attributes.cups > 2")
        kept = await _segment(head, "Казань", text=KAZAN)
        await head.delete("/v1/attributes/cups")
        await _refresh(world)
        assert (await head.get(f"/v1/segments/{segment}")).json()["state"] == "broken"
        assert (await head.get(f"/v1/segments/{kept}")).json()["state"] == "ready"

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/segments", {"name": "x", "text": KAZAN, "customer_ids": [str(uuid4())]}),
        ("POST", "/v1/segments", {"name": "x\x00"}),
        ("POST", "/v1/segments", {"name": "x", "text": "nonsense = 1"}),
        ("POST", "/v1/segments", {"name": "x", "text": 'segment has any ("me")'}),
        ("POST", "/v1/segments/overlap", {"segment_ids": []}),
        ("POST", "/v1/segments/overlap", {"segment_ids": [str(uuid4())] * 11}),
    ],
)
def test_bad_segments_are_refused(database: TestDatabase, method: str, path: str, body: dict[str, Any]) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.request(method, path, json=body)
        assert answer.status_code == 422, answer.text

    in_the_api(database, scenario)
