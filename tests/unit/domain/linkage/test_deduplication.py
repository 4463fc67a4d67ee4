from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.linkage.batch import score
from service.domain.linkage.beside import Beside
from service.domain.linkage.clusters import clusters
from service.domain.linkage.columns import columns, meetings
from service.domain.linkage.comparing import compare
from service.domain.linkage.deduplication import deduplicated
from service.domain.linkage.keys import keys
from service.domain.linkage.learning import learnt
from service.domain.linkage.model import DEFAULT, weight
from service.domain.linkage.profile import Profile, profile
from tests.unit.domain.linkage.people import ivan, profiles

_BASES = st.lists(profiles(), min_size=2, max_size=12)


@given(_BASES)
@settings(deadline=None, max_examples=60)
def test_a_batch_compares_as_a_pair_is_compared(base: list[Profile]) -> None:
    one, other = (np.array(side) for side in zip(*combinations(range(len(base)), 2), strict=True))
    found = Beside(columns(base)).levels(one, other)
    expected = [compare(base[left], base[right]).levels for left, right in zip(one, other, strict=True)]
    assert [tuple(row) for row in found.tolist()] == expected


@given(_BASES, st.sampled_from([-20.0, 0.0, 3.0, 10.0]))
@settings(deadline=None, max_examples=60)
def test_a_batch_keeps_every_pair_over_the_bound_with_its_weight(base: list[Profile], bound: float) -> None:
    packed = columns(base)
    met = meetings(packed, most=10**6)
    model = learnt(packed, met, DEFAULT)
    found = score(packed, met, model, bound=bound)
    totals = dict(zip(zip(found.one.tolist(), found.other.tolist(), strict=True), found.total.tolist(), strict=True))
    for pair in ((int(number) // len(base), int(number) % len(base)) for number in met):
        total = weight(compare(base[pair[0]], base[pair[1]]), model).total
        assert totals.get(pair, total) == pytest.approx(total, abs=0.02)
        assert (pair in totals) == (total >= bound) or total == pytest.approx(bound, abs=0.02)


@given(_BASES)
@settings(deadline=None, max_examples=60)
def test_those_who_share_a_key_meet_and_no_others(base: list[Profile]) -> None:
    met = {(int(number) // len(base), int(number) % len(base)) for number in meetings(columns(base), most=10**6)}
    sharing = {(one, other) for one, other in combinations(range(len(base)), 2) if keys(base[one]) & keys(base[other])}
    assert met == sharing


def test_a_key_of_thousands_is_passed_over_where_pairs_are_few() -> None:
    crowd = [ivan(family_name=f"Фамилия{number}") for number in range(200)]
    assert len(meetings(columns(crowd), most=1_000)) <= 1_000


def test_a_base_of_nobody_and_of_one_has_no_duplicates() -> None:
    assert deduplicated([]).clusters == []
    assert deduplicated([ivan()]).clusters == []


def test_copies_come_together_and_strangers_do_not() -> None:
    stranger = ivan(
        family_name="Ли", given_name="Анна", patronymic="", birth_date=None, phones=[], emails=["q@q.ru"], requisites=[]
    )
    assert deduplicated([ivan(), stranger, ivan(given_name="Саша")]).clusters == [[0, 2]]


def test_clusters_are_connected_and_sorted() -> None:
    assert clusters([(3, 4), (1, 2), (2, 4)]) == [[1, 2, 3, 4]]
    assert clusters([(5, 9), (1, 2)]) == [[1, 2], [5, 9]]


def test_those_kept_apart_never_meet_however_they_are_connected() -> None:
    assert clusters([(1, 2), (3, 4), (2, 3)], apart=[(1, 4)]) == [[1, 2], [3, 4]]
    assert clusters([(1, 2), (2, 3)], apart=[(3, 1)]) == [[1, 2]]


_ANY = st.text(max_size=30) | st.text(alphabet="\x00\x1f\ud800 ,.'ёa@-1", max_size=12)


@given(st.lists(st.tuples(_ANY, _ANY, _ANY), min_size=2, max_size=6))
@settings(deadline=None, max_examples=80)
def test_no_text_breaks_the_comparison(texts: list[tuple[str, str, str]]) -> None:
    base = [
        profile(
            family_name=one,
            given_name=other,
            trade_name=third,
            emails=[one],
            phones=[other],
            requisites=[("inn", third)],
            street=one,
            city=other,
            postal_code=third,
        )
        for one, other, third in texts
    ]
    assert len(deduplicated([*base, *base]).clusters) <= len(base)
