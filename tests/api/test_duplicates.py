"""Duplicates over HTTP: found for each new and changed record, explained, parted by marks, and within reach."""

import asyncio
import json
from random import Random
from typing import Any

import pytest
from httpx import Response
from pgqueuer.domain.errors import RetryRequested

from service.db.duplicate_matching import PgScanning
from service.db.statement import sql
from service.domain.duplicates.matching import system
from service.domain.errors import Unavailable
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

IVAN = {
    "family_name": "Черемисинов",
    "given_name": "Александр",
    "patronymic": "Игоревич",
    "birth_date": "1984-03-11",
    "city": "Казань",
    "contacts": [
        {"kind": "phone", "value": "+7 917 555-12-34"},
        {"kind": "email", "value": "a.cheremisinov@example.com"},
    ],
}
# The same man as another clerk wrote him down.
SASHA = {
    "family_name": "Черемисинов",
    "given_name": "Саша",
    "birth_date": "1984-03-11",
    "city": "Казань",
    "contacts": [{"kind": "phone", "value": "89175551234"}],
}
LATIN = {
    "family_name": "Cheremisinov",
    "given_name": "Alexander",
    "birth_date": "1984-03-11",
    "contacts": [{"kind": "email", "value": "a.cheremisinov@example.com"}],
}
OTHER = {
    "family_name": "Кузнецова",
    "given_name": "Мария",
    "birth_date": "1991-07-02",
    "contacts": [{"kind": "phone", "value": "+7 905 111-22-33"}],
}


def ok(answer: Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def create(client: Client, *records: dict[str, Any]) -> list[str]:
    return [
        ok(await client.post("/v1/customers", params={"on_duplicate": "allow"}, json=one))["customer_id"]
        for one in records
    ]


async def matched(world: Api) -> None:
    """What the worker does every few seconds, until all that was written so far is compared."""
    written = await _latest_change(world)
    for _ in range(100):
        await world.container.matcher.refresh_tenant(world.tenant.tenant_id)
        if await _place(world) > written:
            return
        await asyncio.sleep(0.1)  # somewhere in the cluster an older transaction still runs
    raise AssertionError("the match does not come by")


async def _latest_change(world: Api) -> tuple[int, int]:
    async with world.tenant.uow.begin(system(world.tenant.tenant_id)) as tx:
        row = await tx.session.fetchrow(sql("SELECT max(xid) AS xid FROM changes WHERE tenant_id = :tenant"))
    return (row["xid"] or 0, 0) if row else (0, 0)


async def _place(world: Api) -> tuple[int, int]:
    async with world.tenant.uow.begin(system(world.tenant.tenant_id)) as tx, tx.matching.acting():
        begun = await tx.matching.begin(patiently=True)
    assert begun is not None
    return begun.place


async def clusters(client: Client, **query: Any) -> list[set[str]]:
    items = ok(await client.get("/v1/quality/duplicates", params=query))["items"]
    return [{record["customer_id"] for record in one["records"]} for one in items]


async def likes(client: Client, customer_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.get(f"/v1/customers/{customer_id}/duplicates"))
    return found


def test_a_new_record_is_found_like_the_one_that_is_there(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, _ = await create(head, IVAN, OTHER)
        await matched(world)
        assert await clusters(head) == []
        [second] = await create(head, SASHA)
        await matched(world)
        [cluster] = ok(await head.get("/v1/quality/duplicates"))["items"]
        assert {one["customer_id"] for one in cluster["records"]} == {first, second}
        [pair] = cluster["pairs"]
        assert [pair["first_id"], pair["second_id"]] == sorted((first, second))
        assert pair["probability"] > 0.99
        assert not pair["never_merge"]
        levels = {step["comparison"]: step["level"] for step in pair["waterfall"]}
        assert levels["family"] == levels["phone"] == levels["birth"] == "same"
        assert levels["given"] == "nickname"
        assert abs(sum(step["weight"] for step in pair["waterfall"]) - pair["weight"]) < 0.1
        assert (await likes(head, first))["pairs"] == (await likes(head, second))["pairs"] == [pair]
        assert ok(await head.get(f"/v1/quality/duplicates/{cluster['cluster_id']}")) == cluster

    in_the_api(database, scenario)


def test_a_waterfall_and_a_member_tell_no_contact_in_clear(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await create(head, IVAN, SASHA, LATIN)
        await matched(world)
        text = (await head.get("/v1/quality/duplicates")).text
        for secret in ("5551234", "917555", "+7 917", "cheremisinov", "1984-"):
            assert secret not in text
        assert "+7 ••• ••• 12 34" in text

    in_the_api(database, scenario)


def test_a_cluster_keeps_its_id_while_records_come_and_go(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, second = await create(head, IVAN, SASHA)
        await matched(world)
        [before] = ok(await head.get("/v1/quality/duplicates"))["items"]
        [third] = await create(head, LATIN)
        await matched(world)
        [after] = ok(await head.get("/v1/quality/duplicates"))["items"]
        assert after["cluster_id"] == before["cluster_id"]
        assert {one["customer_id"] for one in after["records"]} == {first, second, third}
        ok(await head.delete(f"/v1/customers/{second}"))
        await matched(world)
        [left] = ok(await head.get("/v1/quality/duplicates"))["items"]
        assert left["cluster_id"] == before["cluster_id"]
        assert {one["customer_id"] for one in left["records"]} == {first, third}

    in_the_api(database, scenario)


def test_a_corrected_record_leaves_its_cluster(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        _, second = await create(head, IVAN, SASHA)
        await matched(world)
        assert len(await clusters(head)) == 1
        ok(await head.patch(f"/v1/customers/{second}", json=OTHER | {"city": None}))
        await matched(world)
        assert await clusters(head) == []
        assert (await likes(head, second))["pairs"] == []

    in_the_api(database, scenario)


def test_a_mark_parts_two_records_for_good_and_can_be_taken_back(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, second = await create(head, IVAN, SASHA)
        await matched(world)
        mark = ok(await head.post("/v1/quality/never-merge", json={"customer_id": second, "other_id": first}))
        assert [mark["first_id"], mark["second_id"]] == sorted((first, second))
        assert mark["staff_id"] == str(head.principal.staff_id)
        assert await clusters(head) == []
        ok(await head.patch(f"/v1/customers/{second}", json={"city": "Москва"}))
        await matched(world)
        assert await clusters(head) == []
        [pair] = (await likes(head, first))["pairs"]
        assert pair["never_merge"]
        assert ok(await head.get("/v1/quality/never-merge"))["items"] == [mark]
        again = ok(await head.post("/v1/quality/never-merge", json={"customer_id": first, "other_id": second}))
        assert again == mark
        ok(await head.delete(f"/v1/quality/never-merge/{second}/{first}"))
        assert await clusters(head) == [{first, second}]
        assert (await head.delete(f"/v1/quality/never-merge/{second}/{first}")).status_code == 404

    in_the_api(database, scenario)


def test_a_mark_names_two_records_within_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna, boris = await world.client(reach="own"), await world.client(reach="own")
        [hers], [his] = await create(anna, IVAN), await create(boris, SASHA)
        for one, other in ((hers, his), (his, hers)):
            answer = await anna.post("/v1/quality/never-merge", json={"customer_id": one, "other_id": other})
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/customer-not-found")
        answer = await anna.post("/v1/quality/never-merge", json={"customer_id": hers, "other_id": hers})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/same-record")

    in_the_api(database, scenario)


def test_the_likes_of_others_are_not_shown_and_can_be_asked_for(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna = await world.client(reach="own")
        boris = await world.client(reach="own")
        head = await world.client()
        [hers], [his] = await create(anna, IVAN), await create(boris, SASHA)
        await matched(world)
        assert await clusters(head) == [{hers, his}]
        assert await clusters(anna) == []
        assert (await likes(anna, hers))["pairs"] == []
        assert (await likes(anna, hers))["cluster_id"] is None
        [cluster] = ok(await head.get("/v1/quality/duplicates"))["items"]
        assert (await anna.get(f"/v1/quality/duplicates/{cluster['cluster_id']}")).status_code == 404
        assert (await anna.get(f"/v1/customers/{his}/duplicates")).status_code == 404
        answer = await anna.post(f"/v1/customers/{hers}/duplicates/elsewhere")
        [told] = ok(answer)["items"]
        assert set(told) == {"kind", "team", "request_token"}
        for secret in (his, str(boris.principal.staff_id), "Саша", "Черемисинов", "555"):
            assert secret not in answer.text
        asked = ok(
            await anna.post("/v1/access-requests", json={"request_token": told["request_token"], "reason": "twin"})
        )
        assert asked["customer_id"] is None
        trail = ok(await head.get("/v1/audit", params={"action": "customers.disclose"}))["items"]
        assert [row["entity_id"] for row in trail] == [his]
        assert (await anna.post(f"/v1/customers/{his}/duplicates/elsewhere")).status_code == 404

    in_the_api(database, scenario)


def test_asking_elsewhere_uses_up_probes(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        ok(await head.patch("/v1/policies", json={"contact_probes_per_hour": 1}))
        anna = await world.client(reach="own")
        [hers] = await create(anna, IVAN)
        ok(await anna.post(f"/v1/customers/{hers}/duplicates/elsewhere"))
        refused = await anna.post(f"/v1/customers/{hers}/duplicates/elsewhere")
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/probe-budget-used-up")

    in_the_api(database, scenario)


def test_the_whole_base_is_searched_by_a_job(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, second, third, _ = await create(head, IVAN, SASHA, LATIN, OTHER)
        job = ok(await head.post("/v1/quality/duplicates/scan"))
        assert ok(await head.post("/v1/quality/duplicates/scan"))["job_id"] == job["job_id"]
        assert await world.run_jobs() == 1
        ended = ok(await head.get(f"/v1/jobs/{job['job_id']}"))
        assert (ended["state"], ended["done"], ended["total"]) == ("done", 4, 4)
        assert await clusters(head) == [{first, second, third}]
        ok(await head.post("/v1/quality/duplicates/scan"))
        await world.run_jobs()
        await matched(world)
        assert await clusters(head) == [{first, second, third}]
        own = await world.client(reach="own")
        assert (await own.post("/v1/quality/duplicates/scan")).status_code == 403

    in_the_api(database, scenario)


def test_records_that_were_merged_are_no_duplicates_any_more(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        ids = await create(head, IVAN, SASHA)
        await matched(world)
        made = ok(await head.post("/v1/customers/merge", json={"customer_ids": ids, "dry_run": False}))
        await matched(world)
        assert await clusters(head) == []
        ok(await head.post(f"/v1/merges/{made['merge_id']}/undo"))
        await matched(world)
        assert await clusters(head) == [set(ids)]

    in_the_api(database, scenario)


def a_base(chance: Random, size: int) -> list[dict[str, Any]]:
    """People, and some of them entered again with a slip."""
    made: list[dict[str, Any]] = []
    while len(made) < size:
        one = {
            "family_name": chance.choice(("Абрамов", "Белкин", "Волошин", "Громов", "Дёмин", "Ершов")),
            "given_name": chance.choice(("Александр", "Мария", "Дмитрий", "Екатерина")),
            "birth_date": f"19{chance.randrange(60, 99)}-0{chance.randrange(1, 10)}-{chance.randrange(10, 28)}",
            "city": chance.choice(("Тула", "Казань", "Омск")),
            "contacts": [{"kind": "phone", "value": f"+7917{chance.randrange(10**7):07}"}],
        }
        made.append(one)
        while chance.random() < 0.4:
            letters = list(str(one["family_name"]))
            letters[chance.randrange(1, len(letters))] = chance.choice("аеио")
            slip: dict[str, Any] = {"family_name": "".join(letters)} if chance.random() < 0.7 else {"contacts": []}
            made.append(one | slip)
    return made


def test_one_by_one_and_all_at_once_find_the_same(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        base = a_base(Random(17), 60)
        items = [one | {"external_ids": [{"external_id": str(number)}]} for number, one in enumerate(base)]
        ok(await head.post("/v1/customers/batch", json={"items": items}))
        ok(await head.post("/v1/quality/duplicates/scan"))
        assert await world.run_jobs() == 1
        at_once, together = await _pairs(world), await clusters(head, limit=100)
        assert len(at_once) > 10
        await _forget_pairs(world)
        assert await clusters(head) == []
        await matched(world)
        assert await _pairs(world) == at_once
        assert sorted(map(sorted, await clusters(head, limit=100))) == sorted(map(sorted, together))

    in_the_api(database, scenario)


async def _pairs(world: Api) -> list[tuple[Any, ...]]:
    everything = sql("SELECT first_id, second_id, weight FROM duplicate_pairs WHERE tenant_id = :tenant ORDER BY 1, 2")
    async with world.tenant.uow.begin(system(world.tenant.tenant_id)) as tx, tx.matching.acting():
        return [tuple(row.values()) for row in await tx.session.fetch(everything)]


async def _forget_pairs(world: Api) -> None:
    """Everything is to be compared again; what was learnt stays."""
    async with world.tenant.uow.begin(system(world.tenant.tenant_id)) as tx:
        async with tx.matching.acting():
            for table in ("duplicate_pairs", "duplicate_members", "linkage_keys", "linkage_records"):
                await tx.session.execute(sql(f"DELETE FROM {table} WHERE tenant_id = :tenant"))
            await tx.matching.proceed((0, 0))
        await tx.commit()


def test_a_scan_that_was_cut_short_begins_again(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, second, third, _ = await create(head, IVAN, SASHA, LATIN, OTHER)
        job = ok(await head.post("/v1/quality/duplicates/scan"))
        with monkeypatch.context() as patched:
            patched.setattr(PgScanning, "spread_keys", _gone)
            with pytest.raises(RetryRequested):
                await world.run_jobs()
        payload = {"job": job["job_id"], "tenant": world.tenant.slug, "staff": str(head.principal.staff_id)}
        await world.container.runner.run(json.dumps(payload).encode())
        assert ok(await head.get(f"/v1/jobs/{job['job_id']}"))["state"] == "done"
        assert await clusters(head) == [{first, second, third}]
        [fourth] = await create(head, SASHA)
        await matched(world)
        assert await clusters(head) == [{first, second, third, fourth}]

    in_the_api(database, scenario)


async def _gone(_: PgScanning) -> None:
    raise Unavailable("the database is away")


def test_clusters_come_in_pages(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for one in (IVAN, OTHER, OTHER | {"given_name": "Вера", "birth_date": "1970-10-30", "contacts": []}):
            await create(head, one, one)
        await matched(world)
        seen: list[set[str]] = []
        cursor = None
        while True:
            query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
            page = ok(await head.get("/v1/quality/duplicates", params=query))
            seen += [{one["customer_id"] for one in cluster["records"]} for cluster in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == await clusters(head)
        assert len(seen) == 3
        assert (await head.get("/v1/quality/duplicates", params={"cursor": "x"})).status_code == 422
        assert await clusters(head, kind="organisation") == []

    in_the_api(database, scenario)


def test_organisations_are_one_under_another_legal_form(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        inn = {"kind": "inn", "value": "7707083893"}
        one = {"kind": "organisation", "legal_name": 'ООО "Ромашка и партнёры"', "city": "Тула", "contacts": [inn]}
        other = {"kind": "organisation", "legal_name": "Ромашка и партнеры, ООО", "contacts": [inn]}
        ids = await create(head, one, other, IVAN)
        await matched(world)
        assert await clusters(head) == [set(ids[:2])]
        assert await clusters(head, kind="organisation") == [set(ids[:2])]

    in_the_api(database, scenario)


def test_of_an_erased_person_nothing_is_left(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first, second, third = await create(head, IVAN, SASHA, LATIN)
        await matched(world)
        ok(await head.post("/v1/quality/never-merge", json={"customer_id": first, "other_id": third}))
        assert await _rows_of(world, first) > 4
        ok(await head.post(f"/v1/customers/{first}/erase", json={"reason": "asked for", "confirm": first}))
        assert await _rows_of(world, first) == 0
        await matched(world)
        assert await _rows_of(world, first) == 0
        assert await clusters(head) == []
        assert await _rows_of(world, second) > 0

    in_the_api(database, scenario)


_ROWS = sql("""
    SELECT (SELECT count(*) FROM linkage_keys WHERE tenant_id = :tenant AND customer_id = :id)
        + (SELECT count(*) FROM linkage_records WHERE tenant_id = :tenant AND customer_id = :id)
        + (SELECT count(*) FROM duplicate_pairs WHERE tenant_id = :tenant AND :id IN (first_id, second_id))
        + (SELECT count(*) FROM duplicate_members WHERE tenant_id = :tenant AND customer_id = :id)
        + (SELECT count(*) FROM never_merge WHERE tenant_id = :tenant AND :id IN (first_id, second_id))
""")


async def _rows_of(world: Api, customer_id: str) -> int:
    async with world.tenant.uow.begin(system(world.tenant.tenant_id)) as tx, tx.matching.acting():
        return int(await tx.session.fetchval(_ROWS, id=customer_id))
