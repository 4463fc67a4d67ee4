"""One meaning of rules, two interpreters: whom SQL finds is whom `matches` means, of any customers and for any rule."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.rules import BASE, compile_among_few
from service.db.segments import PgSegments
from service.db.session import Session
from service.db.statement import sql
from service.domain.rules.matching import matches
from service.domain.rules.model import Asked, Rule
from tests.contract.purchase_records import Stage, a_stage
from tests.contract.rule_worlds import CATALOGUE, TODAY, ZONE, Made, facts_of, furnish, made, rules, store
from tests.postgres import TestDatabase

TEAM = UUID(int=1)
_TEAM = sql("INSERT INTO teams (tenant_id, team_id, name) VALUES (:tenant, :id, 'Team')")


@contextmanager
def a_furnished_stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:

        async def prepare() -> None:
            async with stage.tenant.uow.begin(stage.principal) as tx:
                await furnish(tx.session)
                await tx.session.execute(_TEAM, id=TEAM)
                await tx.commit()

        stage.run(prepare())
        yield stage


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_furnished_stage(database) as stage:
        yield stage


def compare(stage: Stage, records: list[Made], asked_for: list[Rule]) -> None:
    curator = stage.principal.staff_id

    async def play() -> None:
        async with stage.tenant.uow.begin(stage.principal) as tx:  # left without a commit
            ids = await store(tx.session, records, curator, TEAM)
            facts = [facts_of(one, curator, TEAM) for one in records]
            for rule in asked_for:
                asked = Asked(rule=rule, catalogue=CATALOGUE, today=TODAY, time_zone=ZONE, currency="RUB")
                meant = {str(one) for one, known in zip(ids, facts, strict=True) if matches(asked, known)}
                assert set(await PgSegments(tx.session).page(asked, {}, after=None, limit=1000)) == meant, rule
                assert await _among_few(tx.session, asked) in (None, meant), rule

    stage.run(play())


async def _among_few(session: Session, asked: Asked) -> set[str] | None:
    """The same by the way that a preview goes where the cheap clauses of a rule let few through."""
    found = compile_among_few(asked, stale=True, narrow=False)
    if found is None:
        return None
    statement = sql(f"WITH {found.few} SELECT c.customer_id FROM customers c WHERE {BASE} AND {found.where}")
    return {str(row["customer_id"]) for row in await session.fetch(statement, **found.values)}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
    ],
)
@given(records=st.lists(made, min_size=1, max_size=6), asked_for=st.lists(rules(), min_size=10, max_size=12))
def test_sql_finds_whom_the_rule_means(stage: Stage, records: list[Made], asked_for: list[Rule]) -> None:
    compare(stage, records, asked_for)
