"""What a tenant decides holds at once, and imports land in the pool where it wants them there."""

import json

import httpx

from tests.api.support import Api, Client, in_the_api
from tests.api.test_assignments import a_customer, hand_over, problem
from tests.postgres import TestDatabase

_MAPPING = {
    "kind": "customers",
    "columns": {name: name for name in ("external_id", "family_name", "city", "curator")},
}


async def _import(client: Client, *lines: str) -> httpx.Response:
    text = "\n".join(("external_id,family_name,city,curator", *lines))
    return await client.post(
        "/v1/imports", files={"file": ("c.csv", text)}, data={"mapping": json.dumps(_MAPPING), "source": "shop"}
    )


def test_policies_are_set_one_by_one_and_taken_back(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        usual = (await head.get("/v1/policies")).json()
        assert (usual["imports_into"], usual["privacy"]) == ("portfolio", {"access_days": 30, "erasure_days": 30})
        first = await head.patch("/v1/policies", json={"imports_into": "pool", "privacy": {"access_days": 10}})
        assert (first.json()["imports_into"], first.json()["privacy"]["access_days"]) == ("pool", 10)
        await head.patch("/v1/policies", json={"privacy": {"erasure_days": 5}, "contact_probes_per_hour": 7})
        now = (await head.get("/v1/policies")).json()
        assert now == usual | {
            "imports_into": "pool",
            "contact_probes_per_hour": 7,
            "privacy": {"access_days": 10, "erasure_days": 5},
        }
        nothing = {"imports_into": None, "contact_probes_per_hour": None}
        back = await head.patch("/v1/policies", json={**nothing, "privacy": dict.fromkeys(now["privacy"])})
        assert back.json() == usual
        for wrong in ({"imports_into": "x"}, {"unknown": 1}, {"privacy": None}, {"contact_probes_per_hour": -1}):
            assert problem(await head.patch("/v1/policies", json=wrong)) == (422, "invalid-request")
        lead = await api.client(reach="team", teams=("Волга",))
        assert problem(await lead.patch("/v1/policies", json={})) == (403, "tenant-reach-needed")

    in_the_api(database, scenario)


def test_imports_land_in_the_pool_where_the_tenant_wants_it(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        anna = await api.client(reach="own", subject="anna")
        known = await a_customer(
            head,
            1,
            curator_id=str(anna.principal.staff_id),
            external_ids=[{"source": "shop", "external_id": "K-1"}],
        )
        await head.patch("/v1/policies", json={"imports_into": "pool"})
        started = await _import(head, "K-1,Иванова,Казань,", "K-2,Петров,Омск,anna", "K-3,Орлова,Пермь,")
        assert started.status_code == 202, started.text
        await api.run_jobs()
        done = (await head.get(f"/v1/imports/{started.json()['import_id']}")).json()
        assert (done["state"], done["rows_applied"]) == ("done", 3), done
        pool = (await head.get("/v1/assignments/pool?count=exact")).json()
        assert [one["city"] for one in pool["items"]] == ["Омск", "Пермь"]
        assert {one["import_id"] for one in pool["items"]} == {started.json()["import_id"]}
        # Who answers for a record that was there keeps it.
        card = (await head.get(f"/v1/customers/{known}")).json()
        assert (card["city"], card["curator_id"]) == ("Казань", str(anna.principal.staff_id))
        assert problem(await _import(anna, "K-9,Новая,Тула,")) == (403, "pool-out-of-reach")
        dealt = await hand_over(head, {"unassigned": True}, {"curator_id": str(anna.principal.staff_id)})
        assert dealt["records"] == 2
        assert (await anna.get(f"/v1/customers/{pool['items'][0]['customer_id']}")).status_code == 200

    in_the_api(database, scenario)
