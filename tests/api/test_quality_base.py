"""What only the whole base can tell, a scan that is broken off and goes on, and writers that nobody keeps waiting."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from service.db.session import quote
from service.db.statement import sql
from service.domain.quality.examining import Found, Judged, Look
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_FAMILIES = ("Орлов", "Волков", "Зайцев", "Соколов", "Лебедев", "Воробьёв", "Голубев", "Медведев", "Козлов", "Жуков")
_NAMES = ("Анна", "Ольга", "Мария", "Елена", "Ирина", "Нина", "Вера")
_IMPORTED = sql("UPDATE customers SET import_id = :import_id::uuid WHERE tenant_id = :tenant")


def _people(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        {
            "family_name": _FAMILIES[i % 10] + "а",
            "given_name": _NAMES[i // 10 % 7],
            "external_ids": [{"external_id": str(i)}],
            **{name: value(i) if callable(value) else value for name, value in fields.items()},
        }
        for i in range(count)
    ]


async def _kept(client: Client, people: Sequence[dict[str, Any]]) -> list[str]:
    answer = await client.post("/v1/customers/batch", json={"items": people})
    assert answer.status_code == 200, answer.text
    made = [one["customer_id"] for one in answer.json()["items"]]
    assert None not in made, answer.text[:500]
    return made


async def _imported(world: Api, client: Client) -> None:
    """All records of the tenant came by one import."""
    async with world.services.uow.begin(client.principal) as tx:
        await tx.session.execute(_IMPORTED, import_id=UUID(int=7))  # type: ignore[attr-defined]
        await tx.commit()


async def _scan(world: Api, client: Client) -> str:
    answer = await client.post("/v1/quality/scans", json={})
    assert answer.status_code == 202, answer.text
    await world.run_jobs()
    job = (await client.get(answer.headers["location"])).json()
    assert job["state"] == "done", job
    return str(job["job_id"])


async def _found(client: Client, code: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/quality/issues", params={"code": code, "limit": 200})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_one_phone_on_many_cards_is_nobodys(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        shared = [{"kind": "phone", "value": "+7 916 555-01-02"}]
        many = await _kept(head, _people(7, contacts=shared))
        own = {"family_name": "Белова", "given_name": "Яна", "contacts": [{"kind": "phone", "value": "+79165550103"}]}
        await head.post("/v1/customers", json=own)
        await _scan(world, head)
        found = await _found(head, "contact-on-many")
        assert {one["customer_id"] for one in found} == set(many)
        assert {(one["cause"], one["contact"], one["author_id"]) for one in found} == {
            ("false", found[0]["contact"], str(head.principal.staff_id))
        }
        assert "555" not in found[0]["contact"]
        for customer in many[2:]:
            await head.patch(f"/v1/customers/{customer}", json={"contacts": []})
        await _scan(world, head)
        assert await _found(head, "contact-on-many") == []

    in_the_api(database, scenario)


def test_a_contact_of_people_with_nothing_in_common_is_told_and_of_a_family_is_not(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        unlike = [
            {"family_name": "Орлова", "given_name": "Анна", "city": "Пермь"},
            {"family_name": "Жуков", "given_name": "Пётр", "city": "Омск"},
        ]
        family = [
            {"family_name": "Белова", "given_name": "Яна", "city": "Тула"},
            {"family_name": "Белов", "given_name": "Ян", "city": "Тула"},
        ]
        made = {}
        for mail, people in (("one@yandex.ru", unlike), ("two@yandex.ru", family)):
            for person in people:
                body = person | {"contacts": [{"kind": "email", "value": mail}]}
                answer = await head.post("/v1/customers", json=body)
                made[answer.json()["customer_id"]] = mail
        await _scan(world, head)
        found = await _found(head, "contact-of-unlike")
        assert {made[one["customer_id"]] for one in found} == {"one@yandex.ru"}
        assert len(found) == 2

    in_the_api(database, scenario)


def test_days_and_months_swapped_throughout_an_import_are_told_with_their_fix(database: TestDatabase) -> None:
    def swapped(i: int) -> str:
        true = date(1970, 1, 1) + timedelta(days=i * 37)
        return date(true.year, min(true.day % 12 + 1, 12), true.month).isoformat()

    async def scenario(world: Api) -> None:
        head = await world.client()
        await _kept(head, _people(60, birth_date=swapped))
        await _scan(world, head)
        assert await _found(head, "day-month-swapped") == []
        await _imported(world, head)
        await _scan(world, head)
        found = await _found(head, "day-month-swapped")
        assert len(found) > 40
        change = found[0]["proposal"]["changes"][0]
        year, month, day = change["before"].split("-")
        assert (change["field"], change["after"]) == ("birth_date", f"{year}-{day}-{month}")

    in_the_api(database, scenario)


def test_values_cut_at_one_length_are_told(database: TestDatabase) -> None:
    cities = (
        "Константиновск",
        "Преображенское",
        "Новокуйбышевск",
        "Санкт-Петербург",
        "Тула",
        "Омск",
        "Пермь",
        "Казань",
    )

    async def scenario(world: Api) -> None:
        head = await world.client()
        await _kept(head, _people(80, city=lambda i: cities[i % 8][:12]))
        await _imported(world, head)
        await _scan(world, head)
        found = await _found(head, "cut-at-length")
        assert {one["field"] for one in found} == {"city"}
        assert len(found) == 40

    in_the_api(database, scenario)


def test_a_scan_that_is_broken_off_goes_on_behind_its_watermark(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await _kept(head, _people(1_200, birth_date="1900-01-01"))
        scans, seen = world.services.quality, list[int]()
        whole = scans._examiner.examine

        async def some(rows: Sequence[str], look: Look) -> tuple[Sequence[Judged], Sequence[Found]]:
            if len(seen) == 2 and not resumed:
                raise asyncio.CancelledError
            seen.append(len(rows))
            return await whole(rows, look)

        resumed = False
        scans._examiner.examine = some  # type: ignore[method-assign]
        started = await head.post("/v1/quality/scans", json={})
        payload = {"job": started.json()["job_id"], "tenant": world.tenant.slug, "staff": str(head.principal.staff_id)}
        await asyncio.gather(world.container.runner.run(orjson.dumps(payload)), return_exceptions=True)
        kept = (await head.get("/v1/quality/summary")).json()["checked"]
        assert 0 < kept < 1_200
        resumed = True
        await world.run_jobs()
        job = (await head.get(started.headers["location"])).json()
        assert (job["state"], job["done"]) == ("done", 1_200)
        told = (await head.get("/v1/quality/summary")).json()
        assert told["checked"] == 1_200
        placeholders = next(one for one in told["by"]["code"] if one["key"] == "birth-date-placeholder")
        assert placeholders["findings"] == 1_200

    in_the_api(database, scenario)


def test_no_writer_waits_for_a_scan_and_none_is_waited_for(database: TestDatabase) -> None:
    """A lock that is waited for longer than 100 ms would break the writer off."""

    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await _kept(head, _people(1_000, birth_date="1900-01-01"))
        started = await head.post("/v1/quality/scans", json={})
        other = await asyncpg.connect(world.database.service_url)
        writer = await asyncpg.connect(world.database.service_url)
        acting = f"SET ROLE clientbase_tenant; SET app.tenant = {quote(str(world.tenant.tenant_id))}"
        await other.execute(f"{acting}; BEGIN")
        await writer.execute(f"{acting}; SET lock_timeout = '100ms'")
        # One who writes for as long as the scan takes, and others beside him.
        await other.fetch("SELECT FROM customers WHERE customer_id = $1 FOR UPDATE", UUID(made[500]))
        scanning = asyncio.create_task(world.run_jobs())
        writes = 0
        while not scanning.done():
            one = UUID(made[writes * 7 % 499])
            async with writer.transaction():
                await writer.fetch("SELECT FROM customers WHERE customer_id = $1 FOR UPDATE", one)
                await writer.execute("UPDATE customers SET version = version + 1 WHERE customer_id = $1", one)
            writes += 1
            await asyncio.sleep(0.002)
        assert writes > 20
        await other.execute("ROLLBACK")
        job = (await head.get(started.headers["location"])).json()
        assert (job["state"], job["done"]) == ("done", 1_000)
        for connection in (other, writer):
            await connection.close()

    in_the_api(database, scenario)
