"""Counts, previews, members and reports are those of the caller's reach: a walk over every operation on segments.

One base, three people: each is told of as many customers as he reaches, by every operation that tells of any.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.api.app import assemble
from service.api.openapi import document
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.segments import settled

EVERYBODY = "created_at >= 2000-01-01"
# These tell of rules, schemes and segments alone, or do what another one on the list tells of.
_OF_NO_RECORDS = {
    "segments.parse", "segments.list", "segments.create", "segments.update", "segments.delete",
    "rfm.list_schemes", "rfm.create_scheme", "rfm.get_scheme", "rfm.update_scheme", "rfm.delete_scheme",
    "rfm.take_snapshot", "abc.take_snapshot",  # by those alone who reach the tenant
    "rfm.chart", "abc.chart",  # pictures of what the reports tell (test_unseen.py)
}  # fmt: skip

_CITIES = {("Омск",): 2, ("Тверь",): 3, ("Омск", "Пермь", "Тверь"): 9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    live: str
    listed: str
    scheme: str
    customers: tuple[str, ...]  # the last is out of the narrow ones' reach


async def _told(answer: Any) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def _customer(client: Client, city: str, **fields: Any) -> str:
    made = await _told(await client.post("/v1/customers", json={"family_name": "Иванова", "city": city, **fields}))
    bought = {"ordered_at": "2026-03-01T12:00:00", "status": "completed", "total": "100"}
    await _told(await client.post("/v1/orders", json={"customer_id": made["customer_id"], **bought}))
    return str(made["customer_id"])


async def _furnished(world: Api, head: Client, anna: Client, vera: Client, team_id: str) -> Base:
    customers = [await _customer(anna, "Омск") for _ in range(2)]
    customers += [await _customer(vera, "Тверь", team_id=team_id) for _ in range(3)]
    customers += [await _customer(head, "Пермь") for _ in range(4)]
    live = await _told(await head.post("/v1/segments", json={"name": "live", "text": EVERYBODY}))
    listed = await _told(await head.post("/v1/segments", json={"name": "list", "customer_ids": customers}))
    population = {"kind": "field", "field": "created_at", "op": "ge", "value": "2000-01-01"}
    scheme = await _told(await head.post("/v1/rfm/schemes", json={"name": "all", "population": population}))
    for path in ("rfm", "abc"):
        await _told(await head.post(f"/v1/{path}/snapshots", json={"as_of": "2026-03-02"}))
    await settled(world.tenant.uow, world.container.segments, world.tenant.tenant_id)
    return Base(
        live=live["segment_id"], listed=listed["segment_id"], scheme=scheme["scheme_id"], customers=tuple(customers)
    )


async def _counts(client: Client, base: Base, name: str) -> Mapping[str, int]:
    """What each operation tells of how many there are."""

    async def read(path: str, **params: Any) -> Any:
        return await _told(await client.get(f"/v1/{path}", params=params))

    async def ask(path: str, **body: Any) -> Any:
        return await _told(await client.post(f"/v1/{path}", json=body))

    preview = await ask("segments/preview", text=EVERYBODY)
    assert (preview["base"], preview["revenue"]) == (preview["customers"], f"{100 * preview['customers']}.00")
    assert len(preview["sample"]) == min(preview["customers"], 5)
    overlap = await ask("segments/overlap", segment_ids=[base.live, base.listed])
    assert {pair["customers"] for pair in overlap["pairs"]} == {overlap["union"]} == {overlap["intersection"]}
    cities = next(one for one in (await read("segments/fields"))["fields"] if one["name"] == "city")["values"]
    fresh = (await ask("segments", name=f"of {name}"))["segment_id"]
    file = {"file": ("ids.csv", "\n".join(base.customers).encode())}
    uploaded = await _told(await client.post(f"/v1/segments/{fresh}/members/upload", files=file))
    assert uploaded["added"] + uploaded["unknown"] == len(base.customers)
    taken_off = await ask(f"segments/{base.listed}/members", remove=list(base.customers))
    put_back = await ask(f"segments/{base.listed}/members", add=list(base.customers))
    assert taken_off["removed"] == put_back["added"]
    return {
        "segments.preview": preview["customers"],
        "segments.fields": _CITIES[tuple(sorted(cities))],
        "segments.get": (await read(f"segments/{base.live}"))["members"],
        "segments.members": len((await read(f"segments/{base.live}/members"))["items"]),
        "segments.history": (await read(f"segments/{base.live}/history"))["items"][-1]["members"],
        "segments.overlap": overlap["union"],
        "segments.freeze": (await ask(f"segments/{base.live}/freeze", name=f"frozen by {name}"))["members"],
        "segments.upload_members": uploaded["added"],
        "segments.edit_members": put_back["added"],
        "rfm.report": sum(one["customers"] for one in (await read("rfm", as_of="2026-03-02"))["groups"]),
        "rfm.customers": len((await read("rfm/customers", as_of="2026-03-02"))["items"]),
        "rfm.migration": (await read("rfm/migration"))["customers"],
        "rfm.compare": (await read("rfm/compare", b=base.scheme, as_of="2026-03-02"))["customers"],
        "abc.report": (await read("abc"))["items"],
        "abc.matrix": (await read("abc/matrix"))["items"],
        "abc.items": len((await read("abc/items"))["items"]),
    }


async def _about_one(client: Client, base: Base, customer_id: str) -> Mapping[str, int]:
    """The status of each answer that is about one customer."""
    asked: Mapping[str, Callable[[], Awaitable[Any]]] = {
        "segments.explain": lambda: client.post(
            "/v1/segments/explain", json={"text": EVERYBODY, "customer_id": customer_id}
        ),
        "segments.explain_member": lambda: client.get(f"/v1/segments/{base.live}/explain/{customer_id}"),
        "rfm.next": lambda: client.get(f"/v1/rfm/customers/{customer_id}/next"),
    }
    return {name: (await ask()).status_code for name, ask in asked.items()}


async def _of_the_tenant(client: Client) -> Mapping[str, int | None]:
    """How many customers each list of snapshots says they are of."""
    return {
        f"{path}.list_snapshots": (await client.get(f"/v1/{path}/snapshots")).json()["items"][0]["customers"]
        for path in ("rfm", "abc")
    }


def test_each_is_told_of_those_whom_he_reaches(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        vera = await world.client(reach="team", teams=("Волга",))
        (team,) = vera.principal.teams
        base = await _furnished(world, head, anna, vera, str(team))
        told: set[str] = set()
        for name, client, reached in (("anna", anna, 2), ("vera", vera, 3), ("head", head, 9)):
            counts = await _counts(client, base, name)
            assert counts == dict.fromkeys(counts, reached), name
            about = await _about_one(client, base, base.customers[-1])
            assert about == dict.fromkeys(about, 200 if name == "head" else 404), name
            snapshots = await _of_the_tenant(client)
            assert snapshots == dict.fromkeys(snapshots, 9 if name == "head" else None), name
            told = {*counts, *about, *snapshots}
        families = ("segments.", "rfm.", "abc.")
        operations = {
            spec["operationId"] for verbs in document(assemble())["paths"].values() for spec in verbs.values()
        }
        assert told | _OF_NO_RECORDS == {one for one in operations if one.startswith(families)}

    in_the_api(database, scenario)
