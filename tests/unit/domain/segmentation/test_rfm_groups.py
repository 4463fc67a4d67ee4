"""A map of groups names every cell exactly once, or says which not."""

from collections import Counter
from itertools import product

import pytest

from service.domain.segmentation.rfm_groups import DEFAULT_GROUPS, Box, GroupMap, GroupMapIncomplete

# Rows are R = 1 … 5, columns F = 1 … 5, as the definitions spell them.
_AS_DEFINED = """
    hibernating hibernating at_risk at_risk cant_lose
    hibernating hibernating at_risk at_risk cant_lose
    about_to_sleep about_to_sleep need_attention loyal loyal
    promising potential_loyalist potential_loyalist loyal loyal
    new potential_loyalist potential_loyalist champions champions
"""


def test_default_map_is_the_defined_partition() -> None:
    rows = [line.split() for line in _AS_DEFINED.strip().splitlines()]
    for r, f in product(range(1, 6), repeat=2):
        assert DEFAULT_GROUPS.group_of(r, f) == rows[r - 1][f - 1]
    assert len(Counter(DEFAULT_GROUPS.names)) == 10


def test_gaps_and_overlaps_are_listed_cell_by_cell() -> None:
    with pytest.raises(GroupMapIncomplete) as refusal:
        GroupMap(
            bins=2,
            boxes=(
                Box(group="a", r=(1, 2), f=(1, 1)),
                Box(group="b", r=(2, 2), f=(1, 1)),
                Box(group="c", r=(0, 1), f=(2, 2)),
            ),
        )
    assert refusal.value.code == "group-map-incomplete"
    assert refusal.value.extra == {
        "gaps": [{"r": 2, "f": 2}],
        "overlaps": [{"r": 2, "f": 1, "groups": ["a", "b"]}],
        "outside": [{"r": 0, "f": 2}],
        "errors": [
            {"pointer": "/groups", "detail": "No group takes the cell r=2 f=2."},
            {"pointer": "/groups/1", "detail": "The cell r=2 f=1 is in /groups/0 already."},
            {"pointer": "/groups/2", "detail": "There is no cell r=0 f=2."},
        ],
    }


def test_a_box_beyond_the_scores_is_refused_without_counting_it_out() -> None:
    with pytest.raises(GroupMapIncomplete) as refusal:
        GroupMap(bins=2, boxes=(Box(group="a", r=(1, 10**9), f=(1, 2)),))
    assert refusal.value.extra["gaps"] == []
    assert refusal.value.extra["outside"] == [{"r": 3, "f": 1}, {"r": 3, "f": 2}]


def test_a_map_may_tell_monetary_scores_apart() -> None:
    groups = GroupMap(
        bins=2,
        boxes=(
            Box(group="rich", r=(1, 2), f=(1, 2), m=(2, 2)),
            Box(group="rest", r=(1, 2), f=(1, 2), m=(1, 1)),
        ),
    )
    assert groups.by_monetary
    assert groups.group_of(1, 2, 2) == "rich"
    assert groups.group_of(1, 2, 1) == "rest"


def test_a_box_without_monetary_scores_means_all_of_them() -> None:
    groups = GroupMap(
        bins=2,
        boxes=(
            Box(group="old", r=(1, 1), f=(1, 2)),
            Box(group="rich", r=(2, 2), f=(1, 2), m=(2, 2)),
            Box(group="rest", r=(2, 2), f=(1, 2), m=(1, 1)),
        ),
    )
    assert {groups.group_of(1, 1, m) for m in (1, 2)} == {"old"}


def test_a_map_without_monetary_ranges_ignores_the_score() -> None:
    assert DEFAULT_GROUPS.group_of(5, 5, 1) == "champions"
