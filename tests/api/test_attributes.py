"""A tenant's own fields over HTTP: defined by administrators, checked on every way in, found by their values."""

import json
from typing import Any

from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import PERSON, make, problem
from tests.postgres import TestDatabase

_TEA = {"name": "tea", "kind": "choice", "label": "Любимый чай", "choices": ["чёрный", "зелёный"]}


async def define(client: Client, **fields: Any) -> None:
    answer = await client.post("/v1/attributes", json=fields)
    assert answer.status_code == 201, answer.text


def test_definitions_are_made_listed_changed_and_removed(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        reader = world.client_of(head.principal, scopes=("customers:read", "reach:tenant"))
        await define(head, name="visits", kind="number", position=1)
        made = await head.post("/v1/attributes", json=_TEA, headers={"Idempotency-Key": "k"})
        again = await head.post("/v1/attributes", json=_TEA, headers={"Idempotency-Key": "k"})
        assert made.json() == again.json() == _TEA | {"position": 0}
        assert problem(await head.post("/v1/attributes", json=_TEA)) == (409, "attribute-known")
        wrongs: tuple[dict[str, Any], ...] = ({"choices": []}, {"kind": "number"})
        for wrong in wrongs:
            assert problem(await head.post("/v1/attributes", json=_TEA | wrong)) == (422, "choices-missing")
        assert problem(await head.post("/v1/attributes", json=_TEA | {"name": "a:b"})) == (422, "invalid-request")
        assert problem(await anna.post("/v1/attributes", json=_TEA)) == (403, "tenant-reach-needed")
        assert problem(await reader.post("/v1/attributes", json=_TEA)) == (403, "missing-scope")
        listed = (await anna.get("/v1/attributes")).json()["items"]
        assert [one["name"] for one in listed] == ["tea", "visits"]
        path = "/v1/attributes/tea"
        changed = await head.patch(path, json={"choices": ["чёрный"], "label": "Чай"})
        assert changed.json() == _TEA | {"choices": ["чёрный"], "label": "Чай", "position": 0}
        assert problem(await head.patch(path, json={"choices": []})) == (422, "choices-missing")
        assert problem(await head.patch("/v1/attributes/none", json={})) == (404, "attribute-not-found")
        assert problem(await anna.delete(path)) == (403, "tenant-reach-needed")
        assert (await head.delete(path)).status_code == 204
        assert problem(await head.delete(path)) == (404, "attribute-not-found")

    in_the_api(database, scenario)


def test_values_are_checked_once_there_is_a_definition(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        old = await make(head, attributes={"visits": "many", "free": ["any", {"thing": 1}]})
        await define(head, name="visits", kind="number")
        path = f"/v1/customers/{old['customer_id']}"
        bad = PERSON | {"attributes": {"visits": "three"}}
        refused = await head.post("/v1/customers", json=bad)
        assert problem(refused) == (422, "bad-attribute")
        assert refused.json()["pointer"] == "/attributes/visits"
        assert problem(await head.patch(path, json=bad)) == (422, "bad-attribute")
        assert problem(await head.put("/v1/customers/by-external-id/1", json=bad)) == (422, "bad-attribute")
        batch = (await head.post("/v1/customers/batch", json={"items": [bad, PERSON]})).json()
        assert [item["outcome"] for item in batch["items"]] == ["refused", "created"]
        assert batch["items"][0]["problem"]["type"] == "/problems/bad-attribute"
        # What stood there before is left alone until it is written again.
        kept = (await head.patch(path, json={"attributes": {"free": 1}})).json()
        assert kept["attributes"] == {"visits": "many", "free": 1}
        assert (await head.patch(path, json={"attributes": {"visits": 3}})).json()["attributes"]["visits"] == 3
        assert (await head.patch(path, json={"attributes": {"visits": None}})).json()["attributes"] == {"free": 1}

    in_the_api(database, scenario)


def test_a_value_finds_its_records(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        for name, kind in (("visits", "number"), ("since", "date"), ("vip", "boolean")):
            await define(head, name=name, kind=kind)
        values = {"visits": 42, "since": "2026-03-01", "vip": True, "note": "a:b", "odd": [1], "ratio": 0.1}
        wanted = await make(head, attributes=values)
        await make(head, attributes={"visits": 7, "vip": False, "note": "42"})
        await make(head)

        async def found(value: str) -> list[str]:
            page = (await head.get("/v1/customers", params={"attribute": value, "count": "exact"})).json()
            assert page["count"] == len(page["items"])
            return [item["customer_id"] for item in page["items"]]

        for value in ("visits:42", "visits:42.0", "since:2026-03-01", "vip:true", "note:a:b", "ratio:0.10"):
            assert await found(value) == [wanted["customer_id"]], value
        for value in ("visits:4", "visits:many", "vip:1", "none:42", "note:a", "visits:1e9", "odd:1"):
            assert await found(value) == [], value
        assert problem(await head.get("/v1/customers", params={"attribute": "visits"})) == (422, "invalid-request")

    in_the_api(database, scenario)


def test_a_file_fills_own_fields_by_their_kind(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        await define(head, name="visits", kind="number")
        columns = {"external_id": "no", "family_name": "name", "attributes.visits": "v", "attributes.note": "note"}
        mapping = {"kind": "customers", "columns": columns, "constants": {"attributes.file": "spring"}}
        text = "no,name,v,note\n1,Иванова,3,чай\n2,Петрова,three,\n3,Сидорова,,\n"
        started = await head.post(
            "/v1/imports", files={"file": ("c.csv", text)}, data={"mapping": json.dumps(mapping), "source": "shop"}
        )
        assert started.status_code == 202, started.text
        await world.run_jobs()
        path = f"/v1/imports/{started.json()['import_id']}"
        card = (await head.get(path)).json()
        assert (card["state"], card["rows_applied"], card["rows_rejected"]) == ("done", 2, 1)
        assert "bad-attribute" in (await head.get(f"{path}/rejects")).text
        people = {one["family_name"]: one["attributes"] for one in (await head.get("/v1/customers")).json()["items"]}
        assert people == {"Иванова": {"visits": 3, "note": "чай", "file": "spring"}, "Сидорова": {"file": "spring"}}

    in_the_api(database, scenario)
