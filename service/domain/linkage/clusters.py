"""Pairs into clusters: what is one and the same with one and the same is one and the same, unless somebody says no."""

from collections.abc import Iterable


def clusters(pairs: Iterable[tuple[int, int]], *, apart: Iterable[tuple[int, int]] = ()) -> list[list[int]]:
    """The connected groups, each sorted, in the order of their first members.

    Give the surest pairs first: a pair that would bring two records together that must stay `apart` is left out.
    """
    parent: dict[int, int] = {}
    kept_from: dict[int, set[int]] = {}
    for one, other in apart:
        kept_from.setdefault(one, set()).add(other)
        kept_from.setdefault(other, set()).add(one)
    members: dict[int, list[int]] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        small, large = (members.get(node, [node]) for node in (second, first))
        if first == second or (kept_from and _kept(small, large, kept_from)):
            continue
        parent[second] = first
        members[first] = large + small
        members.pop(second, None)
    return [sorted(members[first]) for first in sorted(members)]


def _kept(some: list[int], others: list[int], kept_from: dict[int, set[int]]) -> bool:
    return any(not kept_from[node].isdisjoint(others) for node in some if node in kept_from)
