"""Scans, findings, scores and sums over HTTP: what is wrong is found, told in reach, and gone once it is right."""

import asyncio
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import orjson

from service.clock import SystemClock
from service.db.statement import sql
from service.domain.quality.following import Follower
from service.jobs.checking import keep_checked
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_BAD = {
    "family_name": "ИВАНОВА",
    "given_name": "Aнна",  # a Latin A
    "city": "Казань",
    "contacts": [{"kind": "email", "value": "a@mailinator.com"}, {"kind": "phone", "value": "+79161234567"}],
}


async def _made(client: Client, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _scan(world: Api, client: Client, scope: str = "all") -> dict[str, Any]:
    answer = await client.post("/v1/quality/scans", json={"scope": scope})
    assert answer.status_code == 202, answer.text
    await world.run_jobs()
    job = (await client.get(answer.headers["location"])).json()
    assert job["state"] == "done", job
    return dict(job)


async def _read(client: Client, path: str, **params: Any) -> Any:
    answer = await client.get(f"/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _codes(client: Client, **params: Any) -> set[str]:
    return {one["code"] for one in (await _read(client, "quality/issues", **params))["items"]}


def test_a_scan_finds_what_is_wrong_and_says_why(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await _made(head, **_BAD)
        before = await _read(head, f"customers/{customer}/quality")
        assert (before["score"], before["fit"], before["up_to_date"], before["issues"]) == (None, None, False, [])
        job = await _scan(world, head)
        assert (job["done"], job["total"], job["kind"]) == (1, 1, "quality_scan")
        found = (await _read(head, "quality/issues"))["items"]
        by_code = {one["code"]: one for one in found}
        assert {"letter-case", "mixed-alphabets"} <= set(by_code)
        one = by_code["mixed-alphabets"]
        assert (one["customer_id"], one["field"], one["cause"], one["state"]) == (
            customer, "given_name", "entry", "open",
        )  # fmt: skip
        assert one["author_id"] == str(head.principal.staff_id)
        assert one["proposal"]["changes"][0]["after"] == "Анна"
        card = await _read(head, f"customers/{customer}/quality")
        assert card["up_to_date"] is True
        assert 0 < card["score"] < 100
        assert {issue["code"] for issue in card["issues"]} == set(by_code)
        assert "mailinator" not in str(found)

    in_the_api(database, scenario)


def test_what_is_right_again_is_gone(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await _made(head, **_BAD)
        await _scan(world, head)
        assert "mixed-alphabets" in await _codes(head)
        assert (await head.patch(f"/v1/customers/{customer}", json={"given_name": "Анна"})).status_code == 200
        assert (await _read(head, f"customers/{customer}/quality"))["up_to_date"] is False
        assert (await _scan(world, head, "changed"))["done"] == 1
        assert "mixed-alphabets" not in await _codes(head)
        assert "mixed-alphabets" in await _codes(head, state="gone")
        assert (await _scan(world, head, "changed"))["done"] == 0

    in_the_api(database, scenario)


def test_everybody_sees_findings_and_sums_of_what_he_reaches(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna, boris = await world.client(), await world.client(reach="own"), await world.client(reach="own")
        hers, his = await _made(anna, **_BAD), await _made(boris, family_name="Орлов", given_name="Пётр")
        await _scan(world, head)
        assert {one["customer_id"] for one in (await _read(anna, "quality/issues", count="exact"))["items"]} == {hers}
        assert (await anna.get(f"/v1/customers/{his}/quality")).status_code == 404
        assert (await anna.post("/v1/quality/scans", json={})).status_code == 403
        whole, own = await _read(head, "quality/summary"), await _read(anna, "quality/summary")
        assert (whole["records"], whole["checked"], own["records"]) == (2, 2, 1)
        assert sum(whole["distribution"]) == 2
        assert own["fit"]["call"] == {"records": 1, "share": 1.0}
        assert whole["fit"]["call"] == {"records": 1, "share": 0.5}
        assert [one["key"] for one in own["by"]["curator"]] == [str(anna.principal.staff_id)]
        trend = (await _read(anna, "quality/trend"))["items"]
        assert [(day["records"], day["fit"]["call"]["records"]) for day in trend] == [(1, 1)]
        picture = await head.get("/v1/quality/chart.svg")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        ElementTree.fromstring(picture.text)

    in_the_api(database, scenario)


def test_the_list_is_narrowed_and_paged(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for _ in range(3):
            await _made(head, **_BAD)
        await _scan(world, head)
        every = (await _read(head, "quality/issues", count="exact"))["items"]
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await _read(head, "quality/issues", limit=2, **cursor)
            seen += [one["issue_id"] for one in page["items"]]
            if not page["next_cursor"]:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == [one["issue_id"] for one in every]
        some = await _read(head, "quality/issues", code="letter-case", fixable=True, count="exact")
        assert (some["count"], {one["code"] for one in some["items"]}) == (3, {"letter-case"})
        assert (await _read(head, "quality/issues", cause="stale"))["items"] == []
        for bad in ({"cursor": "x"}, {"cause": "luck"}, {"customer_id": "7"}, {"limit": 0}, {"code": "a\x00"}):
            answer = await head.get("/v1/quality/issues", params=bad)
            assert answer.status_code == 422, bad

    in_the_api(database, scenario)


def test_one_scan_at_a_time_and_the_same_key_starts_one(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        key = {"Idempotency-Key": "k"}
        first = await head.post("/v1/quality/scans", json={}, headers=key)
        again = await head.post("/v1/quality/scans", json={}, headers=key)
        assert first.json() == again.json()
        other = await head.post("/v1/quality/scans", json={})
        assert (other.status_code, other.json()["type"]) == (409, "/problems/scan-under-way")
        assert other.json()["job_id"] == first.json()["job_id"]
        await head.post(f"/v1/jobs/{first.json()['job_id']}/cancel")
        assert (await head.post("/v1/quality/scans", json={})).status_code == 202

    in_the_api(database, scenario)


async def _policy(head: Client, **quality: Any) -> dict[str, Any]:
    answer = await head.patch("/v1/policies", json={"quality": quality})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["quality"])


def test_the_tenant_switches_checks_sets_severities_and_weights(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await _made(head, **_BAD)
        await _policy(head, off=["letter-case"], severities={"mixed-alphabets": "error"}, weights={"name": 100})
        await _scan(world, head)
        issues = (await _read(head, f"customers/{customer}/quality"))["issues"]
        assert {one["code"]: one["severity"] for one in issues if one["field"] == "given_name"} == {
            "mixed-alphabets": "error"
        }
        low = (await _read(head, f"customers/{customer}/quality"))["score"]
        known = await _policy(head, severities={}, off=None, weights=None)
        assert (known["off"], known["severities"], known["weights"]["name"]) == ([], {}, 30)
        await _scan(world, head)
        assert (await _read(head, f"customers/{customer}/quality"))["score"] > low
        assert "letter-case" in await _codes(head)

    in_the_api(database, scenario)


def test_own_checks_speak_the_language_of_rules(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        own = {
            "code": "vip-without-mail",
            "title": "No mail.",
            "rule": 'tags has any ("vip") and not contacts has any (email)',
        }
        await _policy(head, own_checks=[own | {"severity": "error", "field": "contacts"}])
        vip = await _made(head, family_name="Орлова", given_name="Анна", tags=["vip"])
        await _made(head, family_name="Орлов", given_name="Пётр")
        await _scan(world, head)
        found = (await _read(head, "quality/issues", code="own.vip-without-mail"))["items"]
        assert [(one["customer_id"], one["cause"], one["severity"]) for one in found] == [(vip, "missing", "error")]
        await head.patch(f"/v1/customers/{vip}", json={"tags": []})
        await _scan(world, head, "changed")
        assert await _codes(head, code="own.vip-without-mail") == set()
        bad = await head.patch("/v1/policies", json={"quality": {"own_checks": [own | {"rule": "size >"}]}})
        assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/quality/own_checks/0/text")
        twice = await head.patch("/v1/policies", json={"quality": {"own_checks": [own, own]}})
        assert twice.json()["type"] == "/problems/own-check-twice"

    in_the_api(database, scenario)


def test_a_write_is_told_or_refused_as_the_tenant_has_decided(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own", scopes=("customers:read", "customers:write"))
        assert "quality_issues" not in (await head.post("/v1/customers", json=_BAD)).json()
        await _policy(head, on_write="warn")
        made = await anna.post("/v1/customers", json=_BAD)
        assert made.status_code == 201, made.text
        assert {"letter-case", "mixed-alphabets"} <= {one["code"] for one in made.json()["quality_issues"]}
        assert (made.headers["etag"], "location" in made.headers) == ('"1"', True)
        mended = await anna.patch(f"/v1/customers/{made.json()['customer_id']}", json={"given_name": "Анна"})
        assert "mixed-alphabets" not in {one["code"] for one in mended.json()["quality_issues"]}
        await _policy(head, on_write="refuse", severities={"mixed-alphabets": "error"})
        refused = await anna.post("/v1/customers", json=_BAD)
        told = refused.json()
        assert (refused.status_code, told["type"]) == (422, "/problems/data-refused")
        assert "/given_name" in {one["pointer"] for one in told["errors"]}
        assert "Aнна" not in refused.text
        fine = {"family_name": "Орлова", "given_name": "Анна", "contacts": [{"kind": "phone", "value": "+79161234501"}]}
        items = [{**fine, "external_ids": [{"external_id": "1"}]}, {**_BAD, "external_ids": [{"external_id": "2"}]}]
        batch = await anna.post("/v1/customers/batch", json={"items": items})
        assert [one["outcome"] for one in batch.json()["items"]] == ["created", "refused"]
        assert (await anna.post("/v1/customers", json=fine)).status_code == 201

    in_the_api(database, scenario)


def test_an_import_rejects_rows_with_errors_where_the_tenant_refuses_them(database: TestDatabase) -> None:
    lines = (
        "external_id,family_name,given_name,email\n1,Орлова,Анна,a.orlova@yandex.ru\n2,Орлов,Aнтон,b.orlov@yandex.ru\n"
    )

    async def scenario(world: Api) -> None:
        head = await world.client()
        await _policy(head, on_import="refuse", severities={"mixed-alphabets": "error"})
        mapping = {
            "kind": "customers",
            "columns": {name: name for name in ("external_id", "family_name", "given_name", "email")},
        }
        answer = await head.post(
            "/v1/imports",
            files={"file": ("c.csv", lines.encode())},
            data={"mapping": orjson.dumps(mapping).decode(), "source": "shop"},
        )
        assert answer.status_code == 202, answer.text
        await world.run_jobs()
        done = (await head.get(f"/v1/imports/{answer.json()['import_id']}")).json()
        assert (done["state"], done["rows_applied"], done["rows_rejected"]) == ("done", 1, 1), done
        told = await head.get(f"/v1/imports/{done['import_id']}/rejects")
        assert "refuses" in told.text

    in_the_api(database, scenario)


def test_what_is_written_is_examined_right_after(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, tenant = await world.client(), world.tenant.tenant_id
        follower = world.container.follower
        customer = await _made(head, **_BAD)
        await _followed(follower, tenant)
        assert "mixed-alphabets" in await _codes(head)
        await head.patch(f"/v1/customers/{customer}", json={"given_name": "Анна"})
        await _followed(follower, tenant)
        assert "mixed-alphabets" not in await _codes(head)
        assert await follower.follow(tenant) == 0

    in_the_api(database, scenario)


async def _followed(follower: Follower, tenant: int) -> None:
    """Others' transactions hold the horizon back for a moment."""
    for _ in range(100):
        if await follower.follow(tenant):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing to follow")


def test_what_was_found_on_a_person_vanishes_with_him(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await _made(head, **_BAD)
        await _scan(world, head)
        assert (await _read(head, "quality/issues", customer_id=customer))["items"]
        erased = await head.post(f"/v1/customers/{customer}/erase", json={"reason": "asked for", "confirm": customer})
        assert erased.status_code == 201, erased.text
        assert await _left(world, head, customer) == 0
        await _followed(world.container.follower, world.tenant.tenant_id)
        await _scan(world, head)
        assert await _left(world, head, customer) == 0

    in_the_api(database, scenario)


async def _left(world: Api, head: Client, customer: str) -> int:
    """Rows of data quality that still name the record."""
    held = sql("""SELECT (SELECT count(*) FROM quality_findings WHERE tenant_id = :tenant AND customer_id = :id::uuid)
        + (SELECT count(*) FROM quality_scores WHERE tenant_id = :tenant AND customer_id = :id::uuid)""")
    async with world.services.uow.begin(head.principal) as tx:
        return int(await tx.session.fetchval(held, id=customer))  # type: ignore[attr-defined]


def test_what_was_dismissed_stays_so_while_the_value_is_the_same(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = await _made(head, **_BAD)
        await _scan(world, head)
        issue = next(one for one in (await _read(head, "quality/issues"))["items"] if one["code"] == "letter-case")
        done = await head.post(f"/v1/quality/issues/{issue['issue_id']}/dismiss", json={})
        assert done.status_code == 200, done.text
        await _scan(world, head)
        assert "letter-case" not in await _codes(head)
        await head.patch(f"/v1/customers/{customer}", json={"family_name": "ПЕТРОВА"})
        await _scan(world, head)
        assert "letter-case" in await _codes(head)

    in_the_api(database, scenario)


class _At(SystemClock):
    def __init__(self, hour: int) -> None:
        self._hour = hour

    def now(self) -> datetime:
        return super().now().replace(hour=self._hour)


def test_the_whole_base_is_examined_once_a_night_unless_the_tenant_says_no(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, tenant = await world.client(), world.tenant.tenant_id
        services, uow = world.services, world.services.uow
        noon, midnight = (Follower(services.quality, uow, _At(hour)) for hour in (12, 22))
        await _made(head, **_BAD)
        await _policy(head, nightly=False)
        assert await noon.nightly(tenant) is False
        await _policy(head, nightly=None)
        assert await midnight.nightly(tenant) is False  # an hour past midnight in Moscow
        assert await noon.nightly(tenant) is True
        assert await noon.nightly(tenant) is False
        assert "mixed-alphabets" in await _codes(head)
        assert [day["records"] for day in (await _read(head, "quality/trend"))["items"]] == [1]

    in_the_api(database, scenario)


def test_the_worker_follows_until_it_is_told_to_stop(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, shutdown = await world.client(), asyncio.Event()
        await _made(head, **_BAD)

        async def tenants() -> list[int]:
            return [world.tenant.tenant_id]

        loop = asyncio.create_task(keep_checked(tenants, world.container.follower, shutdown, every_s=0.05))
        for _ in range(200):
            if await _codes(head):
                break
            await asyncio.sleep(0.05)
        shutdown.set()
        await asyncio.wait_for(loop, 10)
        assert "mixed-alphabets" in await _codes(head)

    in_the_api(database, scenario)
