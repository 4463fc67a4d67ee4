"""Live segments, asked only of whom something has changed or whom the day has turned, hold whom a full look finds.

Customers, purchases and consents are drawn at random, rules with them; between refreshes records are written and days
pass. After each refresh the members are those whom the rule means now, of all; and at any past moment those of then.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.segments import PgSegments
from service.db.statement import sql
from service.domain.access import Scope
from service.domain.ids import new_id
from service.domain.rules.binding import bind
from service.domain.rules.model import Asked, Rule
from service.domain.rules.parsing import parse
from service.domain.rules.printing import printed
from service.domain.segments.model import NewSegment, Ruled, uses_of
from service.domain.segments.refreshing import SegmentRefresher
from tests.contract.purchase_records import Stage, a_stage
from tests.contract.rule_worlds import CATALOGUE, TODAY, ZONE, Made, furnish, judge, made, rules, store
from tests.postgres import TestDatabase
from tests.segments import settled

TEAM = UUID(int=1)
_TEAM = sql("INSERT INTO teams (tenant_id, team_id, name) VALUES (:tenant, :id, 'Team')")
_ATTRIBUTE = sql("""
    INSERT INTO attribute_definitions (tenant_id, name, kind, label) VALUES (:tenant, :name, :kind, :name)
    ON CONFLICT DO NOTHING
""")
_TELL = sql("""
    INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
    SELECT :tenant, u.id, u.id, 'customer', 'updated' FROM unnest(:ids::uuid[]) u (id)
""")
# A record takes another's columns and purchases: whatever a write may do, it is told of both.
_SWAP = sql("""
    UPDATE customers c SET city = o.city, tags = o.tags, status = o.status, birth_date = o.birth_date,
        birth_year_known = o.birth_year_known, attributes = o.attributes, created_at = o.created_at,
        preferences = o.preferences, family_name = o.family_name
    FROM customers o WHERE c.tenant_id = :tenant AND o.tenant_id = :tenant
        AND c.customer_id = :one::uuid AND o.customer_id = :other::uuid
""")
_ERASE = sql("UPDATE customers SET erased_at = now() WHERE tenant_id = :tenant AND customer_id = :one::uuid")
_HELD = sql("""
    SELECT segment_id, customer_id FROM segment_members
    WHERE tenant_id = :tenant AND entered_at <= :at::timestamptz AND coalesce(left_at, 'infinity') > :at::timestamptz
""")
_PRESENT = sql("SELECT segment_id, customer_id FROM segment_members WHERE tenant_id = :tenant AND left_at IS NULL")
_NOW = sql("SELECT clock_timestamp()")
_CLEAR = sql("DELETE FROM segments WHERE tenant_id = :tenant")
Membership = set[tuple[str, str]]


class Days:
    """A clock that stands at noon of a day until it is moved on."""

    def __init__(self) -> None:
        self.day = TODAY

    def now(self) -> datetime:
        return datetime.combine(self.day, time(12), ZoneInfo(ZONE)).astimezone(UTC)

    def today(self, time_zone: str) -> date:
        return self.day


@contextmanager
def a_segmented_stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:

        async def prepare() -> None:
            async with stage.tenant.uow.begin(stage.principal) as tx:
                await furnish(tx.session)
                await tx.session.execute(_TEAM, id=TEAM)
                for name, spec in CATALOGUE.own.items():
                    await tx.session.execute(_ATTRIBUTE, name=name.partition(".")[2], kind=spec.type)
                await tx.commit()

        stage.run(prepare())
        yield stage


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_segmented_stage(database) as stage:
        yield stage


class Play:
    """One base with its segments, written to and refreshed."""

    def __init__(self, stage: Stage, drawn: random.Random) -> None:
        self.stage, self.drawn, self.clock = stage, drawn, Days()
        uow, tenant = stage.tenant.uow, stage.tenant.tenant_id

        async def tenants() -> list[int]:
            return [tenant]

        self.refresher = SegmentRefresher(uow, self.clock, tenants)
        self.ids: list[str] = []
        self.records: list[Made] = []
        self.rules: dict[UUID, Rule] = {}
        self.past: list[tuple[datetime, Membership]] = []

    async def begin(self, records: list[Made], asked_for: list[Rule]) -> None:
        async with self.stage.tenant.uow.begin(self.stage.principal) as tx:
            await tx.session.execute(_CLEAR)
            self.records = records
            self.ids = [str(one) for one in await store(tx.session, records, self.stage.principal.staff_id, TEAM)]
            for rule in asked_for:
                await self._keep(tx, rule)
            first, second = list(self.rules)[:2]
            for text in (
                f'segment has any ("{first}")',
                f'segment has any ("{first}") and not segment has any ("{second}")',
            ):
                await self._keep(tx, bind(parse(text).rule, CATALOGUE, frozenset(Scope), TODAY))
            await tx.commit()

    async def _keep(self, tx: Any, rule: Rule) -> None:
        segment_id = new_id()
        ruled = Ruled(rule={}, text=printed(rule), uses=dict(uses_of(rule)))
        await tx.saved_segments.add(segment_id, NewSegment(name=str(segment_id), ruled=ruled))
        self.rules[segment_id] = rule

    async def write(self) -> None:
        one, other = self.drawn.choice(self.ids), self.drawn.choice(self.ids)
        async with self.stage.tenant.uow.begin(self.stage.principal) as tx:
            what = self.drawn.random()
            if what < 0.25:  # a new snapshot tells nobody of whom it has moved
                records = self.drawn.sample(self.records, len(self.records))
                await judge(tx.session, [UUID(customer) for customer in self.ids], records)
                await tx.commit()
                return
            if what < 0.4:
                await tx.session.execute(_ERASE, one=one)
            else:
                await tx.session.execute(_SWAP, one=one, other=other)
            await tx.session.execute(_TELL, ids=[one])
            await tx.commit()

    async def refresh(self) -> None:
        await settled(self.stage.tenant.uow, self.refresher, self.stage.tenant.tenant_id)
        found = await self.present()
        async with self.stage.tenant.uow.begin(self.stage.principal) as tx:
            for segment_id, rule in self.rules.items():
                asked = Asked(rule=rule, catalogue=CATALOGUE, today=self.clock.day, time_zone=ZONE, currency="RUB")
                meant = set(await PgSegments(tx.session).page(asked, {}, after=None, limit=1000))
                held = {customer for segment, customer in found if segment == str(segment_id)}
                assert held == meant, (printed(rule), self.clock.day)
            self.past.append((await tx.session.fetchval(_NOW), found))

    async def present(self) -> Membership:
        async with self.stage.tenant.uow.begin(self.stage.principal) as tx:
            rows = await tx.session.fetch(_PRESENT)
        return {(str(row["segment_id"]), str(row["customer_id"])) for row in rows}

    async def look_back(self) -> None:
        async with self.stage.tenant.uow.begin(self.stage.principal) as tx:
            for at, found in self.past:
                rows = await tx.session.fetch(_HELD, at=at)
                assert {(str(row["segment_id"]), str(row["customer_id"])) for row in rows} == found, at

    async def rebuild(self) -> None:
        before = await self.present()
        assert (await self.refresher.rebuild_tenant(self.stage.tenant.tenant_id)).moved == 0
        assert await self.present() == before


def play(stage: Stage, records: list[Made], asked_for: list[Rule], seed: int, rounds: int) -> None:
    drawn = random.Random(seed)

    async def run() -> None:
        one = Play(stage, drawn)
        await one.begin(records, asked_for)
        await one.refresh()
        for _ in range(rounds):
            for _ in range(drawn.randrange(4)):
                await one.write()
            if drawn.random() < 0.6:
                one.clock.day += timedelta(days=drawn.choice([1, 1, 1, 2, 7, 30, 80, 365]))
            await one.refresh()
        await one.look_back()
        await one.rebuild()

    stage.run(run())


_QUIETLY = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.large_base_example,
    HealthCheck.data_too_large,
]


@settings(max_examples=4, deadline=None, suppress_health_check=_QUIETLY)
@given(
    records=st.lists(made, min_size=2, max_size=6),
    asked_for=st.lists(rules(), min_size=6, max_size=8),
    seed=st.integers(0, 2**32),
)
def test_a_refresh_finds_whom_a_full_look_finds(
    stage: Stage, records: list[Made], asked_for: list[Rule], seed: int
) -> None:
    play(stage, records, asked_for, seed, rounds=3)
