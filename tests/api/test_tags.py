"""Tags of many records move in one transaction, within reach, with their history, and as the rule says."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.db.statement import sql
from service.domain.customers.provenance import restored
from service.domain.tags import MOST_TAGS, NoTagsNamed, Tagging
from tests.api.support import Api, Client, api, in_the_api
from tests.postgres import TestDatabase
from tests.support import a_tenant

_PROVENANCE = sql("SELECT provenance FROM customers WHERE tenant_id = :tenant AND customer_id = :customer_id::uuid")
_SET = sql("UPDATE customers SET provenance = :groups WHERE tenant_id = :tenant AND customer_id = :customer_id::uuid")


async def _customer(client: Client, *tags: str, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json={"family_name": "Иванова", "tags": list(tags), **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _tag(client: Client, **body: Any) -> dict[str, int]:
    answer = await client.post("/v1/customers/tag", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = answer.json()
    return found


async def _card(client: Client, customer_id: str) -> dict[str, Any]:
    card: dict[str, Any] = (await client.get(f"/v1/customers/{customer_id}")).json()
    return card


def test_filters_and_lists_name_the_records(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        kazan, moscow = await _customer(head, "b", "a", city="Казань"), await _customer(head, "a", city="Москва")
        assert await _tag(head, add=["c", "a"], remove=["b"], filters={"city": "Казань"}) == {
            "matched": 1,
            "changed": 1,
            "full": 0,
        }
        assert (await _card(head, kazan))["tags"] == ["a", "c"]
        both = {"customer_ids": [kazan, moscow, str(uuid4())], "filters": {"tag": "a"}}
        assert await _tag(head, add=["c"], **both) == {"matched": 2, "changed": 1, "full": 0}
        assert [(await _card(head, one))["tags"] for one in (kazan, moscow)] == [["a", "c"]] * 2
        assert [(await _card(head, one))["version"] for one in (kazan, moscow)] == [2, 2]

    in_the_api(database, scenario)


def test_history_changes_and_provenance_tell_of_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        other, mine = await _customer(head, "a"), await _customer(head, curator_id=str(head.principal.staff_id))
        groups = [{"s": "x"}, {"s": "y", "t": 5, "f": ["city", "tags"]}, {"s": "z", "v": 7, "f": ["tags"]}]
        async with world.tenant.uow.begin(head.principal) as tx:
            await tx.session.execute(_SET, groups=groups, customer_id=other)
            await tx.commit()
        await _tag(head, add=["new"], customer_ids=[other, mine])
        own = f"curator {head.principal.staff_id}"
        for customer_id, source, before in ((other, "api", ["a"]), (mine, own, [])):
            items = (await head.get(f"/v1/customers/{customer_id}/timeline?kinds=updated")).json()["items"]
            assert items[0]["detail"] == {"fields": {"tags": [before, [*before, "new"]]}}
            assert (items[0]["source"], items[0]["by"]["staff_id"]) == (source, str(head.principal.staff_id))
            async with world.tenant.uow.begin(head.principal) as tx:
                kept = await tx.session.fetchval(_PROVENANCE, customer_id=customer_id)
            assert restored(kept).of("tags").source == source
            assert restored(kept).of("tags").verified_at is None
        async with world.tenant.uow.begin(head.principal) as tx:
            kept = await tx.session.fetchval(_PROVENANCE, customer_id=other)
        assert [group.get("f") for group in kept] == [None, ["city"], ["tags"]]
        assert restored(kept).of("city").source == "y"

    in_the_api(database, scenario)


def test_what_is_out_of_reach_or_restricted_stays_as_it_is(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        foreign, mine, held = [await _customer(client, city="Казань") for client in (head, anna, anna)]
        restrict = sql(
            "UPDATE customers SET restricted_at = now() WHERE tenant_id = :tenant AND customer_id = :id::uuid"
        )
        async with world.tenant.uow.begin(head.principal) as tx:
            await tx.session.execute(restrict, id=held)
            await tx.commit()
        for which in ({"filters": {"city": "Казань"}}, {"customer_ids": [foreign, mine, held]}):
            assert (await _tag(anna, add=["x"], **which))["matched"] == 1
        assert [(await _card(head, one))["tags"] for one in (foreign, mine, held)] == [[], ["x"], []]

    in_the_api(database, scenario)


def test_a_record_with_too_many_tags_is_left_and_counted(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        full = await _customer(head, *(f"t{n}" for n in range(MOST_TAGS)), city="Казань")
        await _customer(head, city="Казань")
        answer = await _tag(head, add=["x"], filters={"city": "Казань"})
        assert answer == {"matched": 2, "changed": 1, "full": 1}
        assert "x" not in (await _card(head, full))["tags"]
        assert (await _tag(head, add=["x"], remove=["t0"], customer_ids=[full]))["changed"] == 1

    in_the_api(database, scenario)


def test_bodies_that_name_nothing_are_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        ids = [str(uuid4())]
        for body, code in (
            ({"customer_ids": ids}, "tags-missing"),
            ({"customer_ids": ids, "add": ["a"], "remove": ["a"]}, "tags-missing"),
            ({"add": ["a"]}, "invalid-request"),
            ({"add": ["a"], "filters": {}}, "invalid-request"),
            ({"add": ["a"], "customer_ids": []}, "invalid-request"),
            ({"add": ["\x00"], "customer_ids": ids}, "invalid-request"),
            ({"add": ["a"], "filters": {"colour": "red"}}, "invalid-request"),
        ):
            answer = await head.post("/v1/customers/tag", json=body)
            assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}"), body
        reader = await world.client(scopes=("customers:read",))
        assert (await reader.post("/v1/customers/tag", json={"add": ["a"], "customer_ids": ids})).status_code == 403

    in_the_api(database, scenario)


def test_the_same_key_tags_once(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer_id = await _customer(head)
        options: dict[str, Any] = {
            "json": {"add": ["a"], "customer_ids": [customer_id]},
            "headers": {"Idempotency-Key": "k"},
        }
        first = await head.post("/v1/customers/tag", **options)
        assert (await head.post("/v1/customers/tag", **options)).json() == first.json()
        assert first.json()["changed"] == 1

    in_the_api(database, scenario)


def test_taggings_at_once_lose_nothing(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        ids = [await _customer(head, city="Казань") for _ in range(3)]
        bodies = [{"add": [f"t{n}"], "filters": {"city": "Казань"}} for n in range(5)]
        await asyncio.gather(*(_tag(head, **body) for body in bodies))
        for one in ids:
            assert sorted((await _card(head, one))["tags"]) == [f"t{n}" for n in range(5)]

    in_the_api(database, scenario)


_Ask = Callable[[Callable[[Api], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def ask(database: TestDatabase) -> Iterator[_Ask]:
    with asyncio.Runner() as runner:
        opened = api(database)
        world = runner.run(opened.__aenter__())
        yield lambda scenario: runner.run(scenario(world))  # type: ignore[arg-type]
        runner.run(opened.__aexit__(None, None, None))


_tags = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@settings(max_examples=25, deadline=None)
@given(
    records=st.lists(_tags, min_size=1, max_size=4), add=st.lists(st.sampled_from("abcdef"), max_size=5), remove=_tags
)
def test_sql_says_what_the_rule_says(ask: _Ask, records: list[list[str]], add: list[str], remove: list[str]) -> None:
    try:
        tagging = Tagging(add=tuple(add), remove=tuple(remove))
    except NoTagsNamed:
        return

    async def scenario(world: Api) -> None:
        tenant = await a_tenant(world.container.pool, world.tenant.owner_url, world.tenant.service_url)
        head = world.client_of(await tenant.staff())
        ids = [await _customer(head, *tags) for tags in records]
        answer = await _tag(head, add=add, remove=remove, customer_ids=ids)
        wanted = [tagging.of(tags) for tags in records]
        assert [(await _card(head, one))["tags"] for one in ids] == wanted
        assert answer["changed"] == sum(a != b for a, b in zip(records, wanted, strict=True))

    ask(scenario)
