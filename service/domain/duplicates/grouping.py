"""Clusters of records that are probably one, and the names that they keep.

The strongest pairs come first, and two groups are never joined when a mark says of one record here and one there that
they are not the same. A cluster keeps its id for as long as most of it stays together: when two become one, the older
id stays; when one falls apart, the largest part keeps it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

Group = frozenset[UUID]


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """Two records that are probably one; the weight says how much speaks for it."""

    weight: float
    one: UUID
    other: UUID


def ordered(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    """A pair as it is stored: the lesser id first."""
    return (one, other) if one < other else (other, one)


def grouped(edges: Iterable[Edge], never: Collection[tuple[UUID, UUID]]) -> list[Group]:
    """The groups of two and more that these pairs make."""
    held: dict[UUID, set[UUID]] = {}
    apart: dict[UUID, set[UUID]] = {}
    for one, other in never:
        apart.setdefault(one, set()).add(other)
        apart.setdefault(other, set()).add(one)
    for edge in sorted(edges, key=lambda edge: (-edge.weight, edge.one, edge.other)):
        here, there = held.setdefault(edge.one, {edge.one}), held.setdefault(edge.other, {edge.other})
        if here is there or any(apart[record] & there for record in here if record in apart):
            continue
        larger, smaller = (here, there) if len(here) >= len(there) else (there, here)
        larger |= smaller
        held.update(dict.fromkeys(smaller, larger))
    return [frozenset(group) for group in {id(group): group for group in held.values()}.values() if len(group) > 1]


def named(groups: Iterable[Group], before: Mapping[UUID, UUID], fresh: Callable[[], UUID]) -> dict[UUID, UUID]:
    """The cluster of each record, by the clusters that they were in before."""
    shares = sorted(_shares(groups := list(groups), before), key=lambda share: (-share[0], share[1], min(share[2])))
    heirs: dict[UUID, Group] = {}
    for _, cluster, group in shares:
        heirs.setdefault(cluster, group)
    names: dict[Group, UUID] = {}
    for cluster, group in sorted(heirs.items()):
        names.setdefault(group, cluster)
    return {record: name for group in groups for name in [names.get(group) or fresh()] for record in group}


def _shares(groups: Iterable[Group], before: Mapping[UUID, UUID]) -> Iterable[tuple[int, UUID, Group]]:
    """How many records of which earlier cluster are in each group."""
    for group in groups:
        counts: dict[UUID, int] = {}
        for record in group:
            if record in before:
                counts[before[record]] = counts.get(before[record], 0) + 1
        yield from ((count, cluster, group) for cluster, count in counts.items())
