"""Hand-overs: what a dry run says is what happens, nobody moves more than he leads, and an undo gives back."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from service.db.tenancy import add_staff
from service.domain.access import Principal, Scope
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_ALL = tuple(scope for scope in Scope if not scope.startswith("reach:"))


async def a_team(head: Client, name: str) -> str:
    return str((await head.post("/v1/teams", json={"name": name})).json()["team_id"])


async def a_customer(client: Client, number: int, **fields: Any) -> str:
    body = {"kind": "person", "family_name": f"Иванова {number:02}", **fields}
    answer = await client.post("/v1/customers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def an_order(client: Client, customer_id: str, total: int, day: date | None = None) -> None:
    moment = datetime.combine(day, datetime.min.time(), UTC) if day else datetime.now(UTC) - timedelta(days=1)
    body = {"customer_id": customer_id, "ordered_at": moment.isoformat(), "status": "completed", "total": str(total)}
    answer = await client.post("/v1/orders", json=body)
    assert answer.status_code == 201, answer.text


async def a_portfolio(head: Client, owner: Principal, count: int, **fields: Any) -> list[str]:
    return [await a_customer(head, number, curator_id=str(owner.staff_id), **fields) for number in range(count)]


async def _holder(head: Client, customer_id: str) -> tuple[str | None, str | None]:
    card = (await head.get(f"/v1/customers/{customer_id}")).json()
    return card["curator_id"], card["team_id"]


async def hand_over(client: Client, select: dict[str, Any], to: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/assignments", json={"select": select, "to": to, "dry_run": False, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_a_dry_run_says_what_the_hand_over_then_does(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own", teams=("Волга",))
        ids = await a_portfolio(head, anna, 3)
        await an_order(head, ids[0], 1000)
        body = {"select": {"curator_id": str(anna.staff_id)}, "to": {"curator_id": str(boris.staff_id)}}
        dry = await head.post("/v1/assignments", json=body)
        assert (dry.status_code, dry.json()["state"], dry.json()["assignment_id"]) == (200, "dry_run", None)
        assert {(await _holder(head, one))[0] for one in ids} == {str(anna.staff_id)}
        done = await hand_over(head, **body, expected_records=3)
        assert done["receivers"] == dry.json()["receivers"]
        assert [(one["records"], one["revenue"]) for one in done["receivers"]] == [(3, "1000.00")]
        assert {await _holder(head, one) for one in ids} == {(str(boris.staff_id), str(boris.teams[0]))}
        kept = (await head.get(f"/v1/assignments/{done['assignment_id']}")).json()
        assert (kept["state"], kept["records"]) == ("done", 3)
        assert [one["assignment_id"] for one in (await head.get("/v1/assignments")).json()["items"]] == [
            done["assignment_id"]
        ]

    in_the_api(database, scenario)


def test_who_may_see_follows_at_once(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna, boris = await api.client(), await api.client(reach="own"), await api.client(reach="own")
        (one,) = await a_portfolio(head, anna.principal, 1)
        assert (await anna.get(f"/v1/customers/{one}")).status_code == 200
        await hand_over(head, {"customer_ids": [one]}, {"curator_id": str(boris.principal.staff_id)})
        assert (await anna.get(f"/v1/customers/{one}")).status_code == 404
        assert (await boris.get(f"/v1/customers/{one}")).status_code == 200

    in_the_api(database, scenario)


def test_a_portfolio_is_spread_over_the_rest_of_the_team(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        team = await a_team(head, "Волга")
        people = [await api.tenant.staff(reach="own", teams=("Волга",)) for _ in range(4)]
        leaving, blocked, *staying = people
        await head.patch(f"/v1/staff/{blocked.staff_id}", json={"state": "blocked"})
        ids = await a_portfolio(head, leaving, 8, team_id=team)
        for number, one in enumerate(ids):
            await an_order(head, one, 100 * (number + 1))
        done = await hand_over(head, {"curator_id": str(leaving.staff_id)}, {"team_id": team, "spread": "balanced"})
        assert {one["curator_id"] for one in done["receivers"]} == {str(one.staff_id) for one in staying}
        assert [one["records"] for one in done["receivers"]] == [4, 4]
        # 8 5 4 1 against 7 6 3 2: the sums are as even as they can be.
        assert [one["revenue"] for one in done["receivers"]] == ["1800.00", "1800.00"]
        evenly = await hand_over(head, {"team_id": team}, {"team_id": team, "spread": "round_robin"}, reason="Again")
        # The leaving one is a member like the others when nobody's portfolio is given away.
        assert sorted(one["records"] + one["unchanged"] for one in evenly["receivers"]) == [2, 3, 3]
        assert evenly["records"] + evenly["unchanged"] == 8

    in_the_api(database, scenario)


def test_filters_narrow_the_selection(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own")
        in_kazan = await a_portfolio(head, anna, 2, city="Казань", tags=["vip"])
        await a_portfolio(head, anna, 2, city="Казань")
        await a_portfolio(head, anna, 1, city="Пермь", tags=["vip"])
        select = {"city": "Казань", "tag": "vip", "status": "prospect", "kind": "person"}
        done = await hand_over(head, select, {"curator_id": str(boris.staff_id)})
        assert done["records"] == 2
        assert {(await _holder(head, one))[0] for one in in_kazan} == {str(boris.staff_id)}
        nobody = await hand_over(head, {"channel": "nowhere"}, {"curator_id": str(boris.staff_id)})
        assert nobody["records"] == 0

    in_the_api(database, scenario)


def test_an_undo_gives_back_what_has_not_moved_since(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris, vera = [await api.tenant.staff(reach="own") for _ in range(3)]
        ids = await a_portfolio(head, anna, 3)
        first = await hand_over(head, {"curator_id": str(anna.staff_id)}, {"curator_id": str(boris.staff_id)})
        await hand_over(head, {"customer_ids": ids[:1]}, {"curator_id": str(vera.staff_id)})
        path = f"/v1/assignments/{first['assignment_id']}"
        undone = await head.post(f"{path}/undo")
        assert undone.status_code == 200, undone.text
        assert undone.json() == {"returned": 2, "kept": 1, "kept_ids": ids[:1]}
        assert [(await _holder(head, one))[0] for one in ids] == [
            str(vera.staff_id), str(anna.staff_id), str(anna.staff_id)
        ]  # fmt: skip
        assert problem(await head.post(f"{path}/undo")) == (409, "assignment-undone")
        kept = (await head.get(path)).json()
        assert (kept["state"], kept["undone"]["returned"]) == ("undone", 2)
        assert problem(await head.post(f"/v1/assignments/{uuid4()}/undo")) == (404, "assignment-not-found")

    in_the_api(database, scenario)


def test_what_came_back_by_another_way_has_moved_since(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own")
        (one,) = await a_portfolio(head, anna, 1)
        first = await hand_over(head, {"customer_ids": [one]}, {"curator_id": str(boris.staff_id)})
        for owner in (anna, boris):
            await hand_over(head, {"customer_ids": [one]}, {"curator_id": str(owner.staff_id)})
        undone = (await head.post(f"/v1/assignments/{first['assignment_id']}/undo")).json()
        assert (undone["returned"], undone["kept_ids"]) == (0, [one])

    in_the_api(database, scenario)


def test_the_history_of_a_record_has_no_gaps(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own")
        (one,) = await a_portfolio(head, anna, 1)
        path = f"/v1/customers/{one}/ownerships"
        (only,) = (await head.get(path)).json()["items"]
        assert (only["curator_id"], only["until"], only["decided_by"]) == (str(anna.staff_id), None, None)
        done = await hand_over(head, {"customer_ids": [one]}, {"curator_id": str(boris.staff_id)})
        now, before = (await head.get(path)).json()["items"]
        assert (now["curator_id"], now["assignment_id"]) == (str(boris.staff_id), done["assignment_id"])
        assert now["decided_by"] == str(head.principal.staff_id)
        assert (before["curator_id"], before["until"]) == (str(anna.staff_id), now["since"])
        outsider = await api.client(reach="own")
        assert problem(await outsider.get(path)) == (404, "customer-not-found")

    in_the_api(database, scenario)


def test_a_lead_moves_within_his_teams_only(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        volga, don = await a_team(head, "Волга"), await a_team(head, "Дон")
        lead = await api.client(reach="team", teams=("Волга",))
        inside = await api.tenant.staff(reach="own", teams=("Волга",))
        outside = await api.tenant.staff(reach="own", teams=("Дон",))
        mine = await a_portfolio(head, inside, 2, team_id=volga)
        foreign = await a_portfolio(head, outside, 2, team_id=don)
        to = {"curator_id": str(lead.principal.staff_id)}
        done = await hand_over(lead, {"customer_ids": mine + foreign}, to)
        assert (done["records"], done["missing"]) == (2, 2)
        assert {(await _holder(head, one))[0] for one in foreign} == {str(outside.staff_id)}
        for target in ({"curator_id": str(outside.staff_id)}, {"team_id": don}, {"unassigned": True}):
            body = {"select": {"customer_ids": mine}, "to": target, "dry_run": False}
            assert problem(await lead.post("/v1/assignments", json=body)) == (422, "outside-own-teams")
        assert (await lead.post(f"/v1/assignments/{done['assignment_id']}/undo")).json()["returned"] == 2
        other_lead = await api.client(reach="team", teams=("Дон",))
        assert (await other_lead.get(f"/v1/assignments/{done['assignment_id']}")).status_code == 404
        assert (await other_lead.get("/v1/assignments")).json()["items"] == []
        manager = await api.client(reach="own")
        body = {"select": {"customer_ids": mine}, "to": to}
        assert problem(await manager.post("/v1/assignments", json=body)) == (403, "lead-needed")
        reader = await api.client(scopes=("customers:read", "customers:write"))
        assert problem(await reader.post("/v1/assignments", json=body)) == (403, "missing-scope")

    in_the_api(database, scenario)


def test_what_can_not_be_is_refused_by_name(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        team, empty = await a_team(head, "Волга"), await a_team(head, "Дон")
        anna = await api.tenant.staff(reach="own", teams=("Волга",))
        gone = await api.tenant.staff(reach="own", teams=("Волга",))
        two = await api.tenant.staff(reach="own", teams=("Волга", "Дон"))
        await head.patch(f"/v1/staff/{gone.staff_id}", json={"state": "leaving"})
        anyone = {"curator_id": str(anna.staff_id)}
        await a_portfolio(head, anna, 2)

        async def refusal(select: dict[str, Any], to: dict[str, Any], **more: Any) -> tuple[int, str]:
            return problem(await head.post("/v1/assignments", json={"select": select, "to": to, **more}))

        assert await refusal({}, anyone) == (422, "selection-empty")
        assert await refusal(anyone, {}) == (422, "target-unclear")
        assert await refusal(anyone, {"spread": "balanced"}) == (422, "target-unclear")
        assert await refusal(anyone, {"team_id": team, "unassigned": True}) == (422, "target-unclear")
        assert await refusal(anyone, {**anyone, "team_id": team, "spread": "balanced"}) == (422, "target-unclear")
        assert await refusal(anyone, {"curator_id": str(two.staff_id)}) == (422, "target-unclear")
        assert await refusal(anyone, {"curator_id": str(gone.staff_id)}) == (422, "receiver-unfit")
        assert await refusal(anyone, {"curator_id": str(uuid4())}) == (422, "receiver-unfit")
        assert await refusal(anyone, {"curator_id": str(anna.staff_id), "team_id": empty}) == (422, "receiver-unfit")
        assert await refusal(anyone, {"team_id": str(uuid4())}) == (422, "unknown-reference")
        changed = {"dry_run": False, "expected_records": 5}
        assert await refusal(anyone, {"curator_id": str(two.staff_id), "team_id": team}, **changed) == (
            409, "selection-changed"
        )  # fmt: skip
        assert await refusal({"customer_ids": []}, anyone) == (422, "invalid-request")
        assert await refusal({"city": "Каз\x00ань"}, anyone) == (422, "invalid-request")
        assert (await head.get("/v1/assignments?cursor=nonsense")).status_code == 422
        assert (await head.get("/v1/assignments")).json()["items"] == []

    in_the_api(database, scenario)


def test_the_same_key_moves_once(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own")
        ids = await a_portfolio(head, anna, 2)
        body = {"select": {"customer_ids": ids}, "to": {"curator_id": str(boris.staff_id)}, "dry_run": False}
        answers = [await head.post("/v1/assignments", json=body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert len((await head.get("/v1/assignments")).json()["items"]) == 1

    in_the_api(database, scenario)


def test_the_pool_is_listed_and_dealt_out_by_leads(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        team = await a_team(head, "Волга")
        lead = await api.client(reach="team", teams=("Волга",))
        ids = [await a_customer(head, number) for number in range(5)]
        assert (await lead.get(f"/v1/customers/{ids[0]}")).status_code == 404
        page = (await lead.get("/v1/assignments/pool?limit=3&count=exact")).json()
        rest = (await lead.get(f"/v1/assignments/pool?limit=3&cursor={page['next_cursor']}")).json()
        assert [one["customer_id"] for one in page["items"] + rest["items"]] == ids
        assert (page["count"], rest["next_cursor"]) == (5, None)
        done = await hand_over(lead, {"unassigned": True}, {"team_id": team, "spread": "round_robin"})
        assert done["records"] == 5
        assert (await lead.get(f"/v1/customers/{ids[0]}")).status_code == 200
        assert (await lead.get("/v1/assignments/pool")).json()["items"] == []
        # Undone, they are in the pool again.
        assert (await lead.post(f"/v1/assignments/{done['assignment_id']}/undo")).json()["returned"] == 5
        assert (await lead.get("/v1/assignments/pool?count=exact")).json()["count"] == 5
        manager = await api.client(reach="own")
        assert problem(await manager.get("/v1/assignments/pool")) == (403, "lead-needed")

    in_the_api(database, scenario)


def test_a_hand_over_is_in_the_audit_and_in_the_changes(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own")
        ids = await a_portfolio(head, anna, 3)
        done = await hand_over(head, {"customer_ids": ids}, {"curator_id": str(boris.staff_id)}, reason="Holidays")
        connection = await asyncpg.connect(database.superuser_url or database.owner_url)
        try:
            audited = await connection.fetch(
                "SELECT action, records, reason FROM audit WHERE tenant_id = $1 AND entity = 'assignment'",
                api.tenant.tenant_id,
            )
            changed = await connection.fetch(
                "SELECT customer_id FROM changes WHERE tenant_id = $1 AND kind = 'reassigned'", api.tenant.tenant_id
            )
            moved = await connection.fetchval(
                "SELECT count(*) FROM ownerships WHERE assignment_id = $1", UUID(done["assignment_id"])
            )
        finally:
            await connection.close()
        assert [tuple(row) for row in audited] == [("assignments.create", 3, "Holidays")]
        assert sorted(str(row["customer_id"]) for row in changed) == sorted(ids)
        assert moved == 3

    in_the_api(database, scenario)


def test_two_hand_overs_at_once_leave_one_history(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris, vera = [await api.tenant.staff(reach="own") for _ in range(3)]
        ids = await a_portfolio(head, anna, 6)
        await asyncio.gather(
            *(hand_over(head, {"customer_ids": ids}, {"curator_id": str(one.staff_id)}) for one in (boris, vera) * 2)
        )
        for one in ids:
            history = (await head.get(f"/v1/customers/{one}/ownerships")).json()["items"]
            assert history[0]["curator_id"] == (await _holder(head, one))[0]
            holders = [entry["curator_id"] for entry in history]
            assert all(newer != older for newer, older in pairwise(holders)), holders
            assert holders[-1] == str(anna.staff_id)

    in_the_api(database, scenario)


def test_staff_of_other_tenants_receive_nothing(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna = await api.tenant.staff(reach="own")
        await a_portfolio(head, anna, 1)

        async def elsewhere(other: Api) -> str:
            return str(await add_staff(
                other.database.owner_url, other.tenant.tenant_id, subject="x", name="X", scopes=_ALL
            ))  # fmt: skip

        stranger = await asyncio.to_thread(in_the_api, database, elsewhere)
        body = {"select": {"curator_id": str(anna.staff_id)}, "to": {"curator_id": stranger}, "dry_run": False}
        assert problem(await head.post("/v1/assignments", json=body)) == (422, "receiver-unfit")

    in_the_api(database, scenario)
