"""Until a person has accepted the current terms of use, no operation with personal data answers."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from service.api.app import assemble
from service.api.openapi import document
from service.db.session import preamble
from service.db.tenancy import add_staff
from service.domain.access import Principal
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

# What may be asked before anything was accepted: who one is, the terms themselves, and to give a token back.
_FREE = {"me.get", "terms.list", "terms.publish", "terms.accept", "tokens.revoke"}
_TEXT = "Данные клиентов принадлежат компании."
_OPERATIONS = [
    (spec["operationId"], method.upper(), path)
    for path, methods in document(assemble())["paths"].items()
    for method, spec in methods.items()
    if spec["tags"] != ["ops"]
]


async def _publish(head: Client, text: str = _TEXT) -> int:
    answer = await head.post("/v1/terms", json={"text": text})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["version"])


async def _accept(client: Client, version: int) -> Any:
    return await client.post(f"/v1/terms/{version}/accept")


def _is_required(answer: Any) -> bool:
    return answer.status_code == 403 and bool(answer.json()["type"] == "/problems/terms-required")


async def _every(client: Client) -> dict[str, Any]:
    """Each operation with something in the place of its ids, and nothing in its body."""
    return {
        name: await client.request(method, re.sub(r"{\w+}", str(uuid4()), path), json={} if method != "GET" else None)
        for name, method, path in _OPERATIONS
        if name not in _FREE
    }


def test_no_operation_answers_before_the_current_terms_are_accepted(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        open_doors = [name for name, answer in (await _every(head)).items() if _is_required(answer)]
        assert open_doors == []  # without terms there is nothing to accept
        for text in (_TEXT, _TEXT + " И после увольнения."):
            version = await _publish(head, text)
            answers = await _every(head)
            assert [name for name, answer in answers.items() if not _is_required(answer)] == []
            told = answers["customers.list"].json()
            assert (told["version"], told["terms"]) == (version, "/v1/terms")
            assert (await head.post(told["accept"])).status_code == 200
            assert [name for name, answer in (await _every(head)).items() if _is_required(answer)] == []

    in_the_api(database, scenario)


def test_only_the_named_operations_do_without_terms() -> None:
    specs = [spec for methods in document(assemble())["paths"].values() for spec in methods.values()]
    assert {spec["operationId"] for spec in specs if spec.get("x-without-terms")} == _FREE


def test_the_walk_finds_an_operation_that_was_left_open(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def scenario(api: Api) -> None:
        head = await api.client()
        await _publish(head)
        assert not _is_required((await _every(head))["customers.list"])

    monkeypatch.setattr("service.api.routing.require_terms", lambda _: None)
    in_the_api(database, scenario)


def test_an_acceptance_keeps_version_hash_time_and_address(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own", scopes=())
        version = await _publish(head)
        mine = (await anna.get("/v1/me")).json()["terms"]
        assert (mine["version"], mine["due"], mine["accepted_at"]) == (1, True, None)
        shown = (await anna.get("/v1/terms")).json()["items"]
        assert [(one["version"], one["text"]) for one in shown] == [(1, _TEXT)]
        accepted = await _accept(anna, version)
        assert accepted.status_code == 200, accepted.text
        again = await _accept(anna, version)
        assert again.json() == accepted.json()
        mine = (await anna.get("/v1/me")).json()["terms"]
        assert (mine["due"], mine["accepted_at"]) == (False, accepted.json()["accepted_at"])
        async with api.tenant.uow.begin(head.principal) as tx:
            rows = await tx.session.connection.fetch("SELECT * FROM terms_acceptances")
        assert len(rows) == 1
        digest = hashlib.sha256(_TEXT.encode()).hexdigest()
        assert (rows[0]["staff_id"], rows[0]["version"], rows[0]["sha256"], rows[0]["address"]) == (
            anna.principal.staff_id,
            1,
            digest,
            "127.0.0.1",
        )

    in_the_api(database, scenario)


def test_only_the_current_version_is_accepted_and_by_people_alone(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        assert (await _accept(head, 1)).json()["type"] == "/problems/terms-not-found"
        await _publish(head)
        await _publish(head, "Новый текст")
        old = await _accept(head, 1)
        assert (old.status_code, old.json()["type"], old.json()["version"]) == (409, "/problems/terms-superseded", 2)
        page = (await head.get("/v1/terms?limit=1")).json()
        assert [one["version"] for one in page["items"]] == [2]
        page = (await head.get("/v1/terms", params={"limit": 1, "cursor": page["next_cursor"]})).json()
        assert ([one["version"] for one in page["items"]], page["next_cursor"]) == ([1], None)
        assert (await head.get("/v1/terms?cursor=eyJiZWZvcmUiOiJ4In0")).status_code == 422
        till = await _a_system(api)
        assert (await till.get("/v1/customers")).status_code == 200
        assert (await till.get("/v1/me")).json()["terms"]["due"] is False
        assert (await _accept(till, 2)).json()["type"] == "/problems/terms-for-persons"
        clerk = await api.client(reach="own")
        assert (await clerk.post("/v1/terms", json={"text": "x"})).status_code == 403

    in_the_api(database, scenario)


async def _a_system(api: Api) -> Client:
    scopes = ("customers:read", "reach:tenant")
    await add_staff(
        api.database.owner_url, api.tenant.tenant_id, subject="till", name="Till", kind="system", scopes=scopes
    )
    return api.client_of(await api.services.principals._directory.by_subject(api.tenant.slug, "till", scopes))


def test_the_same_publication_twice_makes_one_version(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        answers = [
            await head.post("/v1/terms", json={"text": _TEXT}, headers={"Idempotency-Key": "once"}) for _ in range(2)
        ]
        assert [(one.status_code, one.json()["version"]) for one in answers] == [(201, 1), (201, 1)]

    in_the_api(database, scenario)


@asynccontextmanager
async def _acting(connection: Any, principal: Principal) -> AsyncIterator[None]:
    await connection.execute(preamble(principal))
    try:
        yield
    finally:
        await connection.execute("ROLLBACK")


def test_what_was_published_or_accepted_can_be_changed_by_no_role(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        assert (await _accept(head, await _publish(head))).status_code == 200
        insert = (
            "INSERT INTO terms_acceptances (tenant_id, staff_id, version, sha256) "
            f"VALUES ({api.tenant.tenant_id}, '{{}}', 1, 'x')"
        )
        denied = [f"{verb} terms{table}" for table in ("", "_acceptances") for verb in ("DELETE FROM", "TRUNCATE")]
        denied += ["UPDATE terms SET text = 'x'", "UPDATE terms_acceptances SET version = 1"]
        denied.append(insert.format(anna.principal.staff_id))  # in another's name
        async with api.container.pool.acquire() as connection:
            for statement in denied:
                async with _acting(connection, head.principal):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(statement)
            async with _acting(connection, anna.principal):
                assert await connection.fetchval("SELECT count(*) FROM terms_acceptances") == 0
                await connection.execute(insert.format(anna.principal.staff_id))

    in_the_api(database, scenario)
