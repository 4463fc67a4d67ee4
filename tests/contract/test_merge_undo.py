"""Merging and taking it back leaves the business tables as they were, row by row, whatever is asked for.

Versions and the time of a change aside, and what the histories say of it. Merges of what was merged before are taken
back in turn. The suite tries a few bases, `make proofs` some hundreds (tests/proofs/test_merging.py).
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.purchase_records import Stage, a_stage
from tests.merging import Company, Rows, a_wish, lost_and_found, told, units_of
from tests.postgres import TestDatabase


class Playground:
    """One company after another on the same stage."""

    def __init__(self, stage: Stage, root: asyncpg.Connection) -> None:
        self.stage = stage
        self.company = Company(stage.tenant, stage.principal, root)


@contextmanager
def a_playground(database: TestDatabase) -> Iterator[Playground]:
    with a_stage(database) as stage:
        root = stage.run(asyncpg.connect(database.superuser_url or database.owner_url))
        try:
            yield Playground(stage, root)
        finally:
            stage.run(root.close())


@pytest.fixture(scope="module")
def playground(database: TestDatabase) -> Iterator[Playground]:
    with a_playground(database) as playground:
        yield playground


async def merge_and_undo(company: Company, chance: random.Random) -> int:
    """Merge some of the records, once or several times over, and take it all back; how many merges there were."""
    left = await company.furnish(chance, chance.randint(2, 5))
    made: list[tuple[UUID, Rows]] = []
    while len(left) > 1 and (not made or chance.random() < 0.6):
        ids = chance.sample(left, k=chance.randint(2, min(3, len(left))))
        before = await company.rows()
        merge_id = await company.merging.merge(company.principal, a_wish(chance, ids, await units_of(company, ids)))
        async with company.tenant.uow.begin(company.principal) as tx:
            card = await tx.merging.card(merge_id)
        assert card is not None
        assert {card["survivor_id"], *card["merged_ids"]} == set(ids)
        assert lost_and_found(before, await company.rows()) != {}
        made.append((merge_id, before))
        left = [one for one in left if one not in card["merged_ids"]]
    for merge_id, before in reversed(made):
        report = await company.merging.undo(company.principal, merge_id)
        assert {name: report[name] for name in ("fields", "contacts", "external_ids", "gone", "stayed")} == {
            "fields": [], "contacts": [], "external_ids": [], "gone": {}, "stayed": {},
        }  # fmt: skip
        assert told(lost_and_found(before, await company.rows())) == ""
    return len(made)


@settings(max_examples=12, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_merge_then_undo_leaves_the_business_tables_equal(playground: Playground, seed: int) -> None:
    playground.stage.run(merge_and_undo(playground.company, random.Random(seed)))
