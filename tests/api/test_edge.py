"""Every answer tells browsers and caches what it is; nobody calls more often than he may; the log knows no persons."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from service.domain.errors import Unavailable
from service.domain.privacy.service import PrivacyService
from service.settings import HttpSettings, LimitSettings, Settings
from tests.api.over_http import served
from tests.api.support import Api, api, in_the_api, settings_for
from tests.api.test_customers import PERSON
from tests.postgres import TestDatabase


def _with(database: TestDatabase, scenario: Callable[[Api], Awaitable[None]], **changes: object) -> None:
    settings: Settings = settings_for(database).model_copy(update=changes)

    async def run() -> None:
        async with api(database, settings=settings) as world:
            await scenario(world)

    asyncio.run(run())


def test_every_kind_of_answer_carries_the_headers(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        reader = await world.client(scopes=("customers:read",))
        answers = [
            await head.get("/v1/me"),
            await head.get("/v1/customers"),
            await head.get("/v1/customers/0a6b944d-d2fb-46fc-a85e-0295c986cd9f"),
            await head.post("/v1/customers", content=b"{"),
            await head.get("/v1/nothing"),
            await head.request("TRACE", "/v1/customers"),
            await reader.post("/v1/teams", json={"name": "x"}),
            await world.http.get("/v1/me"),
            await world.http.get("/healthz"),
            await world.http.get("/readyz"),
            await world.http.get("/metrics"),
            await world.http.get("/openapi.json"),
            await world.http.get("/docs"),
            await world.http.get("/docs/assets/swagger-ui.css"),
            await world.http.get("/problems/no-token"),
            await world.http.get("/nothing"),
        ]
        for answer in answers:
            _check(answer)

    in_the_api(database, scenario)


def _check(answer: httpx.Response) -> None:
    headers, path = answer.headers, answer.request.url.path
    assert headers["x-content-type-options"] == "nosniff", path
    assert headers["referrer-policy"] == "no-referrer", path
    assert headers["x-frame-options"] == "DENY", path
    assert "frame-ancestors 'none'" in headers["content-security-policy"], path
    assert "default-src 'none'" in headers["content-security-policy"], path
    assert "unsafe" not in headers["content-security-policy"], path
    assert "server" not in headers, path
    assert "access-control-allow-origin" not in headers, path
    assert "strict-transport-security" not in headers, path
    assert headers["x-request-id"], path
    if path.startswith("/v1"):
        assert headers["cache-control"] == "no-store", path
    for name in ("x-content-type-options", "content-security-policy", "cache-control", "ratelimit"):
        assert len(headers.get_list(name)) <= 1, (path, name)


def test_behind_tls_browsers_are_told_to_stay_there(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        for answer in (await world.http.get("/healthz"), await (await world.client()).get("/v1/me")):
            assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"

    _with(database, scenario, http=HttpSettings(behind_tls=True))


def test_a_caller_has_so_many_requests_a_minute_whatever_token_he_uses(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna, boris = await world.client(reach="own"), await world.client(reach="own")
        again = world.client_of(anna.principal, scopes=("customers:read", "reach:own"))
        answers = [await client.get("/v1/me") for client in (anna, again, anna)]
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0"]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"caller";q=3;w=60'}
        for client in (anna, again):
            refused = await client.get("/v1/me")
            assert (refused.status_code, refused.json()["type"]) == (429, "/problems/rate-limited")
            assert 0 < int(refused.headers["retry-after"]) == refused.json()["retry_after_seconds"] <= 60
            assert refused.headers["ratelimit"].startswith('"caller";r=0;t=')
        assert (await boris.get("/v1/me")).status_code == 200

    _with(database, scenario, limits=LimitSettings(caller_per_minute=3))


def test_who_has_not_proved_who_he_is_counts_by_his_address(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        anna = await world.client(reach="own")
        answers = [await world.http.get(path) for path in ("/v1/me", "/docs", "/readyz")]
        assert [answer.status_code for answer in answers] == [401, 200, 200]
        for path in ("/v1/me", "/docs", "/readyz", "/metrics"):
            refused = await world.http.get(path)
            assert (refused.status_code, refused.json()["type"]) == (429, "/problems/rate-limited")
        assert (await world.http.get("/healthz")).status_code == 200
        assert (await anna.get("/v1/me")).status_code == 200

    _with(database, scenario, limits=LimitSettings(address_per_minute=3))


def test_behind_a_trusted_proxy_the_caller_is_the_one_behind_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        for number in range(5):
            answer = await world.http.get("/v1/me", headers={"X-Forwarded-For": f"203.0.113.{number}"})
            assert answer.status_code == 401
        same = {"X-Forwarded-For": "1.1.1.1, 203.0.113.0"}
        assert (await world.http.get("/v1/me", headers=same)).status_code == 429

    bounds = LimitSettings(address_per_minute=1)
    _with(database, scenario, limits=bounds, http=HttpSettings(trusted_proxies=["127.0.0.0/8"]))


def test_the_usual_bounds_are_wide(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.get("/v1/customers")
        assert answer.headers["ratelimit-policy"] == '"caller";q=120000;w=60'

    in_the_api(database, scenario)


def test_neither_query_nor_body_nor_token_comes_into_the_log(
    database: TestDatabase, capfd: pytest.CaptureFixture[str]
) -> None:
    marks = ("Пржевальская", "79161234567", "marker@example.org", "s3cr3t-marker")

    async def scenario(world: Api) -> None:
        head = await world.client()
        token = head.headers["authorization"].split()[1]
        body = {"kind": "person", "family_name": marks[0], "contacts": [{"kind": "email", "value": marks[2]}]}
        await head.post("/v1/customers", json=body)
        await head.post("/v1/customers", json=body | {"nickname": marks[3]})
        await head.get("/v1/customers", params={"q": marks[0]})
        await head.get(f"/v1/customers/{marks[3]}", headers={"X-Request-ID": marks[1] + "@" + marks[2]})
        await head.get(f"/{marks[3]}?phone={marks[1]}", headers={"Referer": marks[2], "User-Agent": marks[3]})
        await world.http.get("/v1/me", headers={"Authorization": f"Bearer {marks[3]}.{marks[3]}.{marks[3]}"})
        await world.container.pool.close()
        await head.get("/v1/customers", params={"q": marks[0]})
        told = "".join(capfd.readouterr())
        assert "/v1/customers" in told
        assert [mark for mark in (*marks, token, json.dumps(marks[0])[1:-1]) if mark in told] == []

    in_the_api(database, scenario)


@pytest.mark.parametrize(("depth", "code"), [(65, "malformed-body"), (900, "malformed-body"), (60, "invalid-request")])
def test_json_is_nested_so_deep_and_no_deeper(database: TestDatabase, depth: int, code: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for deep in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            body = f'{{"family_name": "x", "x": {deep}}}'
            answer = await head.post("/v1/customers", content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}")

    in_the_api(database, scenario)


def test_a_head_without_end_is_cut_off(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        async with served(world.transport.app) as port:  # type: ignore[attr-defined]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 30_000 + b"\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
            sent = 0
            with contextlib.suppress(OSError):  # a line that is cut off
                while sent < 5_000_000 and not reader.at_eof():
                    writer.write(b"a" * 10_000)
                    await writer.drain()
                    await asyncio.sleep(0)
                    sent += 10_000
            assert sent < 5_000_000
            writer.close()

    in_the_api(database, scenario)


def test_an_answer_that_breaks_off_is_one_line_in_the_log(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> AsyncIterator[list[str]]:
        yield ["1"]
        raise Unavailable

    async def scenario(world: Api) -> None:
        head = await world.client()
        customer = (await head.post("/v1/customers", json=PERSON)).json()["customer_id"]
        monkeypatch.setattr(PrivacyService, "section", broken)
        capsys.readouterr()
        async with served(world.transport.app) as port:  # type: ignore[attr-defined]
            url = f"http://127.0.0.1:{port}/v1/customers/{customer}/access-report"
            async with httpx.AsyncClient(headers=head.headers) as over_http:
                with pytest.raises(httpx.RemoteProtocolError):  # the client sees that it is not whole
                    await over_http.get(url)

    in_the_api(database, scenario)
    log = capsys.readouterr().out
    assert log.count("broken off") == 1
    assert "code=unavailable" in log
    assert "Traceback" not in log
    assert "already started" not in log
