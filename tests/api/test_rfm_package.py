"""The published scores of the R package `rfm`, customer by customer, through the service.

The package scores by quantiles, but not as our method `quantile` does, so the scheme is one of absolute thresholds and
of a map over R × F × M. What differs, and how the scheme takes it up:

1. Its quantiles are R's type 7, which lie between two values (`percentile_disc` always is a value).
2. To each of them 1 is added, and a value that reaches the sum is in the next class: for whole numbers, a value above
   the quantile rounded up. Our thresholds are left behind by what is above them: frequency and money get the quantile
   rounded up; recency, where fewer days are better, gets one day more, for our best are below the threshold.
3. Money is in whole units there. Ours is exact, so between a quantile and the next whole unit there could be customers
   whom the package puts lower; this base has no fractions, and nobody differs.
4. Segments are the first row of a table of overlapping ranges, and `Others`; our maps are partitions, so the table is
   written out cell by cell. Both have the same eleven names.

Nothing else differs: every score and every segment is the published one. There is no kind of import for totals, so each
customer's are brought as orders: as many as published, the last on the published day, the whole sum on one of them.
Every fifteenth customer takes part here, all of them in the proof; thresholds come from all 39 999 both times.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from tests.api.support import Api, in_the_api
from tests.contract import rfm_package
from tests.contract.purchase_records import Order, World, store
from tests.postgres import TestDatabase


def test_the_thresholds_are_those_of_the_package() -> None:
    base = rfm_package.customers()
    assert len(base) == 39_999
    assert all((rfm_package.AS_OF - one.last_on).days == one.recency_days for one in base)
    assert Counter(one.segment for one in base)["Potential Loyalist"] == 12_762


def scored_as_published(database: TestDatabase, every: int) -> int:
    """How many customers were compared."""

    async def scenario(world: Api) -> int:
        head = await world.client()
        base = rfm_package.customers()
        chosen = base[::every]
        async with world.tenant.uow.begin(head.principal, timeout_ms=600_000) as tx:
            ids = await store(tx.session, _as_orders(chosen))
            await tx.commit()
        body = {"name": "rfm", "method": "thresholds", "thresholds": rfm_package.thresholds(base)}
        made = await head.post("/v1/rfm/schemes", json=body | {"groups": rfm_package.groups()})
        assert made.status_code == 201, made.text
        query = {"scheme_id": made.json()["scheme_id"], "as_of": rfm_package.AS_OF.isoformat(), "limit": "200"}
        found: dict[str, dict[str, Any]] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = (await head.get("/v1/rfm/customers", params=query | ({"cursor": cursor} if cursor else {}))).json()
            found |= {one["customer_id"]: one for one in page["items"]}
            cursor = page["next_cursor"]
        for customer_id, one in zip(ids, chosen, strict=True):
            seen = found[str(customer_id)]
            assert (seen["orders"], seen["recency_days"]) == (one.orders, one.recency_days)
            assert ((seen["r"], seen["f"], seen["m"]), seen["group"]) == (one.scores, one.segment), one
        report = (await head.get("/v1/rfm", params=_only(query))).json()
        counted = Counter(one.segment for one in chosen)
        assert {one["group"]: one["customers"] for one in report["groups"] if one["customers"]} == counted
        return len(found)

    return in_the_api(database, scenario)


def _only(query: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name != "limit"}


def _as_orders(chosen: list[rfm_package.Customer]) -> World:
    orders = [
        Order(
            customer=place,
            day=one.last_on - timedelta(days=number),
            hour=12,
            total=0 if number else one.revenue * 1_000_000,
            refunded=0,
            status="completed",
            currency="RUB",
        )
        for place, one in enumerate(chosen)
        for number in range(one.orders)
    ]
    return World(customers=len(chosen), orders=tuple(orders), returns=())


def test_every_fifteenth_customer_is_scored_as_published(database: TestDatabase) -> None:
    assert scored_as_published(database, 15) == 2_667
