"""Canaries sing when they are seen in clear; signals are for those who watch the whole tenant."""

import asyncio
from typing import Any

import pytest

from service.domain.errors import NotFound
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_FAMILY = ("Иванова", "Петрова", "Сидорова", "Кузнецова", "Смирнова", "Попова", "Волкова")
_GIVEN = ("Мария", "Анна", "Ольга", "Елена", "Дарья")
_CITIES = ("Казань", "Москва", "Тула")


def _customer(number: int) -> dict[str, Any]:
    return {
        "family_name": _FAMILY[number % 7],
        "given_name": _GIVEN[number % 5],
        "city": _CITIES[number % 3],
        "tags": ["vip"] if number % 4 == 0 else [],
        "external_ids": [{"source": "shop", "external_id": f"C-{1000 + 7 * number}"}],
        "contacts": [
            {"kind": "phone", "value": f"+7912345{number:04}"},
            {"kind": "email", "value": f"user.{number}@example.com"},
        ],
    }


async def portfolio(client: Client, size: int) -> None:
    answer = await client.post("/v1/customers/batch", json={"items": [_customer(number) for number in range(size)]})
    assert answer.json()["created"] == size, answer.text


async def planted(api: Api, size: int = 60) -> tuple[Client, Client, list[str]]:
    """A manager with a portfolio, the administrator, and the canaries in it."""
    anna, head = await api.client(reach="own"), await api.client()
    await portfolio(anna, size)
    answer = await head.post("/v1/canaries", json={"curator_id": str(anna.principal.staff_id)})
    assert answer.status_code == 201, answer.text
    listed = (await head.get("/v1/canaries", params={"limit": 200})).json()
    assert listed["count"] == len(listed["items"]) == answer.json()["planted"]
    return anna, head, [one["customer_id"] for one in listed["items"]]


async def reveal(client: Client, customer_id: str) -> Any:
    return await client.post(f"/v1/customers/{customer_id}/reveal", json={"reason": "Call back"})


def test_a_portfolio_gets_ten_canaries_or_one_in_a_hundred(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        assert len(canaries) == 10
        again = await head.post("/v1/canaries", json={"curator_id": str(anna.principal.staff_id)})
        assert again.json()["planted"] == 0
        page = (await anna.get("/v1/customers", params={"limit": 200, "count": "exact"})).json()
        assert page["count"] == 70
        assert set(canaries) <= {one["customer_id"] for one in page["items"]}
        assert (await anna.get("/v1/canaries")).status_code == 403

    in_the_api(database, scenario)


def test_a_canary_seen_in_clear_raises_a_signal_with_the_answer(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        real = [
            one["customer_id"]
            for one in (await anna.get("/v1/customers", params={"limit": 200})).json()["items"]
            if one["customer_id"] not in canaries
        ]
        honest = await reveal(anna, real[0])
        assert (await head.get("/v1/leaks")).json()["items"] == []
        touched = await reveal(anna, canaries[0])
        assert (honest.status_code, touched.status_code) == (200, 200), touched.text
        assert honest.headers.keys() == touched.headers.keys()
        assert [one.keys() for one in honest.json()["contacts"]] == [one.keys() for one in touched.json()["contacts"]]
        (signal,) = (await head.get("/v1/leaks")).json()["items"]
        assert (signal["kind"], signal["severity"]) == ("canary", "notice")
        assert signal["staff_id"] == str(anna.principal.staff_id)
        assert signal["evidence"] == {"canaries": [canaries[0]]}
        await reveal(anna, canaries[1])
        newest = (await head.get("/v1/leaks", params={"severity": "alert"})).json()["items"]
        assert [one["sentence"] for one in newest] == ["1 canary touched by reveal, 2 in 30 days"]

    in_the_api(database, scenario)


def test_an_access_report_of_a_canary_raises_a_signal(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        _, head, canaries = await planted(api)
        assert (await head.get(f"/v1/customers/{canaries[0]}/access-report")).status_code == 200
        (signal,) = (await head.get("/v1/leaks", params={"kind": "canary"})).json()["items"]
        assert signal["parts"]["by"] == "access report"

    in_the_api(database, scenario)


def test_a_signal_is_acknowledged_with_a_note_that_stays(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        await reveal(anna, canaries[0])
        (signal,) = (await head.get("/v1/leaks", params={"state": "open"})).json()["items"]
        path = f"/v1/leaks/{signal['signal_id']}/acknowledge"
        assert (await anna.post(path, json={"note": "Nothing"})).status_code == 403
        done = (await head.post(path, json={"note": "She has mistyped"})).json()
        assert (done["state"], done["note"]) == ("acknowledged", "She has mistyped")
        again = (await head.post(path, json={"note": "Something else"})).json()
        assert again["note"] == "She has mistyped"
        assert (await head.get("/v1/leaks", params={"state": "open"})).json()["items"] == []
        missing = await head.post(f"/v1/leaks/{canaries[0]}/acknowledge", json={"note": "Nothing"})
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/leak-signal-not-found")

    in_the_api(database, scenario)


def test_the_list_of_signals_goes_on_page_by_page(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        for canary in canaries[:5]:
            await reveal(anna, canary)
        seen, cursor = [], None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await head.get("/v1/leaks", params=query)).json()
            seen += [one["signal_id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen, reverse=True)
        assert (await head.get("/v1/leaks", params={"since": "2026-01-01T00:00:00"})).status_code == 422
        assert (await head.get("/v1/leaks", params={"cursor": "nonsense"})).status_code == 422

    in_the_api(database, scenario)


def test_signals_and_canaries_are_of_one_tenant_and_of_no_role_of_a_reach(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        await reveal(anna, canaries[0])
        for reach in ("own", "team"):
            near = await api.client(reach=reach)
            for path in ("/v1/leaks", "/v1/canaries", f"/v1/staff/{anna.principal.staff_id}/look-back"):
                assert (await near.get(path)).status_code == 403
        for principal in (anna.principal, head.principal):
            for table in ("canaries", "leak_signals", "staff_activity"):
                async with api.tenant.uow.begin(principal) as tx:
                    with pytest.raises(NotFound):
                        await tx.session.command(f"SELECT count(*) FROM {table}")

    in_the_api(database, scenario)


def test_a_small_portfolio_hides_nothing(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head = await api.client(reach="own"), await api.client()
        await portfolio(anna, 5)
        everywhere = await head.post("/v1/canaries", json={})
        assert (everywhere.status_code, everywhere.json()["planted"]) == (201, 0)
        answer = await head.post("/v1/canaries", json={"curator_id": str(anna.principal.staff_id)})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/portfolio-too-small")

    in_the_api(database, scenario)


def test_parallel_looks_each_raise_their_own_signal(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        await asyncio.gather(*(reveal(anna, one) for one in canaries[:4]))
        items = (await head.get("/v1/leaks")).json()["items"]
        assert len(items) == 4
        assert max(one["parts"]["recently"] for one in items) == 4

    in_the_api(database, scenario)


def test_an_export_in_clear_that_takes_canaries_along_raises_one_signal(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head, canaries = await planted(api)
        for columns, clear in ((["display_name", "city"], False), (["display_name", "phone"], True)):
            body = {"what": "customers", "columns": columns, "purpose": "A mailing in May"}
            asked = await anna.post("/v1/exports", json=body)
            assert asked.status_code == 202, asked.text
            await api.run_jobs()
            done = (await anna.get(f"/v1/exports/{asked.json()['export_id']}")).json()
            assert (done["state"], done["rows"]) == ("done", 70)
            found = (await head.get("/v1/leaks", params={"kind": "canary"})).json()["items"]
            assert len(found) == int(clear)
        assert (found[0]["parts"]["seen"], found[0]["parts"]["by"], found[0]["severity"]) == (10, "export", "alert")
        assert sorted(found[0]["evidence"]["canaries"]) == sorted(canaries)
        assert found[0]["evidence"]["export_id"] == asked.json()["export_id"]

    in_the_api(database, scenario)
