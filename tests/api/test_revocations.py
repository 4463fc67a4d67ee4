"""A token that was taken back opens nothing; one's own everybody takes back, those of others an administrator."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from service.db.statement import sql
from service.db.sweep import PgSweep
from service.domain.access import Principal
from tests.api.support import Api, Client, in_the_api, token_of
from tests.api.support import api as another
from tests.postgres import TestDatabase

_COUNT = sql("SELECT count(*) FROM token_revocations WHERE tenant_id = :tenant")
_AGE = sql("UPDATE token_revocations SET until = now() - interval '1 second' WHERE tenant_id = :tenant")


def _client(api: Api, principal: Principal, **claims: Any) -> Client:
    return Client(api.transport, principal, token_of(principal, **claims))


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["type"].removeprefix("/problems/")


async def _revoked(client: Client, **body: object) -> dict[str, Any]:
    answer = await client.post("/v1/tokens/revoke", json={"reason": "lost"} | body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_own_token_is_taken_back_at_once_and_no_other(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        phone, desk = _client(api, anna), _client(api, anna)
        me = (await phone.get("/v1/me")).json()
        taken = await _revoked(phone)
        assert (taken["token_id"], taken["staff_id"]) == (me["token_id"], str(anna.staff_id))
        assert _code(await phone.get("/v1/me")) == (401, "token-revoked")
        assert _code(await desk.get("/v1/me")) == (200, "")

    in_the_api(database, scenario)


def test_signing_out_everywhere_spares_what_is_issued_afterwards(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        clients = [_client(api, anna), _client(api, anna)]
        other = await api.client(reach="own", scopes=())
        taken = await _revoked(clients[0], staff_id=str(anna.staff_id))
        assert taken["token_id"] is None
        for client in clients:
            assert _code(await client.get("/v1/me")) == (401, "token-revoked")
        later = datetime.now(UTC).timestamp() + 2
        assert _code(await _client(api, anna, now=later).get("/v1/me")) == (200, "")
        assert _code(await other.get("/v1/me")) == (200, "")

    in_the_api(database, scenario)


def test_an_administrator_takes_back_a_token_or_all_of_a_person(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.tenant.staff(reach="own", scopes=())
        one, two = _client(api, anna, token_id="one"), _client(api, anna, token_id="two")
        for client in (one, two):
            assert _code(await client.get("/v1/me")) == (200, "")
        await _revoked(head, token_id="one")
        assert [_code(await client.get("/v1/me"))[0] for client in (one, two)] == [401, 200]
        await _revoked(head, staff_id=str(anna.staff_id))
        assert _code(await two.get("/v1/me")) == (401, "token-revoked")

    in_the_api(database, scenario)


def test_those_of_others_are_an_administrators_alone(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own", scopes=())
        boris = await api.client(reach="own", scopes=("customers:read",))
        reader = await api.client(scopes=("customers:read",))
        narrow = await api.client(reach="team", scopes=("tenant:admin",))
        for body in ({"token_id": "another"}, {"staff_id": str(anna.principal.staff_id)}):
            for client, code in ((boris, "missing-scope"), (reader, "missing-scope"), (narrow, "tenant-reach-needed")):
                refused = await client.post("/v1/tokens/revoke", json={"reason": "x"} | body)
                assert _code(refused) == (403, code)
        assert _code(await anna.get("/v1/me")) == (200, "")

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid-request"),
        ({"reason": ""}, "invalid-request"),
        ({"reason": "x", "token_id": ""}, "invalid-request"),
        ({"reason": "x", "token_id": "a\u0000"}, "invalid-request"),
        ({"reason": "x", "staff_id": "me"}, "invalid-request"),
        ({"reason": "x", "everything": True}, "invalid-request"),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "bad-revocation"),
        ({"reason": "x", "until": "2090-01-01T00:00:00"}, "invalid-request"),
        ({"reason": "x", "until": "9999-12-31T23:59:59-14:00"}, "bad-revocation"),
        ({"reason": "x", "token_id": "a", "staff_id": "0a6b944d-d2fb-46fc-a85e-0295c986cd9f"}, "bad-revocation"),
        ({"reason": "x", "staff_id": "0a6b944d-d2fb-46fc-a85e-0295c986cd9f"}, "unknown-reference"),
    ],
)
def test_a_bad_wish_is_refused_and_changes_nothing(database: TestDatabase, body: dict[str, object], code: str) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        assert _code(await head.post("/v1/tokens/revoke", json=body)) == (422, code)
        assert _code(await head.get("/v1/me")) == (200, "")

    in_the_api(database, scenario)


def test_another_tenants_tokens_are_out_of_reach(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()

        async def elsewhere(there: Api) -> None:
            stranger = await there.tenant.staff()
            client = _client(there, stranger, token_id="shared")
            await asyncio.to_thread(in_the_api, database, from_here)
            assert _code(await client.get("/v1/me")) == (200, "")

        async def from_here(here: Api) -> None:
            await _revoked(await here.client(), token_id="shared")

        await asyncio.to_thread(in_the_api, database, elsewhere)
        assert _code(await head.get("/v1/me")) == (200, "")

    in_the_api(database, scenario)


def test_it_is_told_in_the_trail_and_swept_when_its_time_is_over(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await _revoked(head, token_id="one", until=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
        async with api.tenant.uow.begin(head.principal) as tx:
            told = await tx.session.fetchval(
                sql("SELECT count(*) FROM audit WHERE tenant_id = :tenant AND action = 'tokens.revoke'")
            )
        assert told == 1
        await PgSweep(api.container.pool).sweep()
        assert await _kept(api, head.principal) == 1
        await _lapse(database, api)
        await PgSweep(api.container.pool).sweep()
        assert await _kept(api, head.principal) == 0

    in_the_api(database, scenario)


async def _kept(api: Api, principal: Principal) -> int:
    async with api.tenant.uow.begin(principal) as tx:
        return int(await tx.session.fetchval(_COUNT))


async def _lapse(database: TestDatabase, api: Api) -> None:
    connection = await asyncpg.connect(database.superuser_url or database.owner_url)
    try:
        if database.superuser_url is None:
            await connection.execute("ALTER TABLE token_revocations NO FORCE ROW LEVEL SECURITY")
        await connection.execute(_AGE.text.replace("$1", str(api.tenant.tenant_id)))
    finally:
        if database.superuser_url is None:
            await connection.execute("ALTER TABLE token_revocations FORCE ROW LEVEL SECURITY")
        await connection.close()


def test_another_process_knows_within_five_seconds(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        async def there(other: Api) -> None:
            elsewhere = other.transport
            head = await api.client()
            people = [await api.tenant.staff(reach="own", scopes=("customers:read",)) for _ in range(4)]
            clients = [Client(elsewhere, one, token_of(one, token_id=f"t{n}")) for n, one in enumerate(people)]
            assert {(await client.get("/v1/customers")).status_code for client in clients} == {200}
            await _revoked(head, token_id="t0")
            await _revoked(head, staff_id=str(people[1].staff_id))
            for person, change in ((people[2], {"state": "blocked"}), (people[3], {"scopes": []})):
                assert (await head.patch(f"/v1/staff/{person.staff_id}", json=change)).status_code == 200
            await asyncio.sleep(2.1)
            answers = [await client.get("/v1/customers") for client in clients]
            assert [answer.status_code for answer in answers] == [401, 401, 401, 403]

        async with another(database) as other:
            await there(other)

    in_the_api(database, scenario)
