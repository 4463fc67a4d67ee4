"""Briefings, concentration and deputies over HTTP, each within the caller's reach and from the next request on."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from service.domain.access import Principal
from tests.api.support import Api, Client, in_the_api
from tests.api.test_assignments import a_customer, a_portfolio, an_order, hand_over, problem
from tests.postgres import TestDatabase


def _today() -> date:
    return datetime.now(ZoneInfo("Europe/Moscow")).date()


async def _briefing(client: Client, owner: Principal) -> dict[str, Any]:
    answer = await client.get(f"/v1/staff/{owner.staff_id}/briefing")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_briefing_tells_a_successor_what_he_gets(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.client(reach="own")
        today = _today()
        soon = today + timedelta(days=5)
        ids = await a_portfolio(head, anna, 3)
        born = {"birth_date": soon.replace(year=1990, day=min(soon.day, 28)).isoformat()}
        ids.append(await a_customer(head, 9, curator_id=str(anna.staff_id), **born))
        for ago in (65, 45, 25):  # every twenty days: overdue by five
            await an_order(head, ids[0], 5000, today - timedelta(days=ago))
        for ago in (40, 20):  # due today
            await an_order(head, ids[1], 100, today - timedelta(days=ago))
        made = await _briefing(head, anna)
        assert (made["customers"], made["orders"], made["revenue"]) == (4, 5, "15200.00")
        assert {one["status"]: one["customers"] for one in made["statuses"]} == {"customer": 2, "prospect": 2}
        assert [(one["customer_id"], one["class_name"]) for one in made["top"]] == [(ids[0], "A"), (ids[1], "C")]
        assert made["expected_orders"]["overdue"] == 1
        assert [one["customer_id"] for one in made["expected_orders"]["items"]] == [ids[1]]
        assert made["expected_orders"]["items"][0]["on"] == today.isoformat()
        assert [one["customer_id"] for one in made["birthdays"]["items"]] == [ids[3]]
        assert made["birthdays"]["items"][0]["turns"] >= 35
        assert sum(one["customers"] for one in made["groups"]) == 2
        assert (made["open_quality_issues"], len(made["notes"])) == (None, 1)
        # The successor sees nothing of it before the hand-over, and the very same after it.
        assert (await _briefing(boris, anna))["customers"] == 0
        done = await hand_over(head, {"curator_id": str(anna.staff_id)}, {"curator_id": str(boris.principal.staff_id)})
        path = f"/v1/assignments/{done['assignment_id']}/briefing"
        for client in (head, boris):
            handed = (await client.get(path)).json()
            assert {**handed, "computed_at": None} == {**made, "computed_at": None}
        assert (await boris.get(f"{path}?curator_id={anna.staff_id}")).json()["customers"] == 0
        outsider = await api.client(reach="own")
        assert problem(await outsider.get(path)) == (404, "assignment-not-found")
        assert problem(await head.get(f"/v1/staff/{uuid4()}/briefing")) == (404, "staff-not-found")

    in_the_api(database, scenario)


def test_an_unknown_year_of_birth_tells_no_age(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna = await api.tenant.staff(reach="own")
        tomorrow = _today() + timedelta(days=1)
        day = tomorrow if (tomorrow.month, tomorrow.day) != (2, 29) else _today()
        await a_customer(head, 1, curator_id=str(anna.staff_id), birth_date=f"--{day:%m-%d}")
        (one,) = (await _briefing(head, anna))["birthdays"]["items"]
        assert (one["on"], one["turns"]) == (day.isoformat(), None)

    in_the_api(database, scenario)


def test_whoever_is_about_to_be_lost_is_named(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own"), await api.tenant.staff(reach="own")
        faded, *fresh = await a_portfolio(head, anna, 5)
        today = _today()
        for ago in (400, 390, 380, 370):
            await an_order(head, faded, 9000, today - timedelta(days=ago))
        for number, one in enumerate(fresh):
            for ago in range(2 + number):
                await an_order(head, one, 100, today - timedelta(days=ago))
        found = (await _briefing(head, anna))["at_risk"]
        assert found[0]["customer_id"] == faded
        assert found[0]["group"] in ("at_risk", "cant_lose")
        assert (await _briefing(head, boris))["at_risk"] == []

    in_the_api(database, scenario)


def test_concentration_says_on_whom_class_a_hangs(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.client(reach="own"), await api.tenant.staff(reach="own")
        hers, his = await a_portfolio(head, anna.principal, 2), await a_portfolio(head, boris, 2)
        loose = await a_customer(head, 5)
        for one, total in ((hers[0], 6000), (his[0], 3000), (loose, 900), (hers[1], 50), (his[1], 50)):
            await an_order(head, one, total)
        found = (await head.get("/v1/curators/concentration")).json()
        assert (found["a_customers"], found["a_revenue"]) == (2, "9000.00")
        assert [(one["curator_id"], one["a_customers"], one["share"]) for one in found["curators"]] == [
            (str(anna.principal.staff_id), 1, "0.666667"),
            (str(boris.staff_id), 1, "0.333333"),
            (None, 0, "0.000000"),
        ]
        own = (await anna.get("/v1/curators/concentration")).json()
        assert [one["curator_id"] for one in own["curators"]] == [str(anna.principal.staff_id)]
        nobody = await api.client(reach="own")
        assert (await nobody.get("/v1/curators/concentration")).json()["curators"] == []

    in_the_api(database, scenario)


def test_a_deputy_sees_and_keeps_the_customers_on_his_days(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna, boris = await api.client(), await api.client(reach="own"), await api.client(reach="own")
        (one,) = await a_portfolio(head, anna.principal, 1)
        assert (await boris.get(f"/v1/customers/{one}")).status_code == 404
        today = _today()
        pair = {"owner_id": str(anna.principal.staff_id), "deputy_id": str(boris.principal.staff_id)}
        later = {**pair, "from_on": (today + timedelta(days=7)).isoformat()}
        assert (await head.post("/v1/deputies", json=later)).status_code == 201
        assert (await boris.get(f"/v1/customers/{one}")).status_code == 404
        named = await head.post("/v1/deputies", json={**pair, "until_on": today.isoformat()})
        assert (named.status_code, named.json()["from_on"]) == (201, today.isoformat())
        assert (await boris.get(f"/v1/customers/{one}")).status_code == 200
        assert (await boris.patch(f"/v1/customers/{one}", json={"city": "Казань"})).status_code == 200
        assert problem(await head.post("/v1/deputies", json=pair)) == (409, "deputy-known")
        listed = (await head.get("/v1/deputies?limit=1")).json()
        rest = (await head.get(f"/v1/deputies?cursor={listed['next_cursor']}")).json()
        assert [row["from_on"] for row in listed["items"] + rest["items"]] == [today.isoformat(), later["from_on"]]
        path = f"/v1/deputies/{pair['owner_id']}/{pair['deputy_id']}/{today}"
        assert (await head.delete(path)).status_code == 204
        assert (await boris.get(f"/v1/customers/{one}")).status_code == 404
        assert problem(await head.delete(path)) == (404, "deputy-not-found")

    in_the_api(database, scenario)


def test_unfit_deputies_are_refused(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna, boris = await api.tenant.staff(reach="own", teams=("Волга",)), await api.tenant.staff(reach="own")
        pair = {"owner_id": str(anna.staff_id), "deputy_id": str(boris.staff_id)}
        today = _today()
        for wrong in (
            {"deputy_id": pair["owner_id"]},
            {"deputy_id": str(uuid4())},
            {"from_on": (today - timedelta(days=1)).isoformat()},
            {"until_on": (today - timedelta(days=1)).isoformat()},
        ):
            assert problem(await head.post("/v1/deputies", json={**pair, **wrong})) == (422, "deputy-unfit")
        lead = await api.client(reach="team", teams=("Волга",))
        assert problem(await lead.post("/v1/deputies", json=pair)) == (422, "deputy-unfit")
        within = {**pair, "deputy_id": str(lead.principal.staff_id)}
        assert (await lead.post("/v1/deputies", json=within)).status_code == 201
        assert len((await lead.get("/v1/deputies")).json()["items"]) == 1
        other = await api.client(reach="team", teams=("Дон",))
        assert (await other.get("/v1/deputies")).json()["items"] == []
        path = f"/v1/deputies/{within['owner_id']}/{within['deputy_id']}/{today}"
        assert problem(await other.delete(path)) == (404, "deputy-not-found")
        manager = await api.client(reach="own")
        assert problem(await manager.get("/v1/deputies")) == (403, "lead-needed")
        assert (await head.get("/v1/deputies?cursor=bm8")).status_code == 422

    in_the_api(database, scenario)
