"""What people do is counted and judged against what is usual for them; signals reach the webhook in the end."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import httpx

from service.db.session import without_principal
from service.domain.errors import Unavailable
from service.domain.leaks.thresholds import BOUNDS, USUAL
from service.jobs.watching import Webhook, deliver, hand_over
from tests.api.support import Api, Client, in_the_api
from tests.api.test_leaks import planted, portfolio, reveal
from tests.leaks import a_signal
from tests.postgres import TestDatabase

_SECRET = b"a secret of the webhook"
# Twenty days on which somebody has looked at eight records, two of them in clear; and a takings ledger for today.
_HISTORY = """
    INSERT INTO staff_activity (tenant_id, staff_id, hour, cards, reveals, searches, seen)
    SELECT $1, $2, date_trunc('day', now()) + interval '9 hours' - number * interval '1 day', 8, 2, 3,
        (B'11111111' || repeat('0', 4088)::bit(4088))::bit(4096)
    FROM generate_series(1, 40) number
"""


async def watched(api: Api, principal: Any, statement: str, *values: object) -> Any:
    opening = f"BEGIN; SET LOCAL ROLE clientbase_watch; SET LOCAL app.tenant = '{principal.tenant_id}'"
    async with without_principal(api.container.pool, opening, ending="COMMIT") as connection:
        return await connection.fetch(statement, principal.tenant_id, *values)


async def counted(api: Api) -> None:
    await hand_over(api.services.activity, api.container.observatory.save)


async def evaluated(api: Api, principal: Any) -> list[str]:
    """The evaluation of this tenant alone; the database has others."""
    only = api.container.evaluation
    observatory = only._observatory

    class One:
        async def tenants(self) -> list[int]:
            return [principal.tenant_id]

        def __getattr__(self, name: str) -> Any:
            return getattr(observatory, name)

    return await type(only)(One()).evaluate()


class Outbox:
    """The deliveries of one tenant alone."""

    def __init__(self, api: Api, tenant_id: int) -> None:
        self._api, self._tenant_id = api, tenant_id

    async def tenants(self) -> list[int]:
        return [self._tenant_id]

    async def claim(self, tenant_id: int) -> list[dict[str, Any]]:
        return await self._api.container.observatory.claim(tenant_id)

    async def delivered(self, tenant_id: int, signal_id: Any) -> None:
        await self._api.container.observatory.delivered(tenant_id, signal_id)


@asynccontextmanager
async def receiver(*answers: str) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server that gives these answers one after the other, and what it was sent."""
    got: list[tuple[dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.splitlines()[1:] if line)
        }
        got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = answers[min(len(got), len(answers)) - 1]
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", got


def test_masked_looks_are_counted_without_an_audit_line(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        await portfolio(anna, 30)
        page = (await anna.get("/v1/customers", params={"limit": 30, "city": "Казань"})).json()["items"]
        for one in [*page, page[0]]:
            assert (await anna.get(f"/v1/customers/{one['customer_id']}")).status_code == 200
        for word in ("Иванова", "Петрова", "Попова"):
            await anna.get("/v1/customers", params={"q": word})
        await counted(api)
        await anna.get(f"/v1/customers/{page[0]['customer_id']}")
        await counted(api)
        (row,) = await watched(
            api,
            anna.principal,
            "SELECT cards, searches, bit_count(seen) AS seen, bit_count(letters::bit(64)) AS letters"
            " FROM staff_activity WHERE tenant_id = $1 AND staff_id = $2",
            anna.principal.staff_id,
        )
        assert dict(row) == {"cards": len(page) + 2, "searches": 3, "seen": row["seen"], "letters": 2}
        assert len(page) - 1 <= row["seen"] <= len(page)

    in_the_api(database, scenario)


def test_a_token_that_two_people_use_at_once_is_told(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris = await api.client(reach="own"), await api.client(reach="own")
        application = api.transport.app  # type: ignore[attr-defined]
        here, there = (httpx.ASGITransport(app=application, client=(f"192.0.2.{n}", 5000)) for n in (1, 2))
        for n in range(30):
            async with httpx.AsyncClient(transport=(here, there)[n % 2], base_url="http://clientbase") as away:
                assert (await away.get("/v1/me", headers=dict(anna.headers))).status_code == 200
            assert (await boris.get("/v1/me")).status_code == 200
        await counted(api)
        await evaluated(api, anna.principal)
        found = (await (await api.client()).get("/v1/leaks")).json()["items"]
        assert [(one["kind"], one["staff_id"]) for one in found] == [
            ("token_in_two_places", str(anna.principal.staff_id))
        ]
        assert found[0]["sentence"].startswith("28 returns of one token")

    in_the_api(database, scenario)


def test_a_database_that_is_away_costs_no_count(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        await portfolio(anna, 1)
        customer_id = (await anna.get("/v1/customers")).json()["items"][0]["customer_id"]
        await anna.get(f"/v1/customers/{customer_id}")

        async def away(_: Any) -> None:
            raise Unavailable

        await hand_over(api.services.activity, away)
        await counted(api)
        (row,) = await watched(api, anna.principal, "SELECT cards FROM staff_activity WHERE tenant_id = $1")
        assert row["cards"] == 1

    in_the_api(database, scenario)


def test_a_day_unlike_the_others_raises_one_signal_that_says_why(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head = await api.client(reach="own"), await api.client()
        await portfolio(anna, 200)
        await watched(api, anna.principal, _HISTORY, anna.principal.staff_id)
        assert await evaluated(api, anna.principal) == []  # an ordinary day: nothing
        cursor, seen = None, 0
        while seen < 120:
            query: dict[str, Any] = {"limit": 60} | ({"cursor": cursor} if cursor else {})
            page = (await anna.get("/v1/customers", params=query)).json()
            for one in page["items"]:
                await anna.get(f"/v1/customers/{one['customer_id']}")
            seen, cursor = seen + len(page["items"]), page["next_cursor"]
        await counted(api)
        raised = await evaluated(api, anna.principal)
        assert set(raised) - {"night"} == {"volume"}  # the suite may run at night
        assert await evaluated(api, anna.principal) == []  # once a day
        (signal,) = (await head.get("/v1/leaks", params={"kind": "volume"})).json()["items"]
        assert signal["severity"] == "alert"
        assert abs(signal["parts"]["seen"] - 120) <= 6
        assert signal["sentence"].endswith("cards in a day, usually 8")

    in_the_api(database, scenario)


def test_a_tenant_sets_from_where_on_something_is_a_signal(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api, 200)
        usual = (await anna.get("/v1/policies")).json()["signals"]
        assert usual == asdict(USUAL)
        for name, (least, most) in BOUNDS.items():
            for value, status in ((least - 1, 422), (most + 1, 422), (most, 200), (least, 200), (None, 200)):
                answer = await head.patch("/v1/policies", json={"signals": {name: value}})
                assert answer.status_code == status, (name, value)
        assert answer.json()["signals"] == usual
        assert (await anna.patch("/v1/policies", json={"signals": {"canaries": 5}})).status_code == 403
        await watched(api, anna.principal, _HISTORY, anna.principal.staff_id)
        items = (await anna.get("/v1/customers", params={"limit": 200})).json()["items"]
        for one in items[:30]:
            await anna.get(f"/v1/customers/{one['customer_id']}")
        await counted(api)
        assert "volume" not in await evaluated(api, anna.principal)
        await head.patch("/v1/policies", json={"signals": {"canaries": 1, "more_in_a_day": 10}})
        assert "volume" in await evaluated(api, anna.principal)
        await reveal(anna, canaries[0])
        await head.patch("/v1/policies", json={"signals": {"canaries": None}})
        await reveal(anna, canaries[1])
        await head.patch("/v1/policies", json={"signals": {"canaries": 4}})
        await reveal(anna, canaries[2])
        found = (await head.get("/v1/leaks", params={"kind": "canary"})).json()["items"]
        assert [one["severity"] for one in found] == ["notice", "alert", "alert"]

    in_the_api(database, scenario)


def test_records_that_left_in_a_file_are_counted_with_their_day(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, _ = await planted(api)
        for columns in (["city"], ["phone"]):
            await anna.post("/v1/exports", json={"what": "customers", "columns": columns, "purpose": "A mailing"})
        await api.run_jobs()
        for _ in range(2):
            await evaluated(api, anna.principal)
        found = (await head.get(f"/v1/staff/{anna.principal.staff_id}/look-back")).json()
        assert sum(day["exported"] for day in found["days"]) == 2 * 70
        assert [one["kind"] for one in found["signals"]] == ["canary"]

    in_the_api(database, scenario)


def test_looks_in_clear_are_taken_over_from_the_ledger_once(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        for canary in canaries[:3]:
            await reveal(anna, canary)
        for _ in range(2):
            await evaluated(api, anna.principal)
        found = (await head.get(f"/v1/staff/{anna.principal.staff_id}/look-back")).json()
        assert (found["base"], found["revealed"]) == (70, 3)
        assert [(day["reveals"], day["covered"]) for day in found["days"]] == [(3, 3)]
        assert {one["kind"] for one in found["signals"]} == {"canary"}

    in_the_api(database, scenario)


def test_signals_are_posted_signed_and_once_taken_not_again(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        signal_id = await a_signal(api.container.pool, head.principal)
        outbox = Outbox(api, head.principal.tenant_id)
        async with receiver("500 Broken", "204 Taken") as (url, got):
            webhook = Webhook(url, _SECRET, private=True)
            assert await deliver(outbox, webhook) == 0
            assert await deliver(outbox, webhook) == 0  # it waits for its next try
            await _due(api, head)
            assert await deliver(outbox, webhook) == 1
            await _due(api, head)
            assert await deliver(outbox, webhook) == 0
            assert len(got) == 2
            headers, body = got[-1]
        assert headers["x-clientbase-delivery"] == signal_id
        moment, _, signature = headers["x-clientbase-signature"].removeprefix("t=").partition(",v1=")
        assert hmac.new(_SECRET, moment.encode() + b"." + body, hashlib.sha256).hexdigest() == signature
        told = json.loads(body)
        assert (told["kind"], told["sentence"]) == ("volume", "412 cards in a day, usually 38")
        assert "staff_name" not in told
        assert (await head.get("/v1/leaks")).json()["items"][0]["delivered_at"] is not None

    in_the_api(database, scenario)


def test_a_webhook_is_followed_nowhere_and_not_into_private_networks(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await a_signal(api.container.pool, head.principal)
        outbox = Outbox(api, head.principal.tenant_id)
        async with receiver("302 Found\r\nLocation: http://127.0.0.1:1/") as (url, got):
            assert await deliver(outbox, Webhook(url, _SECRET, private=True)) == 0
            assert len(got) == 1
            await _due(api, head)
            assert await deliver(outbox, Webhook(url, _SECRET)) == 0
            assert len(got) == 1

    in_the_api(database, scenario)


def test_a_canary_reaches_the_webhook_within_five_seconds(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, _, canaries = await planted(api)
        async with receiver("204 Taken") as (url, got):
            webhook = Webhook(url, _SECRET, private=True)
            began = asyncio.get_running_loop().time()
            await reveal(anna, canaries[0])
            assert await deliver(Outbox(api, anna.principal.tenant_id), webhook) == 1
            assert asyncio.get_running_loop().time() - began < 5
            assert json.loads(got[0][1])["evidence"] == {"canaries": [canaries[0]]}

    in_the_api(database, scenario)


async def _due(api: Api, head: Client) -> None:
    await watched(api, head.principal, "UPDATE leak_signals SET next_try_at = now() WHERE tenant_id = $1")


def test_an_address_that_is_gone_is_a_try_that_failed(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await a_signal(api.container.pool, head.principal)
        webhook = Webhook("http://127.0.0.1:1/", _SECRET, private=True)
        assert await deliver(Outbox(api, head.principal.tenant_id), webhook) == 0

    in_the_api(database, scenario)
