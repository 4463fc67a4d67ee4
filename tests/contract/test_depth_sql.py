"""The depth of records has one meaning: what SQL finds in the base is what the rule says of each record's facts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.depth import DEPTHS, PgDepth
from service.db.session import Session
from service.db.statement import sql
from service.domain.customers.depth import FIELDS, depth, lifts
from tests.contract.purchase_records import Stage, a_stage
from tests.postgres import TestDatabase

_KINDS = ("email", "phone", "messenger", "street", "inn", "kpp", "ogrn", "bic", "account", "vat", "iban")
_CUSTOMER = sql("""
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, family_name, trade_name, city,
                           preferences, curator_id)
    VALUES (:tenant, :id, 'person', '', '', :family_name, :trade_name, :city, :preferences, :curator_id)
""")
_CONTACT = sql("""
    INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, value, normal, masked, lookup, verdict,
                                 source)
    VALUES (:tenant, :id, gen_random_uuid(), :kind, '', '', '', '', :verdict, 'api')
""")
_TOTAL = sql("""
    INSERT INTO purchase_totals (tenant_id, customer_id, currency, orders, revenue, refunded, refunds, latest_on)
    VALUES (:tenant, :id, :currency, :orders, 0, 0, 0, '-infinity')
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A record as it is written into the base."""

    family_name: str | None
    trade_name: str | None
    city: str | None
    preferences: tuple[str, ...]
    curated: bool
    contacts: tuple[tuple[str, str], ...]
    totals: dict[str, int]

    @property
    def facts(self) -> frozenset[str]:
        kinds = {kind for kind, verdict in self.contacts if verdict != "invalid"}
        orders = sum(self.totals.values())
        found = {
            "name": bool(self.family_name or self.trade_name),
            "contact": bool(kinds & {"email", "phone", "messenger"}),
            "requisites": bool(kinds - {"email", "phone", "messenger", "street"}),
            "order": orders >= 1,
            "orders": orders >= 2,
            "address": bool(self.city) or "street" in kinds,
            "preferences": bool(self.preferences),
            "curator": self.curated,
        }
        return frozenset(name for name, holds in found.items() if holds)


texts = st.sampled_from([None, "", "Омск"])
contacts = st.tuples(st.sampled_from(_KINDS), st.sampled_from(["valid", "possible", "invalid"]))
made = st.builds(
    Made,
    family_name=texts,
    trade_name=texts,
    city=texts,
    preferences=st.sampled_from([(), ("чай",)]),
    curated=st.booleans(),
    contacts=st.lists(contacts, max_size=4).map(tuple),
    totals=st.dictionaries(st.sampled_from(["RUB", "USD"]), st.integers(0, 2)),
)


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


async def _write(session: Session, one: Made, curator: UUID) -> UUID:
    customer_id = uuid4()
    await session.execute(
        _CUSTOMER,
        id=customer_id,
        family_name=one.family_name,
        trade_name=one.trade_name,
        city=one.city,
        preferences=list(one.preferences),
        curator_id=curator if one.curated else None,
    )
    for kind, verdict in one.contacts:
        await session.execute(_CONTACT, id=customer_id, kind=kind, verdict=verdict)
    for currency, orders in one.totals.items():
        await session.execute(_TOTAL, id=customer_id, currency=currency, orders=orders)
    return customer_id


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(made, max_size=6))
def test_the_base_has_the_depths_and_lifts_of_its_records(stage: Stage, records: list[Made]) -> None:
    async def play() -> None:
        async with stage.tenant.uow.begin(stage.principal) as tx:  # left without a commit
            ids = [await _write(tx.session, one, stage.principal.staff_id) for one in records]
            report = PgDepth(tx.session)
            assert [await report.facts(customer_id) for customer_id in ids] == [one.facts for one in records]
            base = await report.base()
        depths = Counter[str](depth(one.facts) for one in records)
        lifted = Counter(field for one in records for field in lifts(one.facts))
        assert {name: base[name] for name in DEPTHS} == {name: depths[name] for name in DEPTHS}
        assert {field: base[field] for field in FIELDS} == {field: lifted[field] for field in FIELDS}

    stage.run(play())
