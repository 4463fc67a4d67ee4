"""Ten thousand random rules: SQL finds whom `matches` means, and none of them fails (the suite tries some hundreds)."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.domain.rules.model import Rule
from tests.contract.purchase_records import Stage
from tests.contract.rule_worlds import Made, made, rules
from tests.contract.test_rules_sql import a_furnished_stage, compare
from tests.postgres import TestDatabase

_RULES = 25


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_furnished_stage(database) as stage:
        yield stage


@settings(
    max_examples=10_000 // _RULES,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(records=st.lists(made, min_size=8, max_size=12), asked_for=st.lists(rules(), min_size=_RULES, max_size=_RULES))
def test_ten_thousand_rules_mean_the_same(stage: Stage, records: list[Made], asked_for: list[Rule]) -> None:
    compare(stage, records, asked_for)
