"""The default model against public bases whose duplicates are known; nothing is tuned for any of them."""

from itertools import combinations

import pytest

from benchmarks.truth_sets import SETS, judged
from service.domain.linkage.deduplication import deduplicated
from tests.shared_data import shared_data


@pytest.mark.parametrize(
    ("name", "least"),
    [("febrl 1", 0.996), ("febrl 3", 0.996), ("fake 1000", 0.88), ("russian", 0.97), ("restaurants", 0.9)],
)
def test_duplicates_are_found_and_relatives_are_not_merged(name: str, least: float) -> None:
    shared_data("B_dedup")
    truth = SETS[name]()
    found = {pair for group in deduplicated(truth.profiles).clusters for pair in combinations(group, 2)}
    assert judged(found, truth).f1 >= least
    assert not found & truth.forbidden
