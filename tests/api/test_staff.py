"""Staff, teams and channels: everyone sees names, administrators alone write, and changes hold at once."""

import asyncio

from service.domain.access import Principal
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


async def _colleague(api: Api, admin: Principal) -> tuple[str, Principal]:
    principal = await api.tenant.staff("anna", reach="own", scopes=("customers:read",))
    return str(principal.staff_id), principal


def test_an_administrator_adds_a_person_who_can_then_call(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        team = (await api.call("POST", "/v1/teams", admin, json={"name": "Волга"})).json()
        body = {"subject": "anna", "name": "Анна", "scopes": ["customers:read"], "teams": [team["team_id"]]}
        created = await api.call("POST", "/v1/staff", admin, json=body)
        assert created.status_code == 201, created.text
        assert created.json()["teams"] == [team["team_id"]]
        again = await api.call("POST", "/v1/staff", admin, json=body)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/name-taken")
        teams = (await api.call("GET", "/v1/teams", admin)).json()
        assert [(one["name"], one["members"]) for one in teams["items"]] == [("Волга", 1)]

    in_the_api(database, scenario)


def test_the_same_key_makes_one_person(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        options = {"json": {"subject": "till-1", "name": "Till", "kind": "system"}, "headers": {"Idempotency-Key": "k"}}
        first = await api.call("POST", "/v1/staff", admin, **options)
        second = await api.call("POST", "/v1/staff", admin, **options)
        assert first.json() == second.json()

    in_the_api(database, scenario)


def test_writing_takes_the_scope_and_the_reach_over_the_tenant(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        narrow = await api.tenant.staff(reach="team")
        refused = await api.call("POST", "/v1/teams", narrow, json={"name": "X"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/tenant-reach-needed")
        reader = await api.tenant.staff(scopes=("customers:read",))
        refused = await api.call("POST", "/v1/channels", reader, json={"code": "x", "name": "X", "kind": "calls"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/missing-scope")

    in_the_api(database, scenario)


def test_rights_are_shown_to_administrators_alone(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        _, anna = await _colleague(api, admin)
        seen = (await api.call("GET", "/v1/staff", anna)).json()["items"]
        assert len(seen) == 2
        assert all(one["scopes"] is None and one["subject"] is None for one in seen)
        seen = (await api.call("GET", "/v1/staff", admin)).json()["items"]
        assert all(one["scopes"] for one in seen)

    in_the_api(database, scenario)


def test_blocking_holds_from_the_next_request_on(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        staff_id, anna = await _colleague(api, admin)
        assert (await api.call("GET", "/v1/me", anna)).status_code == 200
        changed = await api.call("PATCH", f"/v1/staff/{staff_id}", admin, json={"state": "blocked"})
        assert (changed.status_code, changed.json()["state"]) == (200, "blocked")
        refused = await api.call("GET", "/v1/me", anna)
        assert (refused.status_code, refused.json()["type"]) == (401, "/problems/staff-blocked")

    in_the_api(database, scenario)


def test_teams_are_replaced_and_unknown_ones_refused(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        staff_id, _ = await _colleague(api, admin)
        names = ("A", "B")
        ids = [(await api.call("POST", "/v1/teams", admin, json={"name": name})).json()["team_id"] for name in names]
        path = f"/v1/staff/{staff_id}"
        assert (await api.call("PATCH", path, admin, json={"teams": ids[:1]})).json()["teams"] == ids[:1]
        assert (await api.call("PATCH", path, admin, json={"teams": ids[1:]})).json()["teams"] == ids[1:]
        unknown = await api.call("PATCH", path, admin, json={"teams": [str(admin.staff_id)]})
        assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/unknown-reference")
        missing = await api.call("PATCH", f"/v1/staff/{ids[0]}", admin, json={"state": "blocked"})
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/staff-not-found")

    in_the_api(database, scenario)


def test_nobody_takes_administration_from_himself(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        for change in ({"state": "leaving"}, {"scopes": ["customers:read", "reach:tenant"]}):
            refused = await api.call("PATCH", f"/v1/staff/{admin.staff_id}", admin, json=change)
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/own-administration")

    in_the_api(database, scenario)


def test_channels_are_listed_page_by_page(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()
        for code in ("b", "a", "c"):
            body = {"code": code, "name": code.upper(), "kind": "advertising"}
            assert (await api.call("POST", "/v1/channels", admin, json=body)).status_code == 201
        first = (await api.call("GET", "/v1/channels?limit=2", admin)).json()
        rest = (await api.call("GET", f"/v1/channels?limit=2&cursor={first['next_cursor']}", admin)).json()
        assert [one["code"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
        assert rest["next_cursor"] is None
        bad = await api.call("GET", "/v1/channels?cursor=nonsense", admin)
        assert (bad.status_code, bad.json()["type"]) == (422, "/problems/bad-cursor")

    in_the_api(database, scenario)


def test_me_tells_who_calls(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff("anna", reach="team", scopes=("customers:read",), teams=("Волга",))
        me = (await api.call("GET", "/v1/me", anna)).json()
        assert (me["subject"], me["tenant"], me["reach"]) == ("anna", api.tenant.slug, "team")
        assert me["scopes"] == ["customers:read", "reach:team"]
        assert [team["name"] for team in me["teams"]] == ["Волга"]
        assert (me["time_zone"], me["currency"]) == ("Europe/Moscow", "RUB")

    in_the_api(database, scenario)


def test_other_tenants_staff_are_invisible(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        admin = await api.tenant.staff()

        async def elsewhere(other: Api) -> str:
            return str((await other.tenant.staff()).staff_id)

        stranger = await asyncio.to_thread(in_the_api, database, elsewhere)
        refused = await api.call("PATCH", f"/v1/staff/{stranger}", admin, json={"state": "blocked"})
        assert refused.status_code == 404
        assert len((await api.call("GET", "/v1/staff", admin)).json()["items"]) == 1

    in_the_api(database, scenario)
