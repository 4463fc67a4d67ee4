"""Every change is told once, in an order that holds, and a transaction that commits late is not passed over."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest

from service.api.paging import encode
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_PATIENCE_S = 20


async def _read(client: Client, since: str | None, limit: int = 1000) -> dict[str, Any]:
    params = {"limit": str(limit)} | ({"since": since} if since else {})
    answer = await client.get("/v1/changes", params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def _follow(client: Client, wanted: int, since: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
    """Read on until so many changes are told; other transactions on the same server may hold them back a while."""
    items: list[dict[str, Any]] = []
    for _ in range(_PATIENCE_S * 20):
        page = await _read(client, since, limit)
        items += page["items"]
        since = page["next_since"]
        if len(items) >= wanted and not page["more"]:
            return items
        if not page["more"]:
            await asyncio.sleep(0.05)
    raise AssertionError(f"{len(items)} of {wanted} changes were told")


async def _customer(client: Client, name: str = "Иванова") -> str:
    answer = await client.post("/v1/customers", json={"family_name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


def test_changes_are_told_in_pages_and_from_where_one_stopped(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        ids = [await _customer(head) for _ in range(5)]
        order = {"customer_id": ids[0], "ordered_at": "2026-03-01T12:00:00+03:00", "total": "10"}
        assert (await head.post("/v1/orders", json=order)).status_code == 201
        whole = await _follow(head, 6)
        assert [(one["entity"], one["kind"]) for one in whole[:5]] == [("customer", "created")] * 5
        assert [one["customer_id"] for one in whole[:5]] == ids
        assert await _follow(head, 6, limit=2) == whole
        first = await _read(head, None, 4)
        assert first["more"]
        assert await _follow(head, len(whole) - 4, first["next_since"]) == whole[4:]

    in_the_api(database, scenario)


def test_now_begins_with_the_present(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await _customer(head)
        await _follow(head, 1)
        page = await _read(head, "now")
        assert (page["items"], page["more"]) == ([], False)
        assert (await head.delete(f"/v1/customers/{await _customer(head)}")).status_code == 204
        assert [one["kind"] for one in await _follow(head, 2, page["next_since"])] == ["created", "deleted"]

    in_the_api(database, scenario)


def test_a_transaction_that_commits_late_is_not_missed(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        late, early = UUID(await _customer(head)), UUID(await _customer(head))
        await _follow(head, 2)
        start = (await _read(head, "now"))["next_since"]
        async with world.tenant.uow.begin(head.principal) as slow:
            await slow.journal.changed("customer", "late", late, late)
            async with world.tenant.uow.begin(head.principal) as fast:
                await fast.journal.changed("customer", "early", early, early)
                await fast.commit()
            held = await _read(head, start)
            assert "early" not in {one["kind"] for one in held["items"]}
            await slow.commit()
        told = held["items"] + await _follow(head, 2, held["next_since"])
        assert [one["kind"] for one in told if one["kind"] != "created"] == ["late", "early"]

    in_the_api(database, scenario)


@pytest.mark.parametrize("seed", range(4))
def test_readers_between_all_steps_hear_of_each_change_once(database: TestDatabase, seed: int) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer_id = UUID(await _customer(head))
        await _follow(head, 1)
        since: str | None = (await _read(head, "now"))["next_since"]
        order = random.Random(seed)
        steps = [writer for writer in range(4) for _ in range(3)]
        order.shuffle(steps)
        told: list[str] = []
        left = {writer: steps.count(writer) for writer in range(4)}
        async with AsyncExitStack() as stack:
            writers: dict[int, Any] = {}
            for writer in steps:
                if writer not in writers:
                    writers[writer] = await stack.enter_async_context(world.tenant.uow.begin(head.principal))
                left[writer] -= 1
                await writers[writer].journal.changed("customer", f"{writer}.{left[writer]}", uuid4(), customer_id)
                if left[writer] == 0:
                    await writers[writer].commit()
                page = await _read(head, since, limit=2)
                told += [one["kind"] for one in page["items"]]
                since = page["next_since"]
        told += [one["kind"] for one in await _follow(head, 12 - len([x for x in told if x != "created"]), since)]
        assert sorted(one for one in told if one != "created") == sorted(f"{w}.{n}" for w in range(4) for n in range(3))

    in_the_api(database, scenario)


def test_only_what_is_in_reach_is_told(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        await _customer(head)
        mine = await _customer(anna)
        assert [one["customer_id"] for one in await _follow(anna, 1)] == [mine]
        reader = await world.client(scopes=("customers:read",))
        order = {"customer_id": mine, "ordered_at": "2026-03-01T12:00:00+03:00", "total": "10"}
        assert (await head.post("/v1/orders", json=order)).status_code == 201
        assert "order" in {one["entity"] for one in await _follow(head, 3)}
        assert "order" not in {one["entity"] for one in await _follow(reader, 2)}

    in_the_api(database, scenario)


def test_a_place_that_was_not_given_out_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for since in ("yesterday", "e30", "eyJ0IjotMSwibiI6MH0", "eyJ0IjoxZTMwLCJuIjowfQ", "eyJ0Ijp0cnVlLCJuIjowfQ"):
            answer = await head.get("/v1/changes", params={"since": since})
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bad-cursor"), since

    in_the_api(database, scenario)


def test_a_place_of_another_life_of_the_base_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.get("/v1/changes", params={"since": encode({"t": 2**62, "n": 0})})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/changes-place-unknown")

    in_the_api(database, scenario)
