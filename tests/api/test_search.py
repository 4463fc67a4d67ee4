"""Search: by words in any order and script, by keys, by whole contacts within a budget; and what a create may tell."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase


async def _created(client: Client, family: str, given: str = "", **more: Any) -> str:
    body = {"family_name": family, "given_name": given or None, **more}
    answer = await client.post("/v1/customers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _names(client: Client, q: str, **query: Any) -> list[str]:
    answer = await client.get("/v1/customers", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return [item["display_name"] for item in answer.json()["items"]]


async def _set_policies(world: Api, text: str) -> None:
    connection = await asyncpg.connect(world.database.superuser_url)
    try:
        await connection.execute(
            "UPDATE tenants SET policies = $1::jsonb WHERE tenant_id = $2", text, world.tenant.tenant_id
        )
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("Пётр Иванов", ["Иванов Пётр"]),
        ("петр ИВАНОВ", ["Иванов Пётр"]),
        ("ivanov petr", ["Иванов Пётр"]),
        ("Schmidt", ["Schmidt Юлия"]),
        ("yulia", ["Schmidt Юлия"]),
        ("юли", ["Schmidt Юлия"]),
        ("юл", []),
        ("ли", ["Ли Чун"]),
        ("нет такого", []),
    ],
)
def test_words_find_in_any_order_and_script(database: TestDatabase, q: str, expected: list[str]) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for family, given in (("Иванов", "Пётр"), ("Schmidt", "Юлия"), ("Ли", "Чун"), ("Петров", "Олег")):
            await _created(head, family, given)
        assert await _names(head, q) == expected

    in_the_api(database, scenario)


def test_whole_words_come_before_words_that_only_begin_so(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for family, given in (("Иванова", "Анна"), ("Иван", "Анна"), ("Иваненко", "Анна"), ("Иван", "Аннабель")):
            await _created(head, family, given)
        assert await _names(head, "иван") == ["Иван Аннабель", "Иван Анна", "Иваненко Анна", "Иванова Анна"]
        assert await _names(head, "анна иван") == ["Иван Анна", "Иван Аннабель", "Иваненко Анна", "Иванова Анна"]

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    "asked",
    [
        *({"q": "иван"}, {"q": "иван анн"}, {"q": "ива"}, {"q": "ива", "sort": "-name"}),
        *({"sort": "name"}, {"sort": "-name"}, {"sort": "created"}, {"sort": "-created"}),
    ],
)
def test_pages_survive_inserts(database: TestDatabase, asked: dict[str, Any]) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        before = {
            await _created(head, f"Иван{'абвгд'[i % 5] if i % 3 else ''}", f"Анна{'я' * (i % 2)}") for i in range(17)
        }
        seen: list[str] = []
        cursor = None
        for _ in range(40):
            query = asked | {"limit": 3} | ({"cursor": cursor} if cursor else {})
            page = (await head.get("/v1/customers", params=query)).json()
            seen += [item["customer_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            if len(seen) < 10:
                await _created(head, "Иван", "Анна")
                await _created(head, "Ивановский", "Анна")
        assert cursor is None
        assert len(seen) == len(set(seen))
        assert before <= set(seen)

    in_the_api(database, scenario)


def test_a_key_or_order_number_finds_its_record(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        manager = await world.client(reach="own")
        found = await _created(head, "Иванов", external_ids=[{"source": "shop", "external_id": "C-77"}])
        order = {
            "customer_id": found,
            "external_id": "ORD 2026/15",
            "source": "till",
            "ordered_at": "2026-01-05T10:00:00Z",
            "status": "paid",
            "total": "10.00",
            "currency": "RUB",
        }
        answer = await head.post("/v1/orders", json=order)
        assert answer.status_code == 201, answer.text
        await _created(head, "Семьдесят", "C77")
        for q in ("C-77", " C-77 ", "ORD 2026/15"):
            assert await _names(head, q) == ["Иванов"], q
            assert await _names(manager, q) == [], q
            counted = await head.get("/v1/customers", params={"q": q, "count": "exact"})
            assert counted.json()["count"] == 1
        assert await _names(head, "C-7") == []

    in_the_api(database, scenario)


def test_a_search_sees_only_what_is_within_reach_and_narrows_by_filters(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        manager = await world.client(reach="own")
        await _created(head, "Сидоров", "Иван", city="Казань")
        await _created(manager, "Сидорова", "Анна", city="Тула")
        assert await _names(manager, "сидор") == ["Сидорова Анна"]
        assert await _names(head, "сидор") == ["Сидоров Иван", "Сидорова Анна"]
        assert await _names(head, "сидор", city="Тула") == ["Сидорова Анна"]
        assert await _names(head, "сидоров иван", city="Тула") == []
        assert await _names(head, "сидор", sort="-name") == ["Сидорова Анна", "Сидоров Иван"]

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "relevance"},
        {"fields": "display_name,nonsense"},
        {"q": "иван", "cursor": "bm9uc2Vuc2U"},
        {"q": "иван", "cursor": "eyJ3aG9sZSI6MSwicmFuayI6MCwidG9rZW4iOiIiLCJjdXN0b21lcl9pZCI6IngifQ"},
        {"count": "perhaps"},
        {"q": "x" * 201},
    ],
)
def test_what_makes_no_sense_is_refused(database: TestDatabase, query: dict[str, str]) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.get("/v1/customers", params=query)
        assert answer.status_code == 422, answer.text

    in_the_api(database, scenario)


def test_fields_and_counts_are_answered_as_asked(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for i in range(3):
            await _created(head, f"Поля{i}", city="Уфа")
        asked: list[dict[str, Any]] = [{"city": "Уфа"}, {"q": "пол"}, {"city": "Уфа", "sort": "name", "limit": 2}]
        for query in asked:
            answer = (
                await head.get("/v1/customers", params={**query, "fields": "city, display_name", "count": "exact"})
            ).json()
            assert answer["count"] == 3
            assert all(set(item) == {"customer_id", "city", "display_name"} for item in answer["items"]), answer
            estimate = (await head.get("/v1/customers", params={**query, "count": "estimate"})).json()["count"]
            assert isinstance(estimate, int)
            assert estimate >= 0

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("phone", "8 (912) 345-67-89"), ("phone", "+79123456789"), ("email", "MARIA@Example.com"), ("inn", "7707083893")],
)
def test_a_whole_contact_finds_in_any_writing(database: TestDatabase, kind: str, value: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        contacts = [
            {"kind": "phone", "value": "+7 912 345-67-89"},
            {"kind": "email", "value": "maria@example.com"},
            {"kind": "inn", "value": "7707083893"},
        ]
        mine = await _created(head, "Иванова", "Мария", contacts=contacts)
        body = {"contact": {"kind": kind, "value": value}}
        answer = await head.post("/v1/customers/search", json=body)
        assert [item["customer_id"] for item in answer.json()["items"]] == [mine]
        manager = await world.client(reach="own")
        assert (await manager.post("/v1/customers/search", json=body)).json()["items"] == []
        assert (await head.post("/v1/customers/search", json=body | {"q": "петр"})).json()["items"] == []
        assert len((await head.post("/v1/customers/search", json=body | {"q": "мари"})).json()["items"]) == 1

    in_the_api(database, scenario)


def test_looking_for_contacts_is_budgeted_by_person_and_hour(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        await _set_policies(world, '{"contact_probes_per_hour": 5}')
        anna, boris = await world.client(), await world.client()
        body = {"contact": {"kind": "phone", "value": "+7 912 345-67-89"}}
        answers = await asyncio.gather(*(anna.post("/v1/customers/search", json=body) for _ in range(9)))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 4
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["type"] == "/problems/probe-budget-used-up"
        assert 1 <= int(refused.headers["retry-after"]) <= 3601
        assert (await boris.post("/v1/customers/search", json=body)).status_code == 200
        assert (await anna.post("/v1/customers/search", json={"q": "иван"})).status_code == 200

    in_the_api(database, scenario)


_CONTACT = {"contacts": [{"kind": "phone", "value": "+7 912 345-67-89"}]}


def test_a_duplicate_within_reach_is_named(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        first = await _created(head, "Иванова", "Мария", **_CONTACT)
        body = {"family_name": "Иванова", "contacts": [{"kind": "phone", "value": "8 912 3456789"}]}
        refused = await head.post("/v1/customers?on_duplicate=refuse", json=body)
        assert refused.status_code == 409, refused.text
        assert refused.json()["type"] == "/problems/possible-duplicate"
        (match,) = refused.json()["possible_duplicates"]
        assert match["customer_id"] == first
        assert match["matched"] == ["phone"]
        warned = await head.post("/v1/customers?on_duplicate=warn", json=body)
        assert warned.status_code == 201
        assert warned.json()["possible_duplicates"] == [match]
        assert "etag" in warned.headers
        assert (await head.post("/v1/customers", json=body)).status_code == 201

    in_the_api(database, scenario)


def test_a_duplicate_in_another_portfolio_is_masked_counted_and_audited(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        await _set_policies(world, '{"contact_probes_per_hour": 2}')
        anna, boris = await world.client(reach="own"), await world.client(reach="own")
        hers = await _created(anna, "Иванова", "Мария", **_CONTACT)
        path, body = "/v1/customers?on_duplicate=refuse", {"family_name": "Новая", **_CONTACT}
        refused = await boris.post(path, json=body)
        assert refused.status_code == 409
        (match,) = refused.json()["possible_duplicates"]
        assert match["customer_id"] is None
        assert match["display_name"] == "И••• М•••"
        assert match["request_token"]
        assert hers not in refused.text
        assert "Иванова" not in refused.text
        assert (await boris.post(path, json=body)).status_code == 409
        assert (await boris.post(path, json=body)).status_code == 429
        connection = await asyncpg.connect(world.database.superuser_url)
        try:
            told = await connection.fetchval(
                "SELECT count(*) FROM audit WHERE action = 'customers.disclose' AND entity_id = $1::uuid", hers
            )
        finally:
            await connection.close()
        assert told == 2

    in_the_api(database, scenario)


@pytest.mark.parametrize("asked", ["refuse", "warn"])
def test_of_two_like_records_at_the_same_moment_the_second_one_meets_the_first(
    database: TestDatabase, asked: str
) -> None:
    async def scenario(world: Api) -> None:
        clients = [await world.client(reach="own") for _ in range(3)] + [await world.client()]
        others = [{"kind": "email", "value": f"maria{n}@example.com"} for n in range(4)]
        bodies = [{"family_name": "Разом", "contacts": [*_CONTACT["contacts"], other]} for other in others]
        path = f"/v1/customers?on_duplicate={asked}"
        answers = await asyncio.gather(*(c.post(path, json=b) for c, b in zip(clients, bodies, strict=True)))
        told = sorted((answer.status_code, len(answer.json().get("possible_duplicates", ()))) for answer in answers)
        if asked == "refuse":
            assert told == [(201, 0), (409, 1), (409, 1), (409, 1)]
        else:
            assert [status for status, _ in told] == [201] * 4
            assert sum(not known for _, known in told) == 1

    in_the_api(database, scenario)


def test_a_number_is_compared_as_one_of_the_country_of_the_record(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        body = {"family_name": "Schmidt", "country": "DE", "contacts": [{"kind": "phone", "value": "030 123456"}]}
        await _created(head, "Schmidt", "Anna", country="DE", contacts=body["contacts"])
        assert (await head.post("/v1/customers?on_duplicate=refuse", json=body)).status_code == 409

    in_the_api(database, scenario)


def test_a_repeated_create_is_no_duplicate_of_itself(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        headers = {"Idempotency-Key": "once"}
        path, body = "/v1/customers?on_duplicate=refuse", {"family_name": "Одна", **_CONTACT}
        first = await head.post(path, json=body, headers=headers)
        again = await head.post(path, json=body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json()["customer_id"] == again.json()["customer_id"]

    in_the_api(database, scenario)
