"""Snapshots of ABC and XYZ: rules ask for the latest, segments follow it, the nights go on as it was made."""

from datetime import date
from typing import Any

from service.domain.segmentation.abc_service import AbcService
from service.domain.segmentation.rfm_keeping import Night, RfmService
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.segments import Noon, settled


async def _made(client: Client, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _buyer(client: Client, total: str) -> str:
    customer = await _made(client, "customers", family_name="Иванова")
    await _order(client, customer["customer_id"], total)
    return str(customer["customer_id"])


async def _order(client: Client, customer_id: str, total: str) -> None:
    await _made(
        client, "orders", customer_id=customer_id, ordered_at="2026-03-01T12:00:00", status="completed", total=total
    )


async def _meant(client: Client, text: str) -> int:
    answer = await client.post("/v1/segments/preview", json={"text": text})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["customers"])


def test_rules_ask_for_the_classes_of_the_latest_snapshot(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        await _buyer(anna, "800")
        await _buyer(head, "150")
        await _buyer(head, "50")
        assert await _meant(head, "abc.class is missing") == 3
        taken = await _made(head, "abc/snapshots", as_of="2026-03-02")
        assert (taken["customers"], taken["borders"], taken["by"]) == (3, [80, 95], "revenue")
        assert [await _meant(head, f'abc.class = "{name}"') for name in "ABC"] == [1, 1, 1]
        assert [await _meant(anna, f'abc.class = "{name}"') for name in "ABC"] == [1, 0, 0]
        assert await _meant(head, 'abc.xyz = "too_short"') == 3
        await _made(head, "abc/snapshots", as_of="2026-03-02", borders=[10, 20])
        assert [await _meant(head, f'abc.class = "{name}"') for name in "ABC"] == [1, 0, 2]
        listed = (await anna.get("/v1/abc/snapshots")).json()["items"]
        assert [(one["borders"], one["customers"]) for one in listed] == [([10, 20], None), ([80, 95], None)]
        refused = await anna.post("/v1/abc/snapshots", json={})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/tenant-reach-needed")
        bad = await head.post("/v1/abc/snapshots", json={"borders": [90, 80]})
        assert (bad.status_code, bad.json()["type"]) == (422, "/problems/abc-borders-invalid")

    in_the_api(database, scenario)


def test_a_segment_follows_classes_into_a_new_snapshot(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()

        async def members(segment: dict[str, Any]) -> set[str]:
            await settled(world.tenant.uow, world.container.segments, world.tenant.tenant_id)
            items = (await head.get(f"/v1/segments/{segment['segment_id']}/members")).json()["items"]
            return {one["customer"]["customer_id"] for one in items}

        first, second = await _buyer(head, "800"), await _buyer(head, "100")
        best = await _made(head, "segments", name="best", text='abc.class = "A"')
        top = await _made(head, "segments", name="top", text="rfm.m = 5")
        assert await members(best) == await members(top) == set()
        await _made(head, "abc/snapshots", as_of="2026-03-02")
        await _made(head, "rfm/snapshots", as_of="2026-03-02")
        assert await members(best) == await members(top) == {first}
        await _order(head, second, "10000")  # tells of the second alone, and moves no class yet
        assert await members(best) == await members(top) == {first}
        await _made(head, "abc/snapshots", as_of="2026-03-02")
        assert await members(best) == {second}
        assert await members(top) == {first}
        await _made(head, "rfm/snapshots", as_of="2026-03-02")
        assert await members(top) == {second}

    in_the_api(database, scenario)


def test_each_night_brings_a_snapshot_made_as_the_last(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await _buyer(head, "800")

        async def night(day: int) -> Night:
            clock = Noon(date(2026, 4, day))
            uow = world.tenant.uow
            return await RfmService(uow, clock, AbcService(uow, clock)).nightly(head.principal.tenant_id)

        assert (await night(1)).classes
        assert not (await night(1)).classes
        await _made(head, "abc/snapshots", borders=[70, 90], by="orders", window_days=30)
        for day in range(2, 9):
            assert (await night(day)).classes
        listed = (await head.get("/v1/abc/snapshots")).json()["items"]
        assert len(listed) == 5
        assert {(tuple(one["borders"]), one["by"], one["window_days"]) for one in listed} == {((70, 90), "orders", 30)}
        assert [one["as_of"] for one in listed] == [f"2026-04-0{day}" for day in range(8, 3, -1)]

    in_the_api(database, scenario)
