"""Fixes over HTTP: one, many, by themselves; and every one of them back."""

import asyncio
from typing import Any

import asyncpg
import pytest

from service.db.session import without_principal
from service.jobs.mending import keep_mended
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.quality import a_finding

_MOVING = {"version", "updated_at"}


async def found(world: Api, customer_id: str, code: str, field: str, **besides: Any) -> str:
    return await a_finding(world.container.pool, world.tenant.tenant_id, customer_id, code, field, **besides)


async def customer(client: Client, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/customers", json=fields)
    assert answer.status_code == 201, answer.text
    return await read(client, answer.json()["customer_id"])


async def read(client: Client, customer_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/customers/{customer_id}")).json())


async def clear(client: Client, customer_id: str) -> list[dict[str, Any]]:
    answer = await client.post(f"/v1/customers/{customer_id}/reveal", json={"reason": "test"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["contacts"])


async def crowd(world: Api, client: Client, size: int) -> list[str]:
    """Customers whose family names are written small, each with its finding."""
    ids = []
    for number in range(size):
        one = await customer(client, family_name="иванов", given_name=f"Иван{chr(1072 + number)}", city="Казань")
        ids.append(one["customer_id"])
        await found(world, one["customer_id"], "letter-case", "family_name")
    return ids


def steady(card: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name not in _MOVING}


def test_a_typing_error_in_an_email_is_fixed_and_the_fix_undone(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        before = await customer(
            head, family_name="Иванов", contacts=[{"kind": "email", "value": "ivanov@gmial.com", "label": "work"}]
        )
        one = before["customer_id"]
        (contact,) = before["contacts"]
        issue = await found(world, one, "email-domain-typo", "contacts", detail_id=contact["detail_id"])

        seen = (await head.get(f"/v1/quality/issues/{issue}/fix")).json()
        assert seen["outcome"] == "fixed"
        assert seen["changes"][0]["before"] == contact["value"]
        assert "ivanov@" not in str(seen)

        fixed = await head.post(f"/v1/quality/issues/{issue}/fix")
        assert fixed.status_code == 200, fixed.text
        (now,) = await clear(head, one)
        assert now["value"] == "ivanov@gmail.com"
        assert now["detail_id"] == contact["detail_id"]
        again = await head.post(f"/v1/quality/issues/{issue}/fix")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/issue-closed")

        undone = await head.post(f"/v1/quality/fixes/{fixed.json()['fix_id']}/undo")
        assert undone.status_code == 200, undone.text
        assert undone.json()["undone_at"]
        (back,) = await clear(head, one)
        assert back["value"] == "ivanov@gmial.com"
        after = await read(head, one)
        assert steady(after) == steady(before)
        assert after["version"] == before["version"] + 2

    in_the_api(database, scenario)


def test_many_are_tried_then_fixed_and_the_run_taken_back(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        ids = await crowd(world, head, 5)
        before = [await read(head, one) for one in ids]
        asked = {"codes": ["letter-case"], "min_confidence": 0.5}

        tried = (await head.post("/v1/quality/fixes", json=asked)).json()
        assert (tried["run_id"], tried["counts"]) == (None, {"fixed": 5})
        assert tried["items"][0]["changes"] == [
            {"field": "family_name", "kind": None, "detail_id": None, "before": "иванов", "after": "Иванов"}
        ]
        assert [await read(head, one) for one in ids] == before, "a dry run changes nothing"

        done = (await head.post("/v1/quality/fixes", json=asked | {"dry_run": False})).json()
        assert (done["counts"], done["items"], done["next"]) == ({"fixed": 5}, [], None)
        assert {(await read(head, one))["family_name"] for one in ids} == {"Иванов"}
        by_name = (await head.get("/v1/customers", params={"q": "Иванов"})).json()["items"]
        assert len(by_name) == 5
        kept = (await head.get("/v1/quality/fixes", params={"run_id": done["run_id"], "limit": 3})).json()
        assert (len(kept["items"]), kept["items"][0]["automatic"]) == (3, False)
        rest = await head.get(
            "/v1/quality/fixes", params={"run_id": done["run_id"], "limit": 3, "cursor": kept["next_cursor"]}
        )
        assert len(rest.json()["items"]) == 2

        await head.patch(f"/v1/customers/{ids[0]}", json={"family_name": "Петров"})
        undone = (await head.post(f"/v1/quality/runs/{done['run_id']}/undo")).json()
        assert len(undone["undone"]) == 4
        (conflict,) = undone["conflicts"]
        assert (conflict["code"], conflict["changed"]) == (
            "fix-not-undoable",
            [{"field": "family_name", "detail_id": None}],
        )
        assert (await read(head, ids[0]))["family_name"] == "Петров"
        assert [steady(await read(head, one)) for one in ids[1:]] == [steady(one) for one in before[1:]]
        again = (await head.post("/v1/quality/fixes", json=asked)).json()
        assert again["counts"] == {}, "what was undone is not proposed again"

    in_the_api(database, scenario)


def test_a_rule_a_filter_and_a_confidence_choose_what_is_fixed(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await crowd(world, head, 2)
        other = await customer(head, family_name="петров", city="Пермь")
        await found(world, other["customer_id"], "letter-case", "family_name", severity="note")

        async def counts(**asked: Any) -> dict[str, int]:
            answer = await head.post("/v1/quality/fixes", json={"min_confidence": 0.5} | asked)
            assert answer.status_code == 200, answer.text
            return dict(answer.json()["counts"])

        assert await counts(text='city = "Казань"') == {"fixed": 2}
        assert await counts(rule={"kind": "field", "field": "city", "op": "eq", "value": "Пермь"}) == {"fixed": 1}
        assert await counts(severities=["note"]) == {"fixed": 1}
        assert await counts(causes=["entry"]) == {"fixed": 3}
        assert await counts(causes=["stale"]) == {}
        assert await counts(customer_id=other["customer_id"]) == {"fixed": 1}
        assert await counts(curator_id="019377a4-6c00-7000-8000-000000000001") == {}
        assert await counts(fields=["city"]) == {}
        # As sure as the check is now, whatever was kept.
        assert await counts(codes=["letter-case"], min_confidence=0.97) == {"unsure": 3}
        assert await counts(codes=["letter-case"], min_confidence=1) == {}
        nothing = await head.post("/v1/quality/fixes", json={"min_confidence": 0.5})
        assert nothing.json()["type"] == "/problems/nothing-chosen"
        page = (await head.post("/v1/quality/fixes", json={"causes": ["entry"], "limit": 2})).json()
        rest = (await head.post("/v1/quality/fixes", json={"causes": ["entry"], "after": page["next"]})).json()
        assert (page["counts"], rest["counts"]) == ({"fixed": 2}, {"fixed": 1})

    in_the_api(database, scenario)


def test_the_same_key_fixes_once(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await crowd(world, head, 2)
        asked = {"codes": ["letter-case"], "dry_run": False}
        key = {"Idempotency-Key": "once"}
        one = await head.post("/v1/quality/fixes", json=asked, headers=key)
        two = await head.post("/v1/quality/fixes", json=asked, headers=key)
        assert one.json()["counts"] == {"fixed": 2}
        assert one.json() == two.json()

    in_the_api(database, scenario)


def test_whose_word_a_value_was_comes_back_with_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        (one,) = await crowd(world, head, 1)
        await head.post(f"/v1/customers/{one}/verify", json={"fields": ["family_name"]})
        path = f"/v1/customers/{one}/provenance"

        async def word() -> dict[str, Any]:
            fields = (await head.get(path)).json()["fields"]
            return dict(next(field for field in fields if field["field"] == "family_name"))

        before = await word()
        done = (await head.post("/v1/quality/fixes", json={"codes": ["letter-case"], "dry_run": False})).json()
        now = await word()
        assert (now["source"], now["verified_at"]) == ("fix", None)
        await head.post(f"/v1/quality/runs/{done['run_id']}/undo")
        assert await word() == before
        timeline = (await head.get(f"/v1/customers/{one}/timeline")).text
        assert "Иванов" in timeline

    in_the_api(database, scenario)


def test_what_is_sure_enough_is_fixed_by_itself_and_undone_for_good(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        mend = world.services.mending.mend_tenant
        ids = await crowd(world, head, 2)
        unsure = await customer(head, family_name="Ivanov")
        await found(world, unsure["customer_id"], "latin-name", "family_name")
        restricted = await customer(head, family_name="сидоров")
        await found(world, restricted["customer_id"], "letter-case", "family_name")
        closed = await head.post(f"/v1/customers/{restricted['customer_id']}/restrict", json={"reason": "disputed"})
        assert closed.json()["restricted_at"]
        assert await mend(world.tenant.tenant_id) == 0, "nobody has asked for it"

        refused = await head.patch("/v1/policies", json={"quality": {"fix_above": 0.5}})
        assert refused.status_code == 422
        policies = await head.patch("/v1/policies", json={"quality": {"fix_above": 0.9}})
        assert policies.json()["quality"]["fix_above"] == 0.9
        assert await mend(world.tenant.tenant_id) == 2
        assert {(await read(head, one))["family_name"] for one in ids} == {"Иванов"}
        assert (await read(head, unsure["customer_id"]))["family_name"] == "Ivanov"
        assert (await read(head, restricted["customer_id"]))["family_name"] == "сидоров"
        (fix, *_) = (await head.get("/v1/quality/fixes", params={"customer_id": ids[0]})).json()["items"]
        assert fix["automatic"]

        await head.post(f"/v1/quality/fixes/{fix['fix_id']}/undo")
        assert await mend(world.tenant.tenant_id) == 0
        assert (await read(head, ids[0]))["family_name"] == "иванов"
        told = (await head.get("/v1/audit", params={"action": "quality.fix"})).json()["items"]
        assert told
        off = await head.patch("/v1/policies", json={"quality": {"fix_above": None}})
        assert off.json()["quality"]["fix_above"] is None

    in_the_api(database, scenario)


def test_a_scan_finds_a_fix_mends_and_an_undo_is_not_found_again(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        one = await customer(
            head, family_name="Иванов", given_name="Пётр", contacts=[{"kind": "email", "value": "petr@gmial.com"}]
        )

        async def issues(state: str) -> list[Any]:
            await head.post("/v1/quality/scans", json={"scope": "all"})
            await world.run_jobs()
            answer = await head.get("/v1/quality/issues", params={"code": "email-domain-typo", "state": state})
            assert answer.status_code == 200, answer.text
            return list(answer.json()["items"])

        (issue,) = await issues("open")
        issue_id = issue.get("issue_id") or issue["finding_id"]
        fixed = (await head.post(f"/v1/quality/issues/{issue_id}/fix")).json()
        assert await issues("open") == []
        assert (await clear(head, one["customer_id"]))[0]["value"] == "petr@gmail.com"
        assert (await head.post(f"/v1/quality/fixes/{fixed['fix_id']}/undo")).status_code == 200
        assert await issues("open") == []
        assert len(await issues("dismissed")) == 1
        assert (await head.post(f"/v1/quality/issues/{issue_id}/reopen")).status_code == 200
        assert len(await issues("open")) == 1

    in_the_api(database, scenario)


def test_tasks_are_due_by_severity_or_by_the_day_that_was_set(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna, boris = await world.client(reach="own"), await world.client(reach="own")
        head = await world.client()
        mine = await customer(anna, family_name="иванов")
        theirs = await customer(boris, family_name="петров")
        error = await found(world, mine["customer_id"], "phone-fake", "contacts", severity="error", proposal=None)
        note = await found(world, mine["customer_id"], "letter-case", "family_name", severity="note")
        foreign = await found(world, theirs["customer_id"], "letter-case", "family_name")

        tasks = (await anna.get("/v1/quality/tasks")).json()["items"]
        assert [one["issue_id"] for one in tasks] == [error, note]
        assert [one["fixable"] for one in tasks] == [False, True]
        first = (await anna.get("/v1/quality/tasks", params={"limit": 1})).json()
        second = await anna.get("/v1/quality/tasks", params={"limit": 1, "cursor": first["next_cursor"]})
        assert [one["issue_id"] for one in (*first["items"], *second.json()["items"])] == [error, note]

        today = world.services.clock.today("Europe/Moscow").isoformat()
        assert (await anna.put(f"/v1/quality/issues/{note}/due", json={"due_on": today})).status_code == 200
        assert (await anna.get("/v1/quality/tasks")).json()["items"][0]["issue_id"] == note
        assert (await anna.put(f"/v1/quality/issues/{note}/due", json={"due_on": "2020-01-01"})).status_code == 422
        assert (await anna.put(f"/v1/quality/issues/{foreign}/due", json={"due_on": today})).status_code == 404
        assert (await anna.get("/v1/quality/tasks", params={"overdue": True})).json()["items"] == []

        assert (await anna.get("/v1/quality/tasks", params={"curator_id": str(boris.principal.staff_id)})).json()[
            "items"
        ] == []
        of_boris = await head.get("/v1/quality/tasks", params={"curator_id": str(boris.principal.staff_id)})
        assert [one["issue_id"] for one in of_boris.json()["items"]] == [foreign]
        load = {one["curator_id"]: one for one in (await head.get("/v1/quality/tasks/curators")).json()["items"]}
        assert load[str(anna.principal.staff_id)] | {"next_due_on": None} == {
            "curator_id": str(anna.principal.staff_id),
            "open": 2,
            "overdue": 0,
            "customers": 1,
            "next_due_on": None,
        }
        assert list(load) == sorted(load)
        assert len((await anna.get("/v1/quality/tasks/curators")).json()["items"]) == 1

        await head.patch("/v1/policies", json={"quality": {"due_days_error": 0}})
        assert (await anna.get("/v1/quality/tasks")).json()["items"][0]["due_on"] == today

    in_the_api(database, scenario)


def test_what_was_verified_is_stale_no_longer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        one = await customer(
            head, family_name="Иванов", city="Казань", contacts=[{"kind": "phone", "value": "+7 921 123-45-67"}]
        )
        (contact,) = one["contacts"]
        at = {"cause": "stale", "proposal": None}
        await found(world, one["customer_id"], "phone-stale", "contacts", detail_id=contact["detail_id"], **at)
        await found(world, one["customer_id"], "address-stale", "city", **at)
        other = await found(world, one["customer_id"], "letter-case", "city")
        curated = {"curator_id": str(head.principal.staff_id)}
        await head.patch(f"/v1/customers/{one['customer_id']}", json=curated)

        async def left() -> list[str]:
            items = (await head.get("/v1/quality/tasks")).json()["items"]
            return sorted(item["code"] for item in items)

        assert await left() == ["address-stale", "letter-case", "phone-stale"]
        path = f"/v1/customers/{one['customer_id']}/verify"
        await head.post(path, json={"contacts": [contact["detail_id"]]})
        assert await left() == ["address-stale", "letter-case"]
        await head.post(path, json={})
        assert await left() == ["letter-case"]
        assert (await head.get(f"/v1/quality/issues/{other}/fix")).json()["outcome"] == "gone"

    in_the_api(database, scenario)


def test_what_cannot_be_fixed_says_why(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        one = await customer(head, family_name="нет")
        filler = await found(world, one["customer_id"], "filler", "family_name")
        preview = (await head.get(f"/v1/quality/issues/{filler}/fix")).json()
        assert (preview["outcome"], preview["changes"]) == ("unfixable", [])
        assert (await head.post(f"/v1/quality/issues/{filler}/fix")).json()["type"] == "/problems/issue-without-fix"
        # What only the whole base can tell is mended as it was proposed then.
        emptied = {"changes": [{"field": "family_name", "before": "нет", "after": None, "detail_id": None}]}
        nameless = await found(world, one["customer_id"], "joke", "family_name", proposal=emptied | {"confidence": 0.9})
        preview = (await head.get(f"/v1/quality/issues/{nameless}/fix")).json()
        assert (preview["outcome"], preview["problem"]) == ("refused", "name-missing")
        assert (await head.post(f"/v1/quality/issues/{nameless}/fix")).json()["type"] == "/problems/name-missing"
        role = await customer(head, family_name="Иванов", contacts=[{"kind": "email", "value": "info@example.org"}])
        detail_id = role["contacts"][0]["detail_id"]
        issue = await found(world, role["customer_id"], "email-role", "contacts", detail_id=detail_id, proposal=None)
        assert (await head.post(f"/v1/quality/issues/{issue}/fix")).json()["type"] == "/problems/issue-without-fix"
        mended = await found(world, role["customer_id"], "letter-case", "family_name")
        gone = await head.post(f"/v1/quality/issues/{mended}/fix")
        assert (gone.status_code, gone.json()["type"]) == (409, "/problems/issue-closed")
        dismissed = await head.post(f"/v1/quality/issues/{issue}/dismiss", json={"reason": "that is how it is"})
        assert dismissed.json()["state"] == "dismissed"
        twice = await head.post(f"/v1/quality/issues/{issue}/dismiss", json={})
        assert twice.json()["type"] == "/problems/issue-closed"
        assert (await head.post(f"/v1/quality/issues/{mended}/reopen")).status_code == 409

    in_the_api(database, scenario)


def test_a_fix_undone_twice_and_one_whose_contact_is_gone_are_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        one = await customer(head, family_name="Иванов", contacts=[{"kind": "email", "value": "ivanov@gmial.com"}])
        path, detail_id = f"/v1/customers/{one['customer_id']}", one["contacts"][0]["detail_id"]
        issue = await found(world, one["customer_id"], "email-domain-typo", "contacts", detail_id=detail_id)
        fix = (await head.post(f"/v1/quality/issues/{issue}/fix")).json()
        await head.patch(path, json={"contacts": []})
        refused = await head.post(f"/v1/quality/fixes/{fix['fix_id']}/undo")
        assert refused.json()["type"] == "/problems/fix-not-undoable"
        assert refused.json()["changed"] == [{"field": "contacts", "detail_id": detail_id}]
        await head.patch(path, json={"contacts": [{"kind": "email", "value": "ivanov@gmial.com"}]})
        detail_id = (await read(head, one["customer_id"]))["contacts"][0]["detail_id"]
        issue = await found(world, one["customer_id"], "email-domain-typo", "contacts", detail_id=detail_id)
        fix = (await head.post(f"/v1/quality/issues/{issue}/fix")).json()
        assert (await head.post(f"/v1/quality/fixes/{fix['fix_id']}/undo")).status_code == 200
        again = await head.post(f"/v1/quality/fixes/{fix['fix_id']}/undo")
        assert again.json()["type"] == "/problems/fix-undone"

    in_the_api(database, scenario)


def test_two_who_fix_the_same_at_once_fix_it_once(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        (one,) = await crowd(world, head, 1)
        asked = {"codes": ["letter-case"], "dry_run": False}
        answers = await asyncio.gather(*(head.post("/v1/quality/fixes", json=asked) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert sum(answer.json()["counts"].get("fixed", 0) for answer in answers) == 1
        assert len((await head.get("/v1/quality/fixes", params={"customer_id": one})).json()["items"]) == 1
        fixed = await head.get("/v1/quality/issues", params={"customer_id": one, "state": "fixed"})
        assert len(fixed.json()["items"]) == 1

    in_the_api(database, scenario)


def test_what_was_there_before_is_closed_to_people_and_goes_with_the_person(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        one = await customer(head, family_name="Иванов", contacts=[{"kind": "email", "value": "ivanov@gmial.com"}])
        detail_id = one["contacts"][0]["detail_id"]
        issue = await found(world, one["customer_id"], "email-domain-typo", "contacts", detail_id=detail_id)
        fix = (await head.post(f"/v1/quality/issues/{issue}/fix")).json()
        pool = world.container.pool
        setting = f"SET LOCAL app.tenant = '{world.tenant.tenant_id}'; SET LOCAL app.reach = 'tenant'"
        for role in ("clientbase_own", "clientbase_team", "clientbase_tenant", "clientbase_reveal"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with without_principal(pool, f"BEGIN; SET LOCAL ROLE {role}; {setting}") as connection:
                    await connection.fetch("SELECT images FROM quality_fixes")
        own = f"BEGIN; SET LOCAL ROLE clientbase_mender; {setting}; SET LOCAL app.reach = 'own'"
        async with without_principal(pool, own) as connection:
            assert await connection.fetch("SELECT images FROM quality_fixes") == [], "a stranger's reach holds here too"
        stranger = await world.client(reach="own")
        assert (await stranger.post(f"/v1/quality/fixes/{fix['fix_id']}/undo")).status_code == 404
        assert (await stranger.get("/v1/quality/fixes")).json()["items"] == []

        erased = await head.post(
            f"/v1/customers/{one['customer_id']}/erase",
            json={"confirm": one["customer_id"], "reason": "asked", "asked_on": "2026-11-20"},
        )
        assert erased.status_code == 201, erased.text
        whole = f"BEGIN; SET LOCAL ROLE clientbase_mender; {setting}"
        async with without_principal(pool, whole) as connection:
            assert await connection.fetch("SELECT images FROM quality_fixes") == []

    in_the_api(database, scenario)


def test_the_worker_mends_each_tenant_whatever_becomes_of_the_others() -> None:
    asked: list[int] = []
    shutdown = asyncio.Event()

    async def tenants() -> list[int]:
        return [1, 2, 3]

    async def mend(tenant_id: int) -> int:
        asked.append(tenant_id)
        if len(asked) == 5:
            shutdown.set()
        if tenant_id == 2:
            raise ValueError("broken")
        return 1

    asyncio.run(asyncio.wait_for(keep_mended(tenants, mend, shutdown, every_s=0.01), 5))
    assert asked == [1, 2, 3, 1, 2, 3]
