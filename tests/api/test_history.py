"""Each write leaves its mark: what changed, since when a status holds, who answered, whose word a value is."""

import json
from typing import Any

from service.db.statement import sql
from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import make
from tests.postgres import TestDatabase

_EVENTS = sql("""
    SELECT kind, source, staff_id::text, detail FROM customer_events
    WHERE tenant_id = :tenant AND customer_id = :customer_id::uuid ORDER BY at, event_id
""")
_OWNERS = sql("""
    SELECT curator_id::text, team_id::text, from_curator_id::text, from_team_id::text, staff_id::text, assignment_id
    FROM ownerships WHERE tenant_id = :tenant AND customer_id = :customer_id::uuid ORDER BY at
""")
_KEPT = sql("SELECT import_id, provenance, status_at IS NULL AS never FROM customers WHERE tenant_id = :tenant")


async def told(client: Client, world: Api, customer_id: str) -> list[dict[str, Any]]:
    async with world.tenant.uow.begin(client.principal) as tx:
        return [dict(row) for row in await tx.session.fetch(_EVENTS, customer_id=customer_id)]


async def imported(client: Client, world: Api, text: str, **columns: str) -> str:
    mapping = json.dumps({"kind": "customers", "columns": {"external_id": "no", "family_name": "name"} | columns})
    started = await client.post(
        "/v1/imports", files={"file": ("c.csv", text)}, data={"mapping": mapping, "source": "shop"}
    )
    await world.run_jobs()
    import_id = str(started.json()["import_id"])
    assert (await client.get(f"/v1/imports/{import_id}")).json()["state"] == "done"
    return import_id


def test_a_change_tells_its_fields_and_contacts_only_masked(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        me = str(head.principal.staff_id)
        phone = {"kind": "phone", "value": "+7 912 345-67-89"}
        made = await make(head, contacts=[phone])
        path = f"/v1/customers/{made['customer_id']}"
        await head.patch(path, json={"city": "Пермь", "attributes": {"size": 42}})
        await head.patch(path, json={"city": "Пермь"})
        mail = {"kind": "email", "value": "maria@example.com"}
        await head.patch(path, json={"contacts": [mail]})
        events = await told(head, world, made["customer_id"])
        assert [(event["kind"], event["source"], event["staff_id"]) for event in events] == [
            ("created", "api", me),
            ("updated", "api", me),
            ("updated", "api", me),
        ]
        assert events[1]["detail"] == {"fields": {"city": ["Казань", "Пермь"], "attributes.size": [None, 42]}}
        assert events[2]["detail"] == {
            "contacts": {
                "added": [{"kind": "email", "value": "m•••@•••.com"}],
                "removed": [{"kind": "phone", "value": "+7 ••• ••• 67 89"}],
            }
        }

    in_the_api(database, scenario)


def test_a_status_is_dated_and_told(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head)
        assert made["status_at"] == made["created_at"]
        path = f"/v1/customers/{made['customer_id']}"
        same = (await head.patch(path, json={"status": "prospect", "city": "Омск"})).json()
        assert same["status_at"] == made["created_at"]
        lapsed = (await head.patch(path, json={"status": "lapsed"})).json()
        assert lapsed["status_at"] == lapsed["updated_at"] > made["created_at"]
        events = await told(head, world, made["customer_id"])
        assert [event["detail"] for event in events if event["kind"] == "status"] == [
            {"old": "prospect", "new": "lapsed"}
        ]

    in_the_api(database, scenario)


def test_the_first_counted_order_makes_a_customer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head)
        path = f"/v1/customers/{made['customer_id']}"
        order = {"customer_id": made["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "10"}
        await head.post("/v1/orders", json=order | {"status": "new"})
        assert (await head.get(path)).json()["status"] == "prospect"
        for _ in range(2):
            await head.post("/v1/orders", json=order)
        bought = (await head.get(path)).json()
        assert (bought["status"], bought["version"]) == ("customer", 2)
        assert bought["status_at"] == bought["updated_at"] > made["created_at"]
        events = [event for event in await told(head, world, made["customer_id"]) if event["kind"] == "status"]
        assert [(event["source"], event["detail"]) for event in events] == [
            ("api", {"old": "prospect", "new": "customer", "reason": "first_order"})
        ]

    in_the_api(database, scenario)


def test_a_new_curator_is_written_down_with_the_one_before(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(teams=("Волга",)), await world.client()
        me, her, team = str(head.principal.staff_id), str(anna.principal.staff_id), str(head.principal.teams[0])
        made = await make(head, curator_id=me)
        path = f"/v1/customers/{made['customer_id']}"
        await head.patch(path, json={"curator_id": her, "team_id": team})
        await head.patch(path, json={"curator_id": her, "city": "Тула"})
        async with world.tenant.uow.begin(head.principal) as tx:
            rows = [tuple(row.values()) for row in await tx.session.fetch(_OWNERS, customer_id=made["customer_id"])]
        assert rows == [(her, team, me, None, me, None)]
        assert [event["kind"] for event in await told(head, world, made["customer_id"])] == ["created", "updated"]

    in_the_api(database, scenario)


def test_an_import_tells_what_it_changed_and_nothing_of_what_it_made(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await imported(head, world, "no,name,city\n1,Иванова,Казань\n2,Петрова,Омск\n", city="city")
        listed = {one["family_name"]: one for one in (await head.get("/v1/customers")).json()["items"]}
        async with world.tenant.uow.begin(head.principal) as tx:
            kept = await tx.session.fetch(_KEPT)
        assert all(row["import_id"] is not None and row["provenance"] == [] and row["never"] for row in kept)
        assert await told(head, world, listed["Иванова"]["customer_id"]) == []
        second = await imported(head, world, "no,name,city\n1,Иванова,Пермь\n2,Петрова,Омск\n", city="city")
        events = await told(head, world, listed["Иванова"]["customer_id"])
        assert [(event["kind"], event["source"]) for event in events] == [("updated", f"import {second}")]
        assert events[0]["detail"] == {"fields": {"city": ["Казань", "Пермь"]}}
        assert await told(head, world, listed["Петрова"]["customer_id"]) == []

    in_the_api(database, scenario)


def test_orders_of_a_file_make_customers_of_those_known_before_and_tell_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head, external_ids=[{"source": "shop", "external_id": "1"}])
        columns = {"order_id": "o", "customer_id": "c", "ordered_at": "d", "total": "t"}
        mapping = json.dumps({"kind": "orders", "columns": columns})
        file = {"file": ("o.csv", "o,c,d,t\nA,1,2026-01-02,5\nB,2,2026-01-02,5\n")}
        started = await head.post("/v1/imports", files=file, data={"mapping": mapping, "source": "shop"})
        await world.run_jobs()
        people = (await head.get("/v1/customers")).json()["items"]
        assert [one["status"] for one in people] == ["customer", "customer"]
        fresh = next(one for one in people if one["customer_id"] != made["customer_id"])
        assert await told(head, world, fresh["customer_id"]) == []
        [_, event] = await told(head, world, made["customer_id"])
        assert (event["kind"], event["source"]) == ("status", f"import {started.json()['import_id']}")

    in_the_api(database, scenario)


def test_a_contact_that_stays_keeps_who_entered_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client()
        phone, mail = {"kind": "phone", "value": "+79123456789"}, {"kind": "email", "value": "maria@example.com"}
        made = await make(head, contacts=[phone])
        path = f"/v1/customers/{made['customer_id']}"
        same = phone | {"value": "8 (912) 345-67-89", "label": "mobile"}
        changed = (await anna.patch(path, json={"contacts": [mail, same]})).json()
        by_kind = {one["kind"]: one for one in changed["contacts"]}
        assert by_kind["phone"]["detail_id"] == made["contacts"][0]["detail_id"]
        assert by_kind["phone"]["label"] == "mobile"
        assert by_kind["phone"]["author_id"] == str(head.principal.staff_id)
        assert by_kind["email"]["author_id"] == str(anna.principal.staff_id)
        assert by_kind["email"]["source"] == "api"

    in_the_api(database, scenario)
