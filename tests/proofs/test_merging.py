"""Merges on some hundreds of random bases are taken back without a trace; one killed at any statement leaves none."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.test_merge_undo import Playground, a_playground, merge_and_undo
from tests.db.test_merge_killed import kill_everywhere
from tests.postgres import TestDatabase


@pytest.fixture(scope="module")
def playground(database: TestDatabase) -> Iterator[Playground]:
    with a_playground(database) as playground:
        yield playground


@settings(max_examples=300, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_three_hundred_bases_are_as_they_were(playground: Playground, seed: int) -> None:
    playground.stage.run(merge_and_undo(playground.company, random.Random(seed)))


def test_a_kill_at_each_statement_leaves_nothing_by_halves(database: TestDatabase) -> None:
    assert asyncio.run(kill_everywhere(database, every=1)) > 80
