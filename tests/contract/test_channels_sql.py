"""The report on channels has one meaning: what SQL sums up is what the rule says of each record and each cost."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.db.session import open_pool
from service.db.statement import sql
from service.domain.access import Principal
from service.domain.channels import Cost, Line, Period, came_on, share, won
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

_TODAY = date(2026, 3, 15)
_ZONE = ZoneInfo("Europe/Moscow")
_CHANNELS = 3
_CUSTOMERS = sql("""
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, status, channel_id, created_at)
    SELECT :tenant, u.*
    FROM unnest(:ids::uuid[], :kinds::text[], :names::text[], :names::text[], :statuses::text[], :channels::uuid[],
        :entered::timestamptz[]) AS u
""")
_TOTALS = sql("""
    INSERT INTO purchase_totals
        (tenant_id, customer_id, currency, orders, revenue, first_on, last_on, refunds, refunded, latest_on)
    VALUES (:tenant, :id, :currency, 1, :revenue, :first_on::date, :first_on, 0, 0, '2026-01-01')
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    currency: str
    revenue: int
    first_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    channel: int | None
    status: str
    entered: datetime
    totals: tuple[Total, ...]

    @property
    def first_on(self) -> date | None:
        return min((one.first_on for one in self.totals if one.first_on), default=None)


_days = st.integers(-60, 5).map(lambda offset: _TODAY + timedelta(days=offset))
_totals = st.builds(
    Total, currency=st.sampled_from(["RUB", "EUR"]), revenue=st.integers(-(10**9), 10**12), first_on=st.none() | _days
)
_people = st.builds(
    Someone,
    channel=st.none() | st.integers(0, _CHANNELS - 1),
    status=st.sampled_from(["prospect", "customer", "lapsed", "archived"]),
    entered=st.builds(datetime.combine, _days, st.sampled_from([time(0), time(20, 59), time(21), time(23, 59)])).map(
        lambda moment: moment.replace(tzinfo=UTC)
    ),
    totals=st.lists(_totals, max_size=2, unique_by=lambda one: one.currency).map(tuple),
)


@st.composite
def _costs(draw: st.DrawFn) -> tuple[int, Cost]:
    from_on = draw(_days)
    until_on = from_on + timedelta(days=draw(st.integers(0, 40)))
    amount = draw(st.integers(1, 10**18))
    cost = Cost(
        from_on=from_on, until_on=until_on, amount=amount // 100, currency=draw(st.sampled_from(["RUB", "EUR"]))
    )
    return draw(st.integers(0, _CHANNELS - 1)), cost


@st.composite
def _periods(draw: st.DrawFn) -> Period:
    from_on, until_on = draw(st.none() | _days), draw(st.none() | _days)
    if from_on and until_on:
        from_on, until_on = min(from_on, until_on), max(from_on, until_on)
    return Period(from_on=from_on, until_on=until_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    tenant: Callable[[], Coroutine[Any, Any, Tenant]]


@pytest.fixture(scope="module")
def shop(database: TestDatabase) -> Iterator[Shop]:
    with asyncio.Runner() as runner:
        pool = runner.run(open_pool(database.service_url, size=2))
        yield Shop(run=runner.run, tenant=lambda: a_tenant(pool, database.owner_url, database.service_url))
        runner.run(pool.close())


def _expected(people: list[Someone], costs: list[tuple[int, Cost]], period: Period) -> list[Line]:
    lines = []
    for channel in (*range(_CHANNELS), None):
        came = [
            one
            for one in people
            if one.channel == channel and came_on(one.entered.astimezone(_ZONE).date(), one.first_on) in period
        ]
        customers = sum(won(one.status, one.first_on) for one in came)
        lines.append(
            Line(
                channel=None if channel is None else {"code": f"c{channel}"},
                customers=customers,
                prospects=len(came) - customers,
                revenue=sum(t.revenue for one in came for t in one.totals if t.currency == "RUB"),
                cost=sum(share(cost, period) for at, cost in costs if at == channel and cost.currency == "RUB"),
            )
        )
    return lines


async def _store(tenant: Tenant, head: Principal, people: list[Someone], costs: list[tuple[int, Cost]]) -> None:
    async with tenant.uow.begin(head) as tx:
        channels = [uuid4() for _ in range(_CHANNELS)]
        for number, channel_id in enumerate(channels):
            await tx.channels.add(channel_id, code=f"c{number}", name="x", kind="calls")
        ids = [uuid4() for _ in people]
        await tx.session.execute(
            _CUSTOMERS,
            ids=ids,
            kinds=["person"] * len(ids),
            names=["x"] * len(ids),
            statuses=[one.status for one in people],
            channels=[None if one.channel is None else channels[one.channel] for one in people],
            entered=[one.entered for one in people],
        )
        for customer_id, one in zip(ids, people, strict=True):
            for t in one.totals:
                values: dict[str, object] = {"currency": t.currency, "revenue": t.revenue, "first_on": t.first_on}
                await tx.session.execute(_TOTALS, id=customer_id, **values)
        for channel, cost in costs:
            await tx.channels.add_cost(channels[channel], UUID(int=uuid4().int), cost)
        await tx.commit()


@settings(max_examples=40, deadline=None)
@given(people=st.lists(_people, max_size=12), costs=st.lists(_costs(), max_size=5), period=_periods())
def test_sql_says_what_the_rule_says(
    shop: Shop, people: list[Someone], costs: list[tuple[int, Cost]], period: Period
) -> None:
    async def scenario() -> None:
        tenant = await shop.tenant()
        head = await tenant.staff()
        await _store(tenant, head, people, costs)
        async with tenant.uow.begin(head) as tx:
            lines, left_out = await tx.channels.report(period, "RUB", costs=True)
            unset, _ = await tx.channels.report(period, "RUB", costs=False)
        found = [
            Line(
                channel=line.channel and {"code": line.channel["code"]},
                customers=line.customers,
                prospects=line.prospects,
                revenue=line.revenue,
                cost=line.cost,
            )
            for line in lines
        ]
        assert found == _expected(people, costs, period)
        assert left_out == sum(_touches(cost, period) for _, cost in costs if cost.currency != "RUB")
        assert {line.cost for line in unset} == {None}

    shop.run(scenario())


def _touches(cost: Cost, period: Period) -> bool:
    days = (cost.from_on + timedelta(days=n) for n in range((cost.until_on - cost.from_on).days + 1))
    return any(day in period for day in days)
