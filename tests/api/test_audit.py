"""The audit trail: who may read it, by what, that reading it is in it, and what is refused."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg

from service.db.audit_seals import PgSealer
from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import PERSON, make, problem
from tests.postgres import TestDatabase

_REASON = {"reason": "Call back about order 1001"}


async def trail(client: Client, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit", params={"limit": 200} | asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def seal_all(world: Api) -> None:
    """Until nothing waits: work in other databases of the server holds the horizon back for a moment."""
    sealer = PgSealer(world.container.pool)
    for _ in range(300):
        await sealer.seal()
        if not (await sealer.backlog()).rows:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("somebody keeps a transaction open")


def test_the_trail_is_found_by_person_record_kind_outcome_and_period(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client()
        one = (await make(anna, contacts=[{"kind": "phone", "value": "+79123456789"}]))["customer_id"]
        other = (await make(head))["customer_id"]
        assert (await anna.post(f"/v1/customers/{one}/reveal", json=_REASON)).status_code == 200
        reveals = await trail(head, action="contacts.reveal")
        assert [(row["staff_id"], row["entity_id"], row["reason"]) for row in reveals] == [
            (str(anna.principal.staff_id), one, _REASON["reason"])
        ]
        assert {row["staff_id"] for row in await trail(head, staff_id=str(anna.principal.staff_id))} == {
            str(anna.principal.staff_id)
        }
        assert {row["action"] for row in await trail(head, record_id=one)} >= {"customers.create", "contacts.reveal"}
        assert "customers.create" in {row["action"] for row in await trail(head, record_id=other)}
        assert await trail(head, outcome="refused") == []
        assert await trail(head, until="2020-01-01T00:00:00Z") == []
        assert await trail(head, since="2020-01-01T00:00:00Z", action="contacts.reveal") == reveals
        # Reading is told as well, with the question.
        reads = await trail(head, action="audit.read", record_id=one)
        assert {row["staff_id"] for row in reads} == {str(head.principal.staff_id)}

    in_the_api(database, scenario)


def test_a_look_for_a_contact_is_told_with_what_it_found_and_without_the_contact(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client()
        contact = {"kind": "phone", "value": "+79123456789"}
        ids = [(await make(anna, contacts=[contact]))["customer_id"] for _ in range(2)]
        only = {"kind": "email", "value": "only@example.com"}
        alone = (await make(anna, contacts=[only]))["customer_id"]
        for asked in (contact, only, {"kind": "phone", "value": "+79990000000"}):
            answer = await anna.post("/v1/customers/search?fields=display_name", json={"contact": asked})
            assert answer.status_code == 200, answer.text
        assert all(set(item) == {"display_name"} for item in answer.json()["items"])
        assert (await anna.post("/v1/customers/search", json={"q": "иван"})).status_code == 200  # no look for a contact
        rows = await trail(head, action="customers.probe")
        assert [(row["records"], row["entity_id"], row["detail"]["contact"]) for row in rows] == [
            (0, None, "phone"),
            (1, alone, "email"),
            (2, None, "phone"),
        ]
        assert "912345" not in str(rows)
        assert "only@" not in str(rows)
        for one in ids:
            assert [row["records"] for row in await trail(head, record_id=one, action="customers.probe")] == [2]

    in_the_api(database, scenario)


def test_pages_go_on_where_the_last_one_ended(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = [(await make(head))["customer_id"] for _ in range(7)]
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            asked = {"action": "customers.create", "limit": "3"} | cursor
            page = (await head.get("/v1/audit", params=asked)).json()
            seen += [row["entity_id"] for row in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == made[::-1]
        assert problem(await head.get("/v1/audit?cursor=x"))[1] == "bad-cursor"

    in_the_api(database, scenario)


def test_a_record_is_found_in_bulk_work_too(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        items = [PERSON | {"external_ids": [{"source": "", "external_id": f"B-{n}"}]} for n in range(5)]
        answer = await head.post("/v1/customers/batch", json={"items": items})
        third = answer.json()["items"][2]["customer_id"]
        rows = await trail(head, record_id=third)
        assert [row["action"] for row in rows] == ["customers.batch"]
        assert rows[0]["records"] == 5

    in_the_api(database, scenario)


def test_only_the_whole_tenant_reads_the_trail_and_no_other_tenant(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await make(head)
        for reach in ("own", "team"):
            narrow = await world.client(reach=reach, teams=("Волга",))
            for path in ("/v1/audit", "/v1/audit/verify"):
                assert problem(await narrow.get(path)) == (403, "tenant-reach-needed")
        without = await world.client(scopes=("customers:read",))
        assert problem(await without.get("/v1/audit")) == (403, "missing-scope")

    in_the_api(database, scenario)

    async def elsewhere(world: Api) -> None:
        head = await world.client()
        assert await trail(head) == []

    in_the_api(database, elsewhere)


def test_the_trail_is_verified_and_a_forgery_named(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for _ in range(4):
            await make(head)
        await seal_all(world)
        await world.container.sealing.anchor()
        seen = (await head.get("/v1/audit/verify")).json()
        assert (seen["intact"], seen["complete"], seen["checked"]) == (True, True, 4)
        assert seen["anchored_at"] is not None
        part = (await head.get("/v1/audit/verify?limit=2")).json()
        assert (part["complete"], part["through"], part["intact"]) == (False, 2, True)
        rest = (await head.get(f"/v1/audit/verify?after={part['through']}")).json()
        assert (rest["complete"], rest["intact"]) == (True, True)
        if database.superuser_url is not None:
            root = await asyncpg.connect(database.superuser_url)
            victim = await root.fetchval(
                "SELECT audit_id FROM audit_seals WHERE tenant_id = $1 AND seq = 3", world.tenant.tenant_id
            )
            await root.execute("UPDATE audit SET staff_id = gen_random_uuid() WHERE audit_id = $1", victim)
            await root.close()
            found = (await head.get("/v1/audit/verify")).json()
            assert not found["intact"]
            assert [(one["kind"], one["seq"], one["audit_id"]) for one in found["findings"]] == [
                ("row-changed", 3, str(victim))
            ]
        assert problem(await head.get("/v1/audit/verify?month=2026-13"))[1] == "no-month"
        assert problem(await head.get("/v1/audit/verify?after=999"))[1] == "audit-place-not-found"
        assert (await head.get("/v1/audit/verify?month=2001-01")).json()["checked"] == 0

    in_the_api(database, scenario)


def test_what_somebody_known_is_refused_is_in_the_trail(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach="own", scopes=("customers:read",))
        customer = (await make(head))["customer_id"]
        for _ in range(5):
            assert (await anna.post(f"/v1/customers/{customer}/reveal", json=_REASON)).status_code == 403
        # Nobody known, and nothing that exists: no rows.
        assert (await world.http.get("/v1/customers")).status_code == 401
        assert (await anna.get(f"/v1/customers/{customer}")).status_code == 404
        await world.services.refusals.flush()
        rows = await trail(head, outcome="refused")
        told = {(row["action"], row["staff_id"], row["entity_id"], row["detail"]["code"]) for row in rows}
        assert told == {("customers.reveal", str(anna.principal.staff_id), customer, "missing-scope")}
        assert sum(row["records"] for row in rows) == 5

    in_the_api(database, scenario)


def test_a_flood_of_refusals_stays_small_and_loses_none(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach="own", scopes=("customers:read",))
        answers = [await anna.post(f"/v1/customers/{UUID(int=n)}/reveal", json=_REASON) for n in range(60)]
        answers += [await anna.delete(f"/v1/customers/{UUID(int=1)}") for _ in range(200)]
        assert {answer.status_code for answer in answers} == {403}
        await world.services.refusals.flush()
        rows = await trail(head, outcome="refused")
        assert sum(row["records"] for row in rows) == 260
        assert sum(row["action"] == "customers.delete" for row in rows) < 20

    in_the_api(database, scenario)


def test_refusals_wait_while_they_cannot_be_written_and_no_answer_suffers(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna = await world.client(reach="own", scopes=("customers:read",))
        head = await world.client()
        owner = await asyncpg.connect(database.owner_url)
        await owner.execute("REVOKE INSERT ON audit FROM clientbase_own")
        try:
            assert (await anna.delete(f"/v1/customers/{UUID(int=1)}")).status_code == 403
            await world.services.refusals.flush()
        finally:
            await owner.execute("GRANT INSERT ON audit TO clientbase_own")
            await owner.close()
        assert await trail(head, outcome="refused") == []
        await world.services.refusals.flush()
        assert [row["records"] for row in await trail(head, outcome="refused")] == [1]

    in_the_api(database, scenario)


def test_an_erasure_takes_names_out_of_reasons_and_the_chain_holds(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        person = PERSON | {"family_name": "Переверзева", "external_ids": [], "contacts": []}
        customer = (await head.post("/v1/customers", json=person)).json()["customer_id"]
        other = (await make(head, contacts=[{"kind": "phone", "value": "+79123456789"}]))["customer_id"]
        for reason in ("Мария Переверзева asked for it", "Something else"):
            assert (await head.post(f"/v1/customers/{other}/reveal", json={"reason": reason})).status_code == 200
        await seal_all(world)
        order = {"confirm": customer, "reason": "The person asked for it"}
        erased = await head.post(f"/v1/customers/{customer}/erase", json=order)
        assert erased.status_code == 201, erased.text
        assert {row["reason"] for row in await trail(head, action="contacts.reveal")} == {None, "Something else"}
        await seal_all(world)
        seen = (await head.get("/v1/audit/verify")).json()
        assert (seen["findings"], seen["complete"]) == ([], True)

    in_the_api(database, scenario)


def test_the_trail_holds_no_personal_values(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        contacts = [{"kind": "phone", "value": "+79123456789"}, {"kind": "email", "value": "maria@example.com"}]
        customer = (await make(head, contacts=contacts))["customer_id"]
        await head.patch(f"/v1/customers/{customer}", json={"family_name": "Петрова", "city": "Омск"})
        await head.post(f"/v1/customers/{customer}/notes", json={"text": "Петрова called"})
        await head.post(f"/v1/customers/{customer}/reveal", json=_REASON)
        await head.post("/v1/customers/search", json={"contact": contacts[0]})
        await head.post("/v1/customers/tag", json={"add": ["vip"], "customer_ids": [customer]})
        staff = await head.post("/v1/staff", json={"subject": "anna@example.com", "name": "Анна", "scopes": []})
        await head.patch(f"/v1/staff/{staff.json()['staff_id']}", json={"name": "Анна Вторая", "state": "leaving"})
        rows = await trail(head)
        assert {"customers.create", "contacts.reveal", "staff.create", "staff.update"} <= {r["action"] for r in rows}
        told = "".join(map(str, rows))
        for value in ("9123456789", "maria@", PERSON["family_name"], "Петрова", "anna@", "Анна"):
            assert value not in told

    in_the_api(database, scenario)
