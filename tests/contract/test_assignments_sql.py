"""One meaning, two interpreters: what the domain deals, classes and dates in Python, the database does in sets."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.db.assignments import PgAssignments
from service.db.portfolios import PgPortfolios
from service.db.purchases import PgPurchases
from service.db.session import Session
from service.db.statement import sql
from service.domain.assignments.model import Bounds, Receiver, Selection, Spread, dealt
from service.domain.assignments.portfolio import HORIZON_DAYS, Portfolio, expected_on, next_birthday
from service.domain.ids import new_id
from service.domain.segmentation.abc_analysis import class_name, classify
from service.domain.segmentation.basis import Basis
from tests.contract.purchase_records import Stage, a_stage
from tests.postgres import TestDatabase

_PROPERTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_ADD = sql("""INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, birth_date, curator_id)
    SELECT :tenant, id, 'person', 'Customer', 'customer', born, :curator_id
    FROM unnest(:ids::uuid[], :born::date[]) x (id, born)""")
_ADD_TOTALS = sql("""INSERT INTO purchase_totals (tenant_id, customer_id, currency, orders, revenue, refunded, refunds,
        first_on, last_on, latest_on)
    SELECT :tenant, id, 'RUB', orders, revenue, 0, 0, first_on, last_on, last_on
    FROM unnest(:ids::uuid[], :orders::int[], :revenues::bigint[], :firsts::date[], :lasts::date[])
        x (id, orders, revenue, first_on, last_on)""")
_REVENUES = st.lists(st.sampled_from([-5, 0, 1, 1, 2, 7, 100, 10**12]) | st.integers(-10, 1000), max_size=25)


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


async def _fill(
    session: Session, revenues: list[int], born: list[date | None], days: list[tuple[date, date, int]]
) -> list[UUID]:
    ids = [new_id() for _ in revenues]
    await session.execute(_ADD, ids=ids, born=born, curator_id=session.principal.staff_id)
    await session.execute(
        _ADD_TOTALS,
        ids=ids,
        revenues=revenues,
        firsts=[first for first, _, _ in days],
        lasts=[last for _, last, _ in days],
        orders=[orders for _, _, orders in days],
    )
    return ids


@_PROPERTY
@given(revenues=_REVENUES, people=st.integers(1, 5), spread=st.sampled_from(Spread))
def test_the_database_deals_as_the_rule_says(stage: Stage, revenues: list[int], people: int, spread: Spread) -> None:
    async def scenario() -> None:
        async with stage.tenant.uow.begin(stage.principal) as tx:
            day = date(2026, 1, 1)
            ids = await _fill(tx.session, revenues, [None] * len(revenues), [(day, day, 1)] * len(revenues))
            by_revenue = sorted(range(len(ids)), key=lambda i: (-revenues[i], ids[i]))
            places = by_revenue if spread is Spread.BALANCED else list(range(len(ids)))
            expected = {place: [0, 0] for place in range(people)}
            for place, i in enumerate(places):
                share = expected[dealt(place, people, spread)]
                share[0] += 1
                share[1] += revenues[i]
            shares = await PgAssignments(tx.session).deal(
                Selection(customer_ids=tuple(ids)),
                Bounds(),
                [Receiver(curator_id=new_id()) for _ in range(people)],
                spread,
                currency="RUB",
                assignment_id=None,
            )
            found = {one.receiver: [one.moved + one.unchanged, one.revenue] for one in shares}
            assert found == {place: share for place, share in expected.items() if share[0]}

    stage.run(scenario())


_DAYS = st.dates(date(1930, 1, 1), date(2026, 1, 1)) | st.sampled_from(
    [date(1996, 2, 29), date(2000, 2, 28), date(1604, 3, 1), date(1604, 2, 29), date(1970, 12, 31), date(1980, 1, 1)]
)


@_PROPERTY
@given(born=st.lists(st.none() | _DAYS, max_size=25), today=st.dates(date(2026, 1, 1), date(2032, 12, 31)))
@example(born=[date(1996, 2, 29), date(1604, 2, 29)], today=date(2027, 2, 10))
@example(born=[date(1996, 2, 29), date(1980, 1, 1)], today=date(2028, 12, 31))
def test_birthdays_are_those_of_the_rule(stage: Stage, born: list[date | None], today: date) -> None:
    found = _briefing(stage, today, [0] * len(born), born, [(date(2026, 1, 1), date(2026, 1, 1), 1)] * len(born))
    last = today + timedelta(days=HORIZON_DAYS)
    expected = [next_birthday(one, today) for one in born if one is not None]
    assert [row[2] for row in found["next_birthdays"]] == sorted(day for day in expected if day <= last)
    assert found["birthdays"] == len(found["next_birthdays"])


@_PROPERTY
@given(
    days=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 400), st.integers(1, 30)), max_size=20),
    revenues=_REVENUES,
)
def test_expected_orders_and_classes_are_those_of_the_rules(
    stage: Stage, days: list[tuple[int, int, int]], revenues: list[int]
) -> None:
    today = date(2026, 6, 1)
    size = min(len(days), len(revenues))
    spans = [
        (today - timedelta(days=ago + span), today - timedelta(days=ago), orders) for ago, span, orders in days[:size]
    ]
    found = _briefing(stage, today, revenues[:size], [None] * size, spans)
    expected = [expected_on(*span) for span in spans]
    coming = [day for day in expected if day and today <= day <= today + timedelta(days=HORIZON_DAYS)]
    assert [row[2] for row in found["next_orders"]] == sorted(coming)
    assert found["overdue"] == sum(1 for day in expected if day and day < today)
    classes = classify(dict(enumerate(revenues[:size])))
    shown = {class_name(index): (count, total) for index, count, total in found["classes"]}
    for name in "ABC":
        members = [i for i, one in classes.items() if one == name]
        assert shown.get(name, (0, 0)) == (len(members), sum(revenues[i] for i in members))
    assert [row[4] for row in found["top"]] == sorted(revenues[:size], reverse=True)


def _briefing(
    stage: Stage, today: date, revenues: list[int], born: list[date | None], days: list[tuple[date, date, int]]
) -> Any:
    async def scenario() -> Any:
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await _fill(tx.session, revenues, born, days)
            portfolios = PgPortfolios(tx.session, PgPurchases(tx.session))
            return await portfolios.briefing(
                Portfolio(staff_id=stage.principal.staff_id),
                Basis(currency="RUB", as_of=today),
                top=100,
            )

    return stage.run(scenario())
