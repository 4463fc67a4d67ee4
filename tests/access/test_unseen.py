"""What a caller does not reach has no influence on what he is told: answers are the same before and after it came."""

import secrets
from typing import Any

from service.api.app import assemble
from service.api.openapi import document
from tests.access.cast import Cast, Person, a_cast, told
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

# Lists, counts, aggregates and searches, with what is asked of them besides.
_QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "/v1/customers": [{"count": "exact"}, {"sort": "-created_at"}, {"q": "Общая"}, {"tag": "common"}],
    "/v1/abc": [{"over": over} for over in ("customers", "products", "categories", "channels", "curators")],
    "/v1/abc/matrix": [{"with": "xyz"}, {"with": "rfm"}],
    "/v1/abc/items": [{}, {"over": "curators"}],
    "/v1/abc/chart.svg": [{}, {"of": "rfm"}],
    "/v1/orders": [{"count": "exact"}, {"status": "completed"}],
    "/v1/rfm": [{}, {"trimmed": "true"}],
    "/v1/assignments/pool": [{"count": "exact"}],
    # Reading the trail, canaries and signals leaves rows there; of what is done to records there must be none.
    "/v1/audit": [{"action": action} for action in ("customers.create", "orders.created", "notes.create")],
}
# Who one is, and since when one has been told: neither tells of records.
_APART = {"/v1/changes": ("next_since",)}
_MOMENTS = ("computed_at", "as_of", "checked_at")
_SEARCHES = (
    {"q": "общ", "count": "exact"},
    {"city": "Самара", "count": "exact"},
    {"external_id": "C-common"},
    {"contact": {"kind": "email", "value": "common@example.com"}},
)


def _lists() -> list[str]:
    paths = document(assemble())["paths"]
    return [path for path, verbs in paths.items() if path.startswith("/v1") and "get" in verbs and "{" not in path]


async def _hold_some(cast: Cast, holder: Person, records: int) -> None:
    """Records that look like everybody else's."""
    head = cast.head_of(holder).client
    for number in range(records):
        body = {
            "family_name": "Общая",
            "city": "Самара",
            "tags": ["common"],
            "contacts": [{"kind": "email", "value": "common@example.com"}],
            "curator_id": holder.staff_id,
            "team_id": holder.team_id,
        }
        customer_id = (await told(await head.post("/v1/customers", json=body)))["customer_id"]
        bought = {
            "customer_id": customer_id,
            "external_id": secrets.token_hex(6),
            "ordered_at": f"2026-1{number % 2}-0{1 + number % 9}T12:00:00Z",
            "sales_channel": "shop",
            "status": "completed",
            "total": str(100 * (number + 1)),
        }
        await told(await head.post("/v1/orders", json=bought))
        await told(await head.post(f"/v1/customers/{customer_id}/notes", json={"text": "Общая заметка"}))


def _still(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        apart = (*_MOMENTS, *_APART.get(path, ()))
        return {name: _still(inner, path) for name, inner in value.items() if name not in apart}
    return [_still(inner, path) for inner in value] if isinstance(value, list) else value


async def _asked(client: Client) -> dict[str, Any]:
    """What the caller is told by everything that lists, counts, adds up or searches."""
    answers: dict[str, Any] = {}
    for path in _lists():
        for query in _QUESTIONS.get(path, [{}]):
            answer = await client.get(path, params=query)
            told = answer.text if path.endswith(".svg") else _still(answer.json(), path)
            answers[f"{path} {query}"] = (answer.status_code, told)
    for body in _SEARCHES:
        answer = await client.post("/v1/customers/search", json=body)
        answers[f"search {body}"] = (answer.status_code, _still(answer.json(), ""))
    return answers


def test_what_is_out_of_reach_changes_no_answer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        cast = await a_cast(world)
        for name in ("manager", "lead", "mate"):
            await _hold_some(cast, cast[name], 3)
        readers = {"manager": ("mate", "colleague", "alien"), "lead": ("colleague", "alien"), "admin": ("alien",)}
        for name, unseen in readers.items():
            client = cast[name].client
            before = await _asked(client)
            for holder in unseen:
                await _hold_some(cast, cast[holder], 2)
            after = await _asked(client)
            changed = {question: (before[question], after[question]) for question in before}
            changed = {question: pair for question, pair in changed.items() if pair[0] != pair[1]}
            assert changed == {}, (name, changed)

    in_the_api(database, scenario)


def test_the_comparison_sees_a_record_that_comes_into_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        cast = await a_cast(world)
        await _hold_some(cast, cast["manager"], 2)
        before = await _asked(cast["manager"].client)
        await _hold_some(cast, cast["manager"], 1)
        after = await _asked(cast["manager"].client)
        told_apart = {question.partition(" ")[0] for question in before if before[question] != after[question]}
        assert told_apart >= {
            "/v1/customers",
            "/v1/orders",
            "/v1/rfm",
            "/v1/abc",
            "/v1/abc/matrix",
            "/v1/abc/items",
            "/v1/abc/chart.svg",
            "/v1/overview",
            "/v1/changes",
            "search",
        }

    in_the_api(database, scenario)


def test_a_record_under_the_wrong_parent_is_missing(database: TestDatabase) -> None:
    """One's own customer in the path opens nothing that belongs to another one."""

    async def scenario(world: Api) -> None:
        cast = await a_cast(world)
        manager = cast["manager"]
        mine = (await cast.kept("customer", manager))["customer_id"]
        second = (await cast.fresh("customer", manager))["customer_id"]
        for kind, resource, key in (("note", "notes", "note_id"), ("interaction", "interactions", "interaction_id")):
            for holder in ("manager", "mate", "colleague", "alien"):
                child = (await cast.kept(kind, cast[holder]))[key]
                parent = second if holder == "manager" else mine
                answer = await manager.client.delete(f"/v1/customers/{parent}/{resource}/{child}")
                assert answer.status_code == 404, (kind, holder, answer.text)
        for holder in ("mate", "colleague", "alien"):
            link = await cast.kept("link", cast[holder])
            query = {"kind": "works_at", "other_id": link["other_id"]}
            answer = await manager.client.delete(f"/v1/customers/{mine}/links", params=query)
            assert answer.status_code == 404, answer.text

    in_the_api(database, scenario)


def test_only_what_design_names_may_tell_that_a_record_exists(database: TestDatabase) -> None:
    """By an exact key, inside the tenant: 409 without an id, or a request for access with the record's mask."""

    async def scenario(world: Api) -> None:
        cast = await a_cast(world)
        manager = cast["manager"].client
        keys = {name: (await cast.kept("customer", cast[name])) for name in ("mate", "colleague", "alien")}
        for name, there in keys.items():
            body = {"family_name": "Новая", "external_ids": [{"source": "shop", "external_id": there["external_id"]}]}
            created = await manager.post("/v1/customers", json=body)
            put = await manager.put(
                f"/v1/customers/by-external-id/{there['external_id']}?source=shop", json={"family_name": "Новая"}
            )
            ask = {"external_id": there["external_id"], "source": "shop", "reason": "He has called"}
            asked = await manager.post("/v1/access-requests", json=ask)
            expected = (201, 200, 409) if name == "alien" else (409, 409, 201)
            assert (created.status_code, put.status_code, asked.status_code) == expected, name
            for answer in (created, put, asked):
                assert there["customer_id"] not in answer.text
                assert cast[name].mark not in answer.text.replace(there["external_id"], "")

    in_the_api(database, scenario)
