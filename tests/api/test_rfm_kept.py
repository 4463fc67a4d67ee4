"""RFM schemes, snapshots, migration, comparison and advice over HTTP: what is kept is the tenant's, seen in reach."""

import asyncio
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from service.domain.access import Scope
from service.domain.segmentation.abc_service import AbcService
from service.domain.segmentation.rfm_keeping import RfmService
from tests.api.support import Api, Client, in_the_api
from tests.contract.purchase_records import Order, World, store
from tests.postgres import TestDatabase
from tests.segments import Noon

_HALVES = [
    {"group": "best", "r": [2, 2], "f": [2, 2]},
    {"group": "fresh", "r": [2, 2], "f": [1, 1]},
    {"group": "gone", "r": [1, 1], "f": [1, 2]},
]
_SVG = "{http://www.w3.org/2000/svg}"


async def _made(client: Client, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _read(client: Client, path: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(f"/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _customer(client: Client, orders: int, day: str, total: str = "100", **fields: Any) -> str:
    made = await _made(client, "customers", family_name="Иванова", **fields)
    for _ in range(orders):
        await _order(client, made["customer_id"], day, total)
    return str(made["customer_id"])


async def _order(client: Client, customer_id: str, day: str, total: str = "100") -> None:
    await _made(
        client, "orders", customer_id=customer_id, ordered_at=f"{day}T12:00:00", status="completed", total=total
    )


def test_a_map_with_gaps_and_overlaps_is_refused_cell_by_cell(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        groups = [
            *_HALVES[:2],
            {"group": "again", "r": [2, 2], "f": [1, 2]},
            {"group": "far", "r": [1, 3], "f": [1, 1]},
        ]
        answer = await head.post("/v1/rfm/schemes", json={"name": "x", "bins": 2, "groups": groups})
        assert answer.status_code == 422
        told = answer.json()
        assert told["type"] == "/problems/group-map-incomplete"
        assert told["gaps"] == [{"r": 1, "f": 2}]
        assert {(one["r"], one["f"]) for one in told["overlaps"]} == {(2, 1), (2, 2)}
        assert told["outside"] == [{"r": 3, "f": 1}]
        assert [one["pointer"] for one in told["errors"]] == [
            "/groups", "/groups/2", "/groups/3", "/groups/2", "/groups/3",
        ]  # fmt: skip
        missing = await head.post("/v1/rfm/schemes", json={"name": "x", "bins": 3})
        assert (missing.status_code, missing.json()["pointer"]) == (422, "/groups")
        assert (await _read(head, "rfm/schemes"))["items"] == []

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("population", "pointer"),
    [
        ({"kind": "field", "field": "nothing", "op": "eq", "value": "x"}, "/population/field"),
        ({"kind": "field", "field": "phone", "op": "eq", "value": "x"}, "/population/field"),
        (
            {"kind": "all", "of": [{"kind": "orders", "measure": "sum", "op": "ge", "value": "x"}]},
            "/population/of/0/value",
        ),
    ],
)
def test_a_bad_population_is_refused_with_its_place(
    database: TestDatabase, population: dict[str, Any], pointer: str
) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answer = await head.post("/v1/rfm/schemes", json={"name": "x", "population": population})
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer), answer.text

    in_the_api(database, scenario)


def test_a_scheme_is_kept_changed_and_deleted_by_those_who_reach_the_tenant(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        plain = await world.client(scopes=(Scope.SEGMENTS_READ,))
        rule = {"kind": "orders", "measure": "sum", "op": "ge", "value": "1500.5", "where": {"last_days": 30}}
        body = {"name": "Год", "bins": 2, "window": "365d", "groups": _HALVES, "population": rule, "trimmed": "0.01"}
        body |= {"method": "equal_width", "monetary": "average", "currency": "EUR"}
        made = await _made(head, "rfm/schemes", **body)
        path = f"/v1/rfm/schemes/{made['scheme_id']}"
        assert {name: made[name] for name in body} == body
        assert made["population_text"] == "orders.sum(last 30 days) >= 1500.5"
        assert (await anna.get(path)).json() == made
        assert (await anna.patch(path, json={"name": "y"})).status_code == 403
        assert (await plain.patch(path, json={"name": "y"})).status_code == 403
        assert (await head.post("/v1/rfm/schemes", json={"name": "Год"})).status_code == 409
        changed = await head.patch(path, json={"name": "Полгода", "window": "180d", "population": None})
        assert changed.status_code == 200, changed.text
        known = changed.json()
        assert (known["name"], known["window"], known["population"], known["groups"]) == (
            "Полгода",
            "180d",
            None,
            _HALVES,
        )
        assert (await head.patch(path, json={"bins": 3})).status_code == 422
        await head.patch(path, json={"in_rules": True})
        refused = await head.delete(path)
        assert refused.json()["type"] == "/problems/rfm-scheme-in-rules"
        other = await _made(head, "rfm/schemes", name="usual", in_rules=True)
        assert (await head.get(path)).json()["in_rules"] is False
        assert (await head.delete(path)).status_code == 204
        assert (await head.get(path)).status_code == 404
        assert [one["scheme_id"] for one in (await _read(anna, "rfm/schemes"))["items"]] == [other["scheme_id"]]

    in_the_api(database, scenario)


def test_nobody_overwrites_a_scheme_that_he_has_not_seen(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await head.post("/v1/rfm/schemes", json={"name": "x"})
        path, seen = made.headers["Location"], {"If-Match": made.headers["ETag"]}
        changed = await head.patch(path, json={"name": "y"}, headers=seen)
        assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
        late = await head.patch(path, json={"name": "z"}, headers=seen)
        assert (late.status_code, late.json()["type"]) == (412, "/problems/version-mismatch")
        both = await asyncio.gather(*(head.patch(path, json={"window": f"{days}d"}) for days in (30, 60)))
        assert {one.status_code for one in both} <= {200, 412}
        known = (await head.get(path)).json()
        assert (known["name"], known["version"]) == ("y", 2 + sum(one.status_code == 200 for one in both))

    in_the_api(database, scenario)


def test_the_same_key_saves_one_scheme(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        key = {"Idempotency-Key": "k"}
        first, second = [await head.post("/v1/rfm/schemes", json={"name": "once"}, headers=key) for _ in range(2)]
        assert first.status_code == second.status_code == 201
        assert first.json() == second.json()
        shots = [(await head.post("/v1/rfm/snapshots", json={}, headers=key)).json()["snapshot_id"] for _ in range(2)]
        assert shots == [1, 1]

    in_the_api(database, scenario)


def test_reports_by_a_scheme_are_of_its_population_within_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        await _customer(head, 2, "2026-03-01", city="Казань")
        await _customer(head, 0, "2026-03-01", city="Казань")
        await _customer(anna, 3, "2026-03-05", city="Казань")
        await _customer(anna, 1, "2026-03-05", city="Омск")
        rule = {"kind": "field", "field": "city", "op": "eq", "value": "казань"}
        made = await _made(head, "rfm/schemes", name="Казань", population=rule, bins=2, groups=_HALVES)
        whole = await _read(head, "rfm", scheme_id=made["scheme_id"], as_of="2026-03-10")
        assert (whole["population"], whole["revenue"], whole["no_orders"], whole["prospects"]) == (2, "500.00", 0, 1)
        assert (whole["scheme"], whole["bins"], len(whole["grid"])) == ("Казань", 2, 4)
        own = await _read(anna, "rfm", scheme_id=made["scheme_id"], as_of="2026-03-10")
        assert (own["population"], own["revenue"], own["prospects"]) == (1, "300.00", 0)
        page = await _read(anna, "rfm/customers", scheme_id=made["scheme_id"], group="best")
        assert [one["orders"] for one in page["items"]] == []
        assert len((await _read(head, "rfm/customers", scheme_id=made["scheme_id"], group="best"))["items"]) == 1
        spoken = await head.get("/v1/rfm", params={"scheme_id": made["scheme_id"], "method": "ntile"})
        assert (spoken.status_code, spoken.json()["pointer"]) == (422, "/method")
        gone = await head.get("/v1/rfm", params={"scheme_id": made["scheme_id"][:-4] + "0000"})
        assert gone.status_code == 404

    in_the_api(database, scenario)


def test_a_snapshot_is_the_tenants_and_its_migration_within_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        made = await _made(head, "rfm/schemes", name="halves", bins=2, groups=_HALVES)
        scheme = made["scheme_id"]
        mine = await _customer(anna, 1, "2026-01-05")
        await _customer(head, 2, "2026-01-20")
        first = await _made(head, "rfm/snapshots", scheme_id=scheme, as_of="2026-02-01")
        assert (first["snapshot_id"], first["customers"], first["groups"]) == (1, 2, ["best", "fresh", "gone"])
        await _order(anna, mine, "2026-02-03", "50")
        await _order(anna, mine, "2026-02-04", "50")
        await _customer(head, 1, "2026-02-05")
        second = await _made(head, "rfm/snapshots", scheme_id=scheme, as_of="2026-03-01")
        # Kept as it was known: the new orders are not in the first one.
        whole = await _read(head, "rfm/migration", scheme_id=scheme)
        assert (whole["before"]["snapshot_id"], whole["after"]["snapshot_id"]) == (1, second["snapshot_id"])
        assert sum(one["customers"] for one in whole["moves"]) == whole["customers"] == 3
        own = await _read(
            anna, "rfm/migration", scheme_id=scheme, **{"from": "2026-02-15", "to": str(second["snapshot_id"])}
        )
        assert [(one["customers"], one["revenue_before"], one["revenue_after"]) for one in own["moves"]] == [
            (1, "100.00", "200.00")
        ]
        assert (own["moves"][0]["before"], own["before"]["customers"]) == ("gone", None)
        entered = [one for one in whole["moves"] if one["before"] is None]
        assert [(one["customers"], one["revenue_after"]) for one in entered] == [(1, "100.00")]
        for wrong in ("2025-01-01", "99"):
            assert (await head.get("/v1/rfm/migration", params={"from": wrong, "scheme_id": scheme})).status_code == 404
        assert (await head.get("/v1/rfm/migration", params={"from": "yesterday"})).status_code == 422
        assert (await anna.post("/v1/rfm/snapshots", json={})).status_code == 403
        await head.delete(f"/v1/rfm/schemes/{scheme}")
        assert (await _read(head, "rfm/snapshots", scheme_id=scheme))["items"] == []

    in_the_api(database, scenario)


def test_two_schemes_are_compared_over_the_same_customers(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        for days in range(6):
            day = (date(2026, 3, 1) - timedelta(days=days)).isoformat()
            await _customer(anna if days < 2 else head, 1 + days % 3, day)
        a = (await _made(head, "rfm/schemes", name="all", bins=2, groups=_HALVES))["scheme_id"]
        b = (await _made(head, "rfm/schemes", name="days", bins=2, groups=_HALVES, window="3d"))["scheme_id"]
        same = await _read(head, "rfm/compare", a=a, b=a, as_of="2026-03-01")
        assert (same["customers"], same["agreed"], same["agreement"]) == (6, 6, "1.000000")
        apart = await _read(head, "rfm/compare", a=a, b=b, as_of="2026-03-01")
        assert apart["customers"] == 6
        assert sum(one["customers"] for one in apart["moves"] if one["after"] is None) == 3
        assert apart["agreed"] == sum(one["customers"] for one in apart["moves"] if one["before"] == one["after"])
        assert (await _read(anna, "rfm/compare", a=a, b=b, as_of="2026-03-01"))["customers"] == 2
        assert (await _read(head, "rfm/compare"))["agreement"] == "1.000000"

    in_the_api(database, scenario)


def test_advice_moves_the_customer_when_it_is_followed(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        limits = {
            "recency_days": [30, 60, 90, 180],
            "frequency": [1, 2, 4, 9],
            "monetary": ["100", "200", "300", "400"],
        }
        scheme = await _made(head, "rfm/schemes", name="fixed", method="thresholds", thresholds=limits)
        one = await _customer(head, 2, "2026-03-01")
        ask = {"scheme_id": scheme["scheme_id"], "as_of": "2026-06-01"}
        found = await _read(head, f"rfm/customers/{one}/next", **ask)
        assert (found["group"], found["r"], found["f"], found["orders"]) == ("hibernating", 2, 2, 2)
        assert (found["stays_days"], found["slips_to"]) == (None, None)
        step = found["steps"][0]
        assert (step["group"], step["orders"], step["days"]) == ("potential_loyalist", 1, 59)
        await _order(head, one, "2026-06-01", "1")
        after = await _read(head, f"rfm/customers/{one}/next", **ask)
        assert (after["group"], after["stays_days"], after["slips_to"]) == ("potential_loyalist", 59, "need_attention")
        assert (await anna.get(f"/v1/rfm/customers/{one}/next")).status_code == 404
        empty = await _read(head, f"rfm/customers/{await _customer(head, 0, '')}/next", **ask)
        assert (empty["group"], empty["steps"][0]["group"]) == (None, "new")
        tiles = await _made(head, "rfm/schemes", name="tiles", method="ntile")
        refused = await head.get(f"/v1/rfm/customers/{one}/next", params={"scheme_id": tiles["scheme_id"]})
        assert refused.json()["type"] == "/problems/rfm-without-cuts"

    in_the_api(database, scenario)


def test_rules_ask_for_letters_of_the_latest_snapshot_only(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")

        async def meant(client: Client, text: str) -> int:
            answer = await client.post("/v1/segments/preview", json={"text": text})
            assert answer.status_code == 200, answer.text
            return int(answer.json()["customers"])

        best = await _customer(anna, 3, "2026-03-01")
        await _customer(head, 1, "2026-01-01")
        await _customer(head, 0, "")
        assert await meant(head, "rfm.r is missing") == 3
        await _made(head, "rfm/snapshots", as_of="2026-03-02")
        await _made(head, "rfm/snapshots", as_of="2026-01-02")  # made later, of an earlier day
        assert await meant(head, "rfm.r >= 4 and rfm.f = 5") == await meant(anna, 'rfm.group = "champions"') == 1
        assert await meant(head, 'rfm.group in ("hibernating", "champions")') == 2
        assert await meant(head, "not rfm.m <= 1") == 2
        assert await meant(head, "rfm.m is missing") == 1
        await _customer(head, 9, "2026-03-01")  # moves everybody's cuts, but no letter of the snapshot
        assert await meant(head, "rfm.f = 5") == 1
        told = await head.post("/v1/segments/explain", json={"text": "rfm.f = 4", "customer_id": best})
        assert told.json()["clauses"][0]["value"] == [5]
        names = {one["name"]: one["type"] for one in (await _read(head, "segments/fields"))["fields"]}
        assert {name: of for name, of in names.items() if name.startswith("rfm.")} == {
            "rfm.r": "number", "rfm.f": "number", "rfm.m": "number", "rfm.group": "code",
        }  # fmt: skip

    in_the_api(database, scenario)


def test_the_night_brings_one_snapshot_of_each_scheme(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        noon = Noon(date(2026, 4, 1))
        service = RfmService(world.tenant.uow, noon, AbcService(world.tenant.uow, noon))
        assert (await service.nightly(head.principal.tenant_id)).taken == ()  # nobody has bought anything
        await _customer(head, 1, "2026-03-01")
        await _made(head, "rfm/schemes", name="tiles", method="ntile")
        night = await service.nightly(head.principal.tenant_id)
        again = await service.nightly(head.principal.tenant_id)
        assert (len(night.taken), again.taken) == (2, ())
        (shot,) = (await _read(head, "rfm/snapshots"))["items"]
        assert (shot["scheduled"], shot["in_rules"], shot["customers"]) == (True, True, 1)

    in_the_api(database, scenario)


def test_the_chart_holds_for_nobody_and_for_names_with_markup(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        name = '<script>alert("Чай & кофе")</script>'
        made = await _made(
            head, "rfm/schemes", name=name, bins=2, groups=[{**_HALVES[0], "group": "<b>"}, *_HALVES[1:]]
        )
        for client, population in ((head, 0), (anna, 0), (head, 1)):
            if population:
                await _customer(head, 2, "2026-03-01")
            answer = await client.get(
                "/v1/rfm/chart.svg", params={"scheme_id": made["scheme_id"], "as_of": "2026-03-02"}
            )
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].startswith("image/svg+xml")
            root = ElementTree.fromstring(answer.text)
            assert root.findtext(f"{_SVG}title") == f"RFM · {name}"
            said = " ".join(root.itertext())
            assert "2026-03-02" in said
            assert ("Nobody has ordered" in said) == (population == 0)
            assert not [one for tag in ("script", "b") for one in root.iter(f"{_SVG}{tag}")]
        own = await anna.get("/v1/rfm/chart.svg", params={"as_of": "2026-03-02"})
        assert "Nobody has ordered" in own.text

    in_the_api(database, scenario)


def test_a_hundred_customers_with_ties_score_as_the_definition_says(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        times = [1] * 60 + [2] * 25 + [3] * 10 + [4] * 5
        day = date(2026, 3, 1)
        orders = tuple(
            Order(customer=place, day=day, hour=9 + number, total=1_000_000, refunded=0, status="paid", currency="RUB")
            for place, count in enumerate(times)
            for number in range(count)
        )
        async with world.tenant.uow.begin(head.principal) as tx:
            await store(tx.session, World(customers=100, orders=orders, returns=()))
            await tx.commit()
        page = await _read(head, "rfm/customers", as_of="2026-03-02", limit=200)
        assert {(one["orders"], one["f"], one["r"]) for one in page["items"]} == {
            (1, 1, 5), (2, 4, 5), (3, 5, 5), (4, 5, 5),
        }  # fmt: skip
        assert len(page["items"]) == 100

    in_the_api(database, scenario)
