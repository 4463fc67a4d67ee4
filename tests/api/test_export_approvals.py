"""A file above the threshold leaves only when another person agrees, and is handed out once, or by a link."""

import csv
import io
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import pytest

from service.db.statement import sql
from service.domain.errors import DomainError
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_FILL = sql("""
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, family_name)
    SELECT :tenant, gen_random_uuid(), 'person', 'Иванов ' || i, '', 'Иванов'
    FROM generate_series(1, :rows::int) i
""")
_LATE = sql("UPDATE exports SET asked_at = now() - interval '73 hours' WHERE tenant_id = :tenant")
_WORDS = sql("SELECT count(*) FROM export_approvals WHERE tenant_id = :tenant")
_WORD = sql("""
    INSERT INTO export_approvals (tenant_id, export_id, round, staff_id, rows)
    VALUES (:tenant, :export_id::uuid, 1, :staff_id::uuid, 1)
""")
_AUDIT = sql("""
    SELECT action, staff_id, reason, detail FROM audit
    WHERE tenant_id = :tenant AND action LIKE 'exports.%' ORDER BY audit_id
""")


async def fill(api: Api, head: Client, rows: int) -> None:
    async with api.tenant.uow.begin(head.principal) as tx:
        await tx.session.execute(_FILL, rows=rows)
        await tx.commit()


async def threshold(head: Client, rows: int, **more: Any) -> None:
    answer = await head.patch("/v1/policies", json={"exports": {"approval_above_rows": rows, **more}})
    assert answer.status_code == 200, answer.text


async def ask(client: Client, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/exports", json={"what": "customers", "purpose": "a mailing", **more})
    assert answer.status_code == 202, answer.text
    started: dict[str, Any] = answer.json()
    return started


async def approve(client: Client, started: dict[str, Any], **body: Any) -> httpx.Response:
    return await client.post(f"/v1/exports/{started['export_id']}/approve", json=body)


async def state(client: Client, started: dict[str, Any]) -> str:
    answer = await client.get(f"/v1/exports/{started['export_id']}")
    return str(answer.json()["state"])


async def fetch(client: Client, started: dict[str, Any], link: str | None = None) -> httpx.Response:
    return await client.get(link or f"/v1/exports/{started['export_id']}/file")


async def draw(client: Client, started: dict[str, Any]) -> str:
    answer = await client.post(f"/v1/exports/{started['export_id']}/link")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_above_the_threshold_nothing_leaves_before_another_person_agrees(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, boss = await api.client(), await api.client()
        await threshold(head, 3)
        await fill(api, head, 3)
        below = await ask(head)
        assert below["state"] == "queued"
        await fill(api, head, 1)
        started = await ask(head, columns=["display_name"], filters={"kind": "person"})
        assert (started["state"], started["job_id"]) == ("awaiting_approval", None)
        await api.run_jobs()
        assert await state(head, started) == "awaiting_approval"
        assert problem(await fetch(head, started)) == (409, "export-not-ready")
        [waiting] = (await boss.get("/v1/exports/awaiting")).json()["items"]
        seen = {name: waiting[name] for name in ("columns", "filters", "asked_rows", "purpose", "staff_id", "contacts")}
        assert seen == {
            "columns": ["display_name"],
            "filters": {"kind": "person"},
            "asked_rows": 4,
            "purpose": "a mailing",
            "staff_id": str(head.principal.staff_id),
            "contacts": None,
        }
        assert problem(await approve(boss, started, rows=5)) == (409, "export-rows-changed")
        agreed = await approve(boss, started, rows=4)
        assert (agreed.status_code, agreed.json()["state"]) == (200, "queued"), agreed.text
        assert problem(await approve(boss, started)) == (409, "export-not-awaiting")
        await api.run_jobs()
        assert await state(head, started) == "done"
        assert len((await fetch(head, started)).text.splitlines()) == 5
        trail = await _audit(api, head)
        by = {row["action"]: row["staff_id"] for row in trail}
        assert by["exports.approve"] == boss.principal.staff_id
        [made] = [row for row in trail if row["action"] == "exports.create" and row["detail"]["approved_by"]]
        assert made["detail"]["approved_by"] == [str(boss.principal.staff_id)]

    in_the_api(database, scenario)


async def _audit(api: Api, head: Client) -> list[Any]:
    async with api.tenant.uow.begin(head.principal) as tx:
        return list(await tx.session.fetch(_AUDIT))


def test_who_asked_or_cannot_see_the_records_or_has_no_right_decides_nothing(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await threshold(head, 0)
        await fill(api, head, 1)
        started = await ask(head)
        lead = await api.client(reach="team", teams=("north",))
        clerk = await api.client(scopes=("exports:create", "customers:read"))
        for client, told in (
            (head, (403, "export-approver-unfit")),
            (lead, (404, "export-not-found")),
            (clerk, (403, "missing-scope")),
        ):
            assert problem(await approve(client, started)) == told
            refused = await client.post(f"/v1/exports/{started['export_id']}/reject", json={"reason": "no such thing"})
            assert problem(refused) == told
        assert (await head.get("/v1/exports/awaiting")).json()["items"] == []
        assert (await lead.get("/v1/exports/awaiting")).json()["items"] == []
        stranger = await api.client()
        missing = {"export_id": "019377a4-6c00-7000-8000-000000000001"}
        assert problem(await approve(stranger, missing)) == (404, "export-not-found")
        assert await state(head, started) == "awaiting_approval"

    in_the_api(database, scenario)


def test_a_file_cut_in_pieces_needs_approval_too(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await threshold(head, 5)
        await fill(api, head, 2)
        states = [(await ask(head))["state"] for _ in range(3)]
        assert states == ["queued", "queued", "awaiting_approval"]
        assert (await ask(await api.client()))["state"] == "queued"

    in_the_api(database, scenario)


def test_a_rejection_tells_why_and_makes_no_file(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, boss = await api.client(), await api.client()
        await threshold(head, 0)
        await fill(api, head, 1)
        started = await ask(head)
        path = f"/v1/exports/{started['export_id']}/reject"
        assert (await boss.post(path, json={"reason": "Called off"})).json()["state"] == "rejected"
        card = (await head.get(f"/v1/exports/{started['export_id']}")).json()
        assert (card["state"], card["error"]["detail"]) == ("rejected", "Called off")
        assert problem(await approve(boss, started)) == (409, "export-not-awaiting")
        await api.run_jobs()
        assert await state(head, started) == "rejected"

    in_the_api(database, scenario)


def test_what_grew_after_it_was_agreed_to_is_asked_again(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, boss = await api.client(), await api.client()
        await threshold(head, 0)
        await fill(api, head, 20)
        started = await ask(head)
        assert (await approve(boss, started)).status_code == 200
        await fill(api, head, 11)
        await api.run_jobs()
        card = (await head.get(f"/v1/exports/{started['export_id']}")).json()
        assert (card["state"], card["asked_rows"], card["approvals"]["given"]) == ("awaiting_approval", 31, [])
        assert (await approve(boss, started)).status_code == 200
        await fill(api, head, 10)
        await api.run_jobs()
        card = (await head.get(f"/v1/exports/{started['export_id']}")).json()
        assert (card["state"], card["rows"]) == ("done", 41)

    in_the_api(database, scenario)


def test_a_request_that_nobody_answers_lapses(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, boss = await api.client(), await api.client()
        await threshold(head, 0)
        await fill(api, head, 1)
        started = await ask(head)
        async with api.tenant.uow.begin(head.principal) as tx:
            await tx.session.execute(_LATE)
            await tx.commit()
        assert await state(head, started) == "lapsed"
        assert (await boss.get("/v1/exports/awaiting")).json()["items"] == []
        assert problem(await approve(boss, started)) == (409, "export-not-awaiting")

    in_the_api(database, scenario)


def test_a_migration_needs_two_others_and_is_whole_and_exact(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, boss, chief = await api.client(), await api.client(), await api.client()
        names = ("=1+1", "@cmd", "Ёлкин", "'=2")
        for number, name in enumerate(names):
            body = {"family_name": name, "contacts": [{"kind": "phone", "value": f"+7912000000{number}"}]}
            assert (await head.post("/v1/customers", json=body)).status_code == 201
        assert problem(
            await head.post(
                "/v1/exports", json={"what": "customers", "purpose": "move", "kind": "migration", "columns": ["city"]}
            )
        ) == (422, "export-migration-columns")
        lead = await api.client(reach="team", teams=("north",))
        body = {"what": "customers", "purpose": "move", "kind": "migration"}
        assert problem(await lead.post("/v1/exports", json=body)) == (403, "export-migration-reach")
        started = await ask(head, kind="migration")
        assert problem(await approve(head, started)) == (403, "export-approver-unfit")
        assert (await approve(boss, started)).json()["state"] == "awaiting_approval"
        assert problem(await approve(boss, started)) == (409, "export-approved-already")
        await api.run_jobs()
        assert await state(head, started) == "awaiting_approval"
        assert (await approve(chief, started)).json()["state"] == "queued"
        await api.run_jobs()
        rows = list(csv.DictReader(io.StringIO((await fetch(head, started)).content.decode(), newline="")))
        assert {row["family_name"] for row in rows} == set(names)
        assert {row["phone"] for row in rows} == {f"+7912000000{number}" for number in range(4)}
        assert {"orders", "created_at", "email"} <= set(rows[0])

    in_the_api(database, scenario)


def test_a_file_is_handed_out_once_and_a_link_works_once_for_its_maker(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, other = await api.client(), await api.client()
        await fill(api, head, 1)
        started = await ask(head, columns=["display_name"])
        await api.run_jobs()
        early = await draw(head, started)
        first = await fetch(head, started)
        assert first.status_code == 200
        assert problem(await fetch(head, started)) == (409, "export-fetched")
        assert problem(await fetch(other, started, early)) == (403, "export-of-another")
        assert (await api.http.get(early)).status_code == 401
        assert (await fetch(head, started, early)).content == first.content
        assert problem(await fetch(head, started, early)) == (404, "export-link-spent")
        assert problem(await fetch(head, started, early + "x")) == (404, "export-link-spent")
        assert problem(await other.post(f"/v1/exports/{started['export_id']}/link")) == (403, "export-of-another")
        async with api.tenant.uow.begin(head.principal) as tx:
            over = datetime.now(UTC) - timedelta(seconds=1)
            await tx.export_fetches.add_link(UUID(started["export_id"]), sha256(b"stale").digest(), over)
            await tx.commit()
        stale = early.partition("link=")[0] + "link=stale"
        assert problem(await fetch(head, started, stale)) == (404, "export-link-spent")
        foreign = await ask(head, columns=["display_name"])
        await api.run_jobs()
        misled = (await draw(head, foreign)).replace(foreign["export_id"], started["export_id"])
        assert problem(await fetch(head, started, misled)) == (404, "export-link-spent")
        # Refusals are told of too; these are what was given out.
        trail = [row["action"] for row in await _audit(api, head) if "clear" in row["detail"]]
        assert (trail.count("exports.download"), trail.count("exports.link")) == (2, 2)
        assert early.partition("link=")[2] not in str([dict(row) for row in await _audit(api, head)])

    in_the_api(database, scenario)


def test_a_tenant_may_have_files_deleted_once_fetched(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await threshold(head, 100, delete_after_fetch=True, kept_hours=2)
        await fill(api, head, 1)
        started = await ask(head, columns=["display_name"])
        await api.run_jobs()
        card = (await head.get(f"/v1/exports/{started['export_id']}")).json()
        assert card["expires_at"] is not None
        assert (await fetch(head, started)).text.startswith("display_name")
        assert problem(await fetch(head, started)) == (404, "export-expired")
        assert problem(await head.post(f"/v1/exports/{started['export_id']}/link")) == (404, "export-expired")
        async with api.tenant.uow.begin(head.principal) as tx:
            assert await tx.session.fetchval(sql("SELECT count(*) FROM files WHERE tenant_id = :tenant")) == 0

    in_the_api(database, scenario)


def test_nobody_agrees_to_his_own_export_in_the_database_either(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await threshold(head, 0)
        await fill(api, head, 1)
        started = await ask(head)
        boss = await api.client()
        for actor, named in ((head, head), (boss, head), (head, boss)):
            with pytest.raises(DomainError) as refused:
                async with api.tenant.uow.begin(actor.principal) as tx:
                    await tx.session.execute(
                        _WORD, export_id=started["export_id"], staff_id=str(named.principal.staff_id)
                    )
            assert "row-level security" in str(refused.value.__cause__)
        async with api.tenant.uow.begin(head.principal) as tx:
            assert await tx.session.fetchval(_WORDS) == 0

    in_the_api(database, scenario)
