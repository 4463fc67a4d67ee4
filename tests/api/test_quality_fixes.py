"""Fixes over HTTP: one, many, by themselves; and every one of them back."""

from typing import Any

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.quality import a_finding


async def found(world: Api, customer_id: str, code: str, field: str, **besides: Any) -> str:
    return await a_finding(world.container.pool, world.tenant.tenant_id, customer_id, code, field, **besides)


async def customer(client: Client, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/customers", json=fields)
    assert answer.status_code == 201, answer.text
    return dict((await client.get(f"/v1/customers/{answer.json()['customer_id']}")).json())


async def read(client: Client, customer_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/customers/{customer_id}")).json())


async def clear(client: Client, customer_id: str) -> list[dict[str, Any]]:
    answer = await client.post(f"/v1/customers/{customer_id}/reveal", json={"reason": "test"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["contacts"])


def test_a_typing_error_in_an_email_is_fixed_and_the_fix_undone(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        before = await customer(
            head, family_name="Иванов", contacts=[{"kind": "email", "value": "ivanov@gmial.com", "label": "work"}]
        )
        one = before["customer_id"]
        (contact,) = before["contacts"]
        issue = await found(world, one, "email-domain-typo", "contacts", detail_id=contact["detail_id"])

        seen = (await head.get(f"/v1/quality/issues/{issue}/fix")).json()
        assert seen["outcome"] == "fixed"
        assert seen["changes"][0]["before"] == contact["value"]
        assert "ivanov@" not in str(seen)

        fixed = await head.post(f"/v1/quality/issues/{issue}/fix")
        assert fixed.status_code == 200, fixed.text
        (now,) = await clear(head, one)
        assert now["value"] == "ivanov@gmail.com"
        assert now["detail_id"] == contact["detail_id"]
        again = await head.post(f"/v1/quality/issues/{issue}/fix")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/issue-closed")

        undone = await head.post(f"/v1/quality/fixes/{fixed.json()['fix_id']}/undo")
        assert undone.status_code == 200, undone.text
        assert undone.json()["undone_at"]
        (back,) = await clear(head, one)
        assert back["value"] == "ivanov@gmial.com"
        after = await read(head, one)
        moving = {"version", "updated_at"}
        assert {k: v for k, v in after.items() if k not in moving} == {
            k: v for k, v in before.items() if k not in moving
        }
        assert after["version"] == before["version"] + 2

    in_the_api(database, scenario)
