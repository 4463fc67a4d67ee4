"""An export by rule holds whom the rule means when it is written; own fields leave and come back; a migration takes no
canaries along."""

import csv
import io
from typing import Any

from service.db.statement import sql
from tests.api.support import Api, Client, in_the_api
from tests.api.test_export_approvals import ask, problem, threshold
from tests.api.test_export_marks import export, load, table
from tests.api.test_leaks import planted
from tests.postgres import TestDatabase

_AUDIT = sql("SELECT action, detail FROM audit WHERE tenant_id = :tenant AND action LIKE 'exports.%' ORDER BY audit_id")
_NOTED = sql("SELECT count(*) FROM chosen_customers WHERE tenant_id = :tenant")
_HELD = sql("""
    SELECT r.customer_ids FROM export_records r
    WHERE r.tenant_id = :tenant AND r.export_id = :export_id::uuid ORDER BY r.first_id
""")


async def _add(client: Client, family_name: str, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json={"family_name": family_name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _define(head: Client, name: str, kind: str, **more: Any) -> None:
    answer = await head.post("/v1/attributes", json={"name": name, "kind": kind, **more})
    assert answer.status_code == 201, answer.text


def test_a_rule_chooses_within_reach_in_either_form_and_beside_filters(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        for client, name, city in (
            (head, "Иванов", "Казань"),
            (head, "Иванова", "Тула"),
            (anna, "Ивлева", "Казань"),
            (anna, "Петрова", "Казань"),
        ):
            await _add(client, name, city=city)
        starts = {"kind": "field", "field": "name", "op": "starts_with", "value": "ив"}
        for client, chosen, found in (
            (head, {"rule": starts}, {"Иванов", "Иванова", "Ивлева"}),
            (head, {"rule": starts, "filters": {"city": "Казань"}}, {"Иванов", "Ивлева"}),
            (head, {"text": 'not name starts with "ив"'}, {"Петрова"}),
            (anna, {"text": 'name starts with "ив" and city = "казань"'}, {"Ивлева"}),
            (anna, {"text": "orders.count >= 1"}, set()),
            (head, {"text": 'city = "казань"', "group": "champions"}, set()),
        ):
            _, rows = await export(client, api, "display_name", "phone", **chosen)
            assert {row["display_name"].strip() for row in rows} == found, chosen
        async with api.tenant.uow.begin(head.principal) as tx:
            assert await tx.session.fetchval(_NOTED) == 0

    in_the_api(database, scenario)


def test_who_decides_reads_the_rule_and_the_trail_only_its_fields(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, boss = await api.client(), await api.client()
        await threshold(head, 0)
        await _add(head, "Тайнова", city="Казань")
        rule = {
            "kind": "all",
            "of": [
                {"kind": "field", "field": "name", "op": "contains", "value": "Тайнова"},
                {"kind": "not", "rule": {"kind": "orders", "measure": "sum", "op": "ge", "value": "50000.50"}},
                {"kind": "field", "field": "created_at", "op": "ge", "value": {"today": -30}},
            ],
        }
        started = await ask(head, rule=rule, columns=["city"])
        [waiting] = (await boss.get("/v1/exports/awaiting")).json()["items"]
        text = 'name contains "Тайнова" and not orders.sum >= 50000.50 and created_at >= today - 30 days'
        assert (waiting["asked_rows"], waiting["rule"]) == (1, waiting["rule"])
        assert waiting["rule"].replace("50000.5 ", "50000.50 ") == text
        # It means whom it means by the time it is carried out, as far as that is not many more.
        await _add(head, "Тайнова")
        assert (await boss.post(f"/v1/exports/{started['export_id']}/approve", json={})).status_code == 200
        await api.run_jobs()
        done = (await head.get(f"/v1/exports/{started['export_id']}")).json()
        assert (done["state"], done["rows"], done["rule"]) == ("done", 2, waiting["rule"])
        async with api.tenant.uow.begin(head.principal) as tx:
            trail = [row for row in await tx.session.fetch(_AUDIT) if "rule_fields" in row["detail"]]
        assert len(trail) >= 2
        for row in trail:
            assert row["detail"]["rule_fields"] == ["created_at", "name", "orders"]
            assert "Тайнова" not in str(row["detail"])

    in_the_api(database, scenario)


def test_a_rule_asks_for_no_more_than_its_caller_may_see(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        narrow = await api.client(scopes=("exports:create", "customers:read"))
        body = {"what": "customers", "purpose": "a mailing", "columns": ["city"]}
        for client, more, refused in (
            (narrow, {"text": "orders.count >= 1"}, (422, "field-closed")),
            (head, {"text": 'phone = "+79123456789"'}, (422, "contacts-closed")),
            (head, {"text": "city ="}, (422, "rule-unreadable")),
            (head, {"rule": {"kind": "field", "field": "shoe", "op": "eq", "value": "42"}}, (422, "bad-rule")),
            (head, {"text": 'city = "x"', "rule": {"kind": "birthday", "within_days": 3}}, (422, "invalid-request")),
        ):
            assert problem(await client.post("/v1/exports", json=body | more)) == refused, more
        # A field that is gone by the time the job runs ends it.
        await _define(head, "shoe", "number")
        started = await ask(head, text="attributes.shoe >= 40", columns=["city"])
        assert (await head.delete("/v1/attributes/shoe")).status_code == 204
        await api.run_jobs()
        ended = (await head.get(f"/v1/exports/{started['export_id']}")).json()
        assert (ended["state"], ended["error"]["type"]) == ("failed", "/problems/bad-rule")

    in_the_api(database, scenario)


_ODD = '$1" ; --,«размер» ' + "я" * 60
_VALUES = {"tea": "=cmd|' /C calc'!A1", "size": -4.5, "vip": True, "since": "2024-02-29", "way": "post", _ODD: "plain"}


def test_own_fields_leave_harmless_and_come_back_as_they_were(database: TestDatabase) -> None:
    names = [f"attributes.{name}" for name in _VALUES]

    async def define(head: Client) -> None:
        for name, kind in (("tea", "text"), ("size", "number"), ("vip", "boolean"), ("since", "date"), (_ODD, "text")):
            await _define(head, name, kind)
        await _define(head, "way", "choice", choices=["post", "courier"])

    async def taken_out(api: Api) -> list[dict[str, str]]:
        head = await api.client()
        await define(head)
        await _add(head, "Иванов", attributes=_VALUES | {"undefined": "stays"})
        await _add(head, "Пустой")
        _, every = await export(head, api)
        assert set(names) <= set(every[0])
        assert "attributes.undefined" not in every[0]
        _, rows = await export(head, api, "family_name", *names)
        assert list(rows[0]) == ["family_name", *names]
        full, empty = sorted(rows, key=lambda row: row["family_name"].strip())
        assert full["attributes.tea"] == f"'{_VALUES['tea']}"
        assert (full["attributes.size"], full["attributes.vip"]) == ("-4.5", "true")
        assert set(list(empty.values())[1:]) == {""}
        body = {"what": "customers", "purpose": "move", "columns": ["attributes.teas"]}
        refused = await head.post("/v1/exports", json=body)
        assert problem(refused) == (422, "export-column-unknown")
        assert "attributes.tea" in refused.json()["detail"]
        return [full]

    rows = in_the_api(database, taken_out)

    async def taken_in(api: Api) -> None:
        head = await api.client()
        await define(head)
        text = table([["external_id", *rows[0]], ["1", *rows[0].values()]])
        await load(head, api, text, {name: name for name in ("external_id", *rows[0])})
        [one] = (await head.get("/v1/customers")).json()["items"]
        assert one["attributes"] == _VALUES

    in_the_api(database, taken_in)


def test_a_migration_leaves_canaries_behind_and_tells_nobody_before_it_is_agreed_to(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        boss, chief = await api.client(), await api.client()
        await _define(head, "tea", "text")
        real = await _add(anna, "Иванов", attributes={"tea": "=1+1"})
        started = await ask(head, kind="migration")
        card = f"/v1/exports/{started['export_id']}"
        # A request costs nothing and needs nobody: if it counted without canaries, a narrow one would tell one.
        assert (await head.get(card)).json()["asked_rows"] == 71
        for one in (boss, chief):
            assert (await one.post(f"{card}/approve", json={})).status_code == 200
        await api.run_jobs()
        done = (await head.get(card)).json()
        assert (done["state"], done["rows"], done["progress"]) == ("done", 61, {"done": 61, "total": 61})
        file = (await head.get(f"{card}/file")).content.decode()
        rows = {row["customer_id"]: row for row in csv.DictReader(io.StringIO(file, newline=""))}
        assert len(rows) == 61
        assert not set(canaries) & set(rows)
        assert rows[real]["attributes.tea"] == "=1+1"
        async with api.tenant.uow.begin(head.principal) as tx:
            ledger = await tx.session.fetch(_HELD, export_id=started["export_id"])
        assert {str(one) for row in ledger for one in row["customer_ids"]} == set(rows)
        assert (await head.get("/v1/leaks", params={"kind": "canary"})).json()["items"] == []
        # The control: a plain export of the same takes all of them along.
        _, plain = await export(head, api, "customer_id", "phone")
        assert len(plain) == 71
        [signal] = (await head.get("/v1/leaks", params={"kind": "canary"})).json()["items"]
        assert sorted(signal["evidence"]["canaries"]) == sorted(canaries)

    in_the_api(database, scenario)
