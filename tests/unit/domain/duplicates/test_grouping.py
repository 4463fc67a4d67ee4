from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.domain.duplicates.grouping import Edge, grouped, named, ordered
from service.domain.ids import new_id


def record(number: int) -> UUID:
    return UUID(int=number)


def edges(*pairs: tuple[int, int], weight: float = 10.0) -> list[Edge]:
    return [Edge(weight, record(one), record(other)) for one, other in pairs]


def sets(*groups: tuple[int, ...]) -> set[frozenset[UUID]]:
    return {frozenset(map(record, group)) for group in groups}


RECORDS = st.integers(1, 8).map(record)
PAIRS = st.lists(st.tuples(RECORDS, RECORDS).filter(lambda pair: pair[0] != pair[1]), max_size=15)


def test_records_joined_by_a_third_are_one_group() -> None:
    assert set(grouped(edges((1, 2), (2, 3), (4, 5)), ())) == sets((1, 2, 3), (4, 5))


def test_a_mark_parts_records_that_a_third_would_join() -> None:
    strong, weak = edges((1, 2), weight=20.0), edges((2, 3))
    assert set(grouped([*weak, *strong], [(record(1), record(3))])) == sets((1, 2))


def test_the_stronger_pair_decides_on_which_side_a_record_stands() -> None:
    near, far = edges((2, 3), weight=20.0), edges((1, 2))
    assert set(grouped([*far, *near], [(record(1), record(3))])) == sets((2, 3))


@given(PAIRS, PAIRS, st.randoms())
def test_groups_are_apart_whole_and_the_same_in_any_order(
    pairs: list[tuple[UUID, UUID]], never: list[tuple[UUID, UUID]], shuffling: object
) -> None:
    given_edges = [Edge(10.0, *pair) for pair in pairs]
    groups = grouped(given_edges, never)
    records = [one for group in groups for one in group]
    assert len(records) == len(set(records))
    assert all(len(group) > 1 for group in groups)
    assert not any({one, other} <= group for group in groups for one, other in never)
    assert set(grouped(given_edges[::-1], never[::-1])) == set(groups)
    if not never:
        assert all(any({*pair} <= group for group in groups) for pair in pairs)


def test_a_cluster_that_grows_keeps_its_id() -> None:
    [small] = grouped(edges((1, 2)), ())
    before = named([small], {}, new_id)
    [grown] = grouped(edges((1, 2), (2, 3)), ())
    assert named([grown], before, new_id) == dict.fromkeys(map(record, (1, 2, 3)), before[record(1)])


def test_of_two_clusters_that_become_one_the_older_id_stays() -> None:
    before = named(sorted(grouped(edges((1, 2), (3, 4)), ()), key=min), {}, new_id)
    [joined] = grouped(edges((1, 2), (2, 3), (3, 4)), ())
    assert set(named([joined], before, new_id).values()) == {min(before.values())}


def test_the_largest_part_of_a_cluster_keeps_its_id() -> None:
    before = dict.fromkeys(map(record, range(1, 6)), new_id())
    after = named(grouped(edges((1, 2), (3, 4), (4, 5)), ()), before, new_id)
    assert after[record(3)] == before[record(3)]
    assert after[record(1)] == after[record(2)] != before[record(1)]


@given(PAIRS, PAIRS)
def test_every_group_has_one_name_of_its_own(earlier: list[tuple[UUID, UUID]], later: list[tuple[UUID, UUID]]) -> None:
    before = named(grouped([Edge(1.0, *pair) for pair in earlier], ()), {}, new_id)
    groups = grouped([Edge(1.0, *pair) for pair in later], ())
    after = named(groups, before, new_id)
    assert set(after) == {one for group in groups for one in group}
    assert [len({after[one] for one in group}) for group in groups] == [1] * len(groups)
    assert len(set(after.values())) == len(groups)
    assert named(groups, after, new_id) == after


def test_a_pair_is_stored_the_lesser_first() -> None:
    assert ordered(record(2), record(1)) == ordered(record(1), record(2)) == (record(1), record(2))
