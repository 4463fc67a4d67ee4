"""Why a customer is meant or not: the clauses that decided, found from the truth of each.

Where `all` holds, every member decided, where it fails, those that fail; `any` is the other way round. A clause decided
when everything around it up to the whole rule did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.rules.model import AllOf, AnyOf, Clause, Not, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A clause, its place in the rule, whether it holds and decided, and the value that it looked at."""

    clause: Clause
    pointer: str
    met: bool
    decisive: bool
    value: Any


def verdicts(rule: Rule, judged: Sequence[tuple[bool, Any]]) -> tuple[bool, list[Verdict]]:
    """Whether the rule holds, and the verdict on each clause, in their order."""
    node = _node(rule, iter(judged), "")
    return node.met, list(_told(node, True))


@dataclass(frozen=True, slots=True)
class _Node:
    rule: Rule
    pointer: str
    met: bool
    value: Any
    members: "tuple[_Node, ...]" = ()


def _node(rule: Rule, judged: Iterator[tuple[bool, Any]], pointer: str) -> _Node:
    match rule:
        case AllOf() | AnyOf():
            members = tuple(_node(one, judged, f"{pointer}/of/{i}") for i, one in enumerate(rule.of))
            together = all if isinstance(rule, AllOf) else any
            return _Node(rule, pointer, together(one.met for one in members), None, members)
        case Not():
            inner = _node(rule.rule, judged, f"{pointer}/rule")
            return _Node(rule, pointer, not inner.met, None, (inner,))
    met, value = next(judged)
    return _Node(rule, pointer, met, value)


def _told(node: _Node, decisive: bool) -> Iterator[Verdict]:
    rule = node.rule
    if not isinstance(rule, AllOf | AnyOf | Not):
        yield Verdict(clause=rule, pointer=node.pointer, met=node.met, decisive=decisive, value=node.value)
    for one in node.members:
        yield from _told(one, decisive and (isinstance(rule, Not) or one.met == node.met))
