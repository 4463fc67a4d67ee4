"""Nothing is reached without a valid token, the scopes of the operation, an active staff row, and the reach."""

import asyncio
import base64
import json
import re
import time
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.api.app import assemble
from service.api.openapi import document, operations
from service.domain.access import Scope
from tests.api.support import Api, Client, in_the_api, token_of
from tests.api.test_customers import PERSON, make, problem
from tests.api.test_orders import order
from tests.postgres import TestDatabase

_OPERATIONS = [
    (path, verb, one["operationId"], one["x-scopes"])
    for path, verbs in document(assemble())["paths"].items()
    for verb, one in verbs.items()
    if path.startswith("/v1")
]
_SOME_ID = "01890000-0000-7000-8000-000000000000"
# Headers that differ from answer to answer.
_PASSING = ("x-request-id", "content-length", "ratelimit")


def _at(path: str) -> str:
    return re.sub(r"\{[^}]*\}", _SOME_ID, path)


def test_every_operation_names_its_scopes() -> None:
    assert len(_OPERATIONS) > 30
    without = {name for _, _, name, scopes in _OPERATIONS if not scopes}
    # Who one is and by which token, the terms of use, and one's own jobs (of which each kind was begun with a scope).
    jobs = {"jobs.get", "jobs.events", "jobs.cancel"}
    assert without <= jobs | {"me.get", "tokens.revoke", "terms.list", "terms.accept"}


def test_no_token_opens_nothing(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        for path, verb, name, _ in _OPERATIONS:
            answer = await world.http.request(verb, _at(path), content=b"{")
            assert problem(answer) == (401, "no-token"), name
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/v1", "/v1/nothing", "/v1/../v1/customers"):
            assert problem(await world.http.get(path))[0] == 401

    in_the_api(database, scenario)


def test_a_forged_token_opens_nothing(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        good = token_of(head.principal)
        head_part, claims, signature = good.split(".")
        none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
        wider = json.loads(base64.urlsafe_b64decode(claims + "=="))
        wider["sub"] = "somebody-else"
        changed = base64.urlsafe_b64encode(json.dumps(wider).encode()).rstrip(b"=").decode()
        for token in (
            "x",
            f"{none}.{claims}.",
            f"{none}.{claims}.{signature}",
            f"{head_part}.{changed}.{signature}",
            good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
            token_of(head.principal, now=time.time() - 3600),
            token_of(head.principal, issuer="another"),
            token_of(head.principal, audience="another"),
            token_of(head.principal, ttl_seconds=10 * 365 * 86400),
        ):
            answer = await world.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
            assert problem(answer) == (401, "invalid-token"), token
            assert token not in answer.text
        for header in (f"Basic {good}", good, "Bearer", "Bearer ", f"Bearer {good} {good}"):
            answer = await world.http.get("/v1/me", headers={"Authorization": header})
            assert problem(answer)[0] == 401, header
        assert (await world.http.get("/v1/me", headers={"Authorization": f"bearer {good}"})).status_code == 200

    in_the_api(database, scenario)


def test_a_stranger_with_a_valid_token_is_not_on_the_staff(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for claims in ({"tenant": "no-such-tenant"}, {"tenant": "t' OR slug <> '"}):
            token = token_of(head.principal, **claims)
            answer = await world.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
            assert problem(answer)[0] == 401

    in_the_api(database, scenario)


def test_every_operation_refuses_a_principal_without_its_scopes(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        everything = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))
        head = await world.client(scopes=everything)
        for path, verb, name, scopes in _OPERATIONS:
            for lacking in scopes:
                granted = [scope for scope in (*everything, "reach:tenant") if scope != lacking]
                poor = world.client_of(head.principal, scopes=granted)
                answer = await poor.request(verb, _at(path), content=b"{")
                assert problem(answer) == (403, "missing-scope"), (name, lacking)
                assert answer.json()["scope"] == lacking

    in_the_api(database, scenario)


def test_what_the_staff_row_does_not_allow_no_token_gives(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna = await world.client(reach="own", scopes=("customers:read",))
        greedy = world.client_of(anna.principal, scopes=[*map(str, Scope), "root"])
        me = (await greedy.get("/v1/me")).json()
        assert (me["scopes"], me["reach"]) == (["customers:read", "reach:own"], "own")
        assert problem(await greedy.post("/v1/customers", json=PERSON)) == (403, "missing-scope")
        modest = world.client_of(anna.principal, scopes=["reach:own"])
        assert problem(await modest.get("/v1/customers")) == (403, "missing-scope")

    in_the_api(database, scenario)


async def _change_staff(world: Api, change: str, staff_id: UUID) -> None:
    """Another process writes the staff row; this one is not told."""
    connection = await asyncpg.connect(world.database.service_url)
    try:
        async with connection.transaction():
            await connection.execute(
                f"SET LOCAL ROLE clientbase_tenant; SET LOCAL app.tenant = '{world.tenant.tenant_id}'"
            )
            await connection.execute(f"UPDATE staff SET {change} WHERE staff_id = $1", staff_id)
    finally:
        await connection.close()


def test_who_is_blocked_is_out_within_two_seconds(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna, boris = await world.client(), await world.client()
        assert (await anna.get("/v1/me")).status_code == 200
        assert (await boris.get("/v1/me")).status_code == 200
        await _change_staff(world, "state = 'blocked'", anna.principal.staff_id)
        await _change_staff(world, "scopes = '{reach:tenant}'", boris.principal.staff_id)
        blocked_at = time.monotonic()
        while (answer := await anna.get("/v1/me")).status_code == 200:
            assert time.monotonic() - blocked_at < 2.5
            await asyncio.sleep(0.05)
        assert problem(answer) == (401, "staff-blocked")
        await asyncio.sleep(max(0.0, blocked_at + 2.1 - time.monotonic()))
        assert problem(await boris.get("/v1/customers")) == (403, "missing-scope")
        await _change_staff(world, "state = 'active'", anna.principal.staff_id)
        await asyncio.sleep(2.1)  # a refusal is remembered as long as a row
        assert (await anna.get("/v1/me")).status_code == 200

    in_the_api(database, scenario)


@pytest.mark.parametrize("reach", ["own", "team"])
def test_a_record_out_of_reach_answers_like_a_missing_one(database: TestDatabase, reach: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach=reach, teams=("Волга",))
        theirs = await make(head, contacts=[{"kind": "phone", "value": "+79123456789"}])
        foreign_order = await order(head, theirs)
        customer, its_order = theirs["customer_id"], foreign_order["order_id"]
        for verb, path, body in (
            ("GET", "/v1/customers/{}", None),
            ("PATCH", "/v1/customers/{}", {"city": "Омск"}),
            ("DELETE", "/v1/customers/{}", None),
            ("POST", "/v1/customers/{}/reveal", {"reason": "Call back"}),
            ("GET", "/v1/customers/{}/orders", None),
            ("GET", "/v1/orders/{}", None),
            ("PATCH", "/v1/orders/{}", {"status": "cancelled"}),
            ("POST", "/v1/orders/{}/refunds", {"amount": "1"}),
        ):
            foreign_id = its_order if path.startswith("/v1/orders") else customer
            foreign, missing = [await anna.request(verb, path.format(i), json=body) for i in (foreign_id, _SOME_ID)]
            assert problem(foreign)[0] == 404
            assert _but_for_the_place(foreign) == _but_for_the_place(missing), path
        bought = {"ordered_at": "2026-03-01T12:00:00", "total": "1"}
        refusals = [await anna.post("/v1/orders", json=bought | {"customer_id": i}) for i in (customer, _SOME_ID)]
        assert _but_for_the_place(refusals[0]) == _but_for_the_place(refusals[1])
        await _assert_in_no_list(anna, customer)

    in_the_api(database, scenario)


def _but_for_the_place(answer: Any) -> tuple[Any, ...]:
    body = {name: value for name, value in answer.json().items() if name != "instance"}
    headers = {name: value for name, value in answer.headers.items() if name not in _PASSING}
    return answer.status_code, body, headers


async def _assert_in_no_list(anna: Client, customer: str) -> None:
    for path in ("/v1/customers", "/v1/orders", f"/v1/orders?customer_id={customer}"):
        page = (await anna.get(path, params={"count": "exact"} | dict(_query(path)))).json()
        assert (page["items"], page["count"]) == ([], 0)
    found = await anna.post("/v1/customers/search", json={"q": "Иванова", "count": "exact"})
    assert (found.json()["items"], found.json()["count"]) == ([], 0)
    exact = await anna.post("/v1/customers/search", json={"contact": {"kind": "phone", "value": "+79123456789"}})
    assert exact.json()["items"] == []


def _query(path: str) -> list[tuple[str, str]]:
    _, _, query = path.partition("?")
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)]


def test_another_tenants_record_does_not_exist(database: TestDatabase) -> None:
    async def elsewhere(other: Api) -> str:
        return str((await make(await other.client()))["customer_id"])

    theirs = in_the_api(database, elsewhere)

    async def scenario(world: Api) -> None:
        head = await world.client()
        for verb, body in (("GET", None), ("PATCH", {"city": "Омск"}), ("DELETE", None)):
            assert problem(await head.request(verb, f"/v1/customers/{theirs}", json=body))[0] == 404
        assert (await head.get("/v1/customers?count=exact")).json()["count"] == 0

    in_the_api(database, scenario)


def test_own_and_team_reach_write_into_their_own_part_alone(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        own = await world.client(reach="own")
        team = await world.client(reach="team", teams=("Волга",))
        assert (await make(own))["curator_id"] == str(own.principal.staff_id)
        assert (await make(team))["team_id"] == str(team.principal.teams[0])
        for client, name, other in (
            (own, "curator_id", str(team.principal.staff_id)),
            (team, "team_id", _SOME_ID),
        ):
            refused = await client.post("/v1/customers", json=PERSON | {name: other})
            assert problem(refused) == (422, "outside-reach")
            path = f"/v1/customers/{(await make(client))['customer_id']}"
            assert problem(await client.patch(path, json={name: other})) == (422, "outside-reach")

    in_the_api(database, scenario)


def test_the_list_of_operations_is_that_of_the_document() -> None:
    assert len(_OPERATIONS) == len([one for one in operations(document(assemble())) if one["tags"] != ["ops"]])
