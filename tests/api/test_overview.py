"""The overview counts what counts, keeps currencies apart, and stays within the caller's reach."""

from datetime import UTC, datetime, timedelta

from service.domain.access import Principal
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


async def _customer(api: Api, principal: Principal, **fields: object) -> str:
    body = {"kind": "person", "family_name": "Иванова"} | fields
    answer = await api.call("POST", "/v1/customers", principal, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _order(api: Api, principal: Principal, customer_id: str, total: str, **fields: object) -> str:
    body = {"customer_id": customer_id, "ordered_at": "2026-03-01T12:00:00", "total": total} | fields
    answer = await api.call("POST", "/v1/orders", principal, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_id"])


def test_an_empty_base_is_all_zeros(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.tenant.staff()
        seen = (await api.call("GET", "/v1/overview", head)).json()
        assert seen["customers"] == {"total": 0, "by_status_and_kind": []}
        assert (seen["purchases"], seen["imports_in_progress"]) == ([], 0)

    in_the_api(database, scenario)


def test_revenue_is_net_and_by_currency(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.tenant.staff()
        one = await _customer(api, head)
        await _customer(api, head, kind="organisation", family_name=None, legal_name="ООО «Ромашка»")
        order = await _order(api, head, one, "100.50")
        await _order(api, head, one, "20", currency="EUR", ordered_at="2026-04-02T12:00:00")
        await _order(api, head, one, "7", status="cancelled")
        future = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        await _order(api, head, one, "1000", ordered_at=future)
        refunded = await api.call("POST", f"/v1/orders/{order}/refunds", head, json={"amount": "0.50"})
        assert refunded.status_code == 201, refunded.text
        seen = (await api.call("GET", "/v1/overview", head)).json()
        assert seen["customers"]["total"] == 2
        assert {row["kind"] for row in seen["customers"]["by_status_and_kind"]} == {"person", "organisation"}
        by_currency = {row["currency"]: row for row in seen["purchases"]}
        rub, eur = by_currency["RUB"], by_currency["EUR"]
        assert (rub["orders"], rub["revenue"], rub["refunds"], rub["refunded"]) == (1, "100.00", 1, "0.50")
        assert (rub["first_on"], rub["last_on"]) == ("2026-03-01", "2026-03-01")
        assert (eur["orders"], eur["revenue"], eur["last_on"]) == (1, "20.00", "2026-04-02")
        assert rub["returns_unlinked"] == 0

    in_the_api(database, scenario)


def test_an_order_of_the_future_counts_on_the_day_it_comes_due(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.tenant.staff()
        due = datetime.now(UTC) + timedelta(days=30)
        customer = await _customer(api, head)
        await _order(api, head, customer, "5")
        await _order(api, head, customer, "1000", ordered_at=due.isoformat())
        for day, orders in ((due - timedelta(days=2), 1), (due + timedelta(days=2), 2)):
            async with api.tenant.uow.begin(head) as tx:
                found = await tx.overview.read(day.date())
            assert [row["orders"] for row in found["purchases"]] == [orders]

    in_the_api(database, scenario)


def test_unlinked_returns_are_counted_apart(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.tenant.staff()
        customer = await _customer(api, head)
        await _order(api, head, customer, "50")
        async with api.tenant.uow.begin(head) as tx:
            await tx.session.command(
                "INSERT INTO refunds (tenant_id, refund_id, customer_id, amount, refunded_at, refunded_on, currency) "
                f"VALUES ({head.tenant_id}, gen_random_uuid(), '{customer}', 3000000, '2026-03-05', '2026-03-05', "
                "'RUB')"
            )
            await tx.session.command(
                "UPDATE purchase_totals SET revenue = revenue - 3000000, refunds = 1, refunded = 3000000"
            )
            await tx.commit()
        row = (await api.call("GET", "/v1/overview", head)).json()["purchases"][0]
        assert (row["returns_unlinked"], row["returned_unlinked"], row["revenue"]) == (1, "3.00", "47.00")

    in_the_api(database, scenario)


def test_the_overview_ends_at_the_callers_reach(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.tenant.staff()
        anna = await api.tenant.staff(reach="own", scopes=("customers:read", "customers:write", "orders:read"))
        mine = await _customer(api, head, curator_id=str(anna.staff_id))
        others = await _customer(api, head)
        await _order(api, head, mine, "10")
        await _order(api, head, others, "90")
        seen = (await api.call("GET", "/v1/overview", anna)).json()
        assert (seen["reach"], seen["customers"]["total"]) == ("own", 1)
        assert [(row["orders"], row["revenue"]) for row in seen["purchases"]] == [(1, "10.00")]
        poor = await api.tenant.staff(scopes=("customers:read",))
        assert (await api.call("GET", "/v1/overview", poor)).status_code == 403

    in_the_api(database, scenario)
