"""Segments that are kept: live ones follow their rule, static ones are lists, snapshots stay as they were taken."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from graphlib import TopologicalSorter
from typing import Any, Literal
from uuid import UUID

from service.domain.rules.binding import clauses_of
from service.domain.rules.fields import MEMBER
from service.domain.rules.model import AllOf, AnyOf, Asked, Field, Not, Rule

Kind = Literal["live", "static", "snapshot"]
Uses = Mapping[UUID, Set[UUID]]
MOST_IDS = 10_000
MOST_COMPARED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """The rule of a live segment in both forms, and the segments that it asks for, each with its place."""

    rule: Any
    text: str
    uses: Mapping[UUID, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSegment:
    """A segment to be: with a rule it is live, without one a list."""

    name: str
    description: str = ""
    ruled: Ruled | None = None
    customer_ids: Sequence[UUID] = ()


# What rules ask of snapshots, by the first part of a field's name.
SNAPSHOTS = ("rfm", "abc")
SCORED = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A live segment as the refresh sees it: how far it is computed, and for which of the tenant's days.

    `built` by its rule as it is now; `told` of already, so that what moves is news; `snapshots` are those of RFM and
    ABC that it was computed by (0: there was none; None: not known).
    """

    segment_id: UUID
    rule_text: str
    uses: frozenset[UUID]
    built: bool
    told: bool
    place: tuple[int, int]
    computed_on: date | None
    computed_at: datetime | None = None
    snapshots: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A segment whose rule is to be asked; with `tell`, who comes and goes is told in the changes too."""

    segment_id: UUID
    asked: Asked
    tell: bool


def uses_of(rule: Rule, pointer: str = "") -> Iterator[tuple[UUID, str]]:
    """The segments that a checked rule asks for, and where."""
    if isinstance(rule, AllOf | AnyOf):
        for i, one in enumerate(rule.of):
            yield from uses_of(one, f"{pointer}/of/{i}")
    elif isinstance(rule, Not):
        yield from uses_of(rule.rule, f"{pointer}/rule")
    elif isinstance(rule, Field) and rule.field == MEMBER and isinstance(rule.value, tuple):
        for i, value in enumerate(rule.value):
            yield UUID(str(value)), f"{pointer}/value/{i}"


def asks(rule: Rule, family: str) -> bool:
    """Whether a clause is about a field of that family, such as `rfm`."""
    return any(isinstance(one, Field) and one.field.startswith(f"{family}.") for one in clauses_of(rule))


def reached(start: UUID, uses: Uses) -> set[UUID]:
    """All that a segment is built on, itself included."""
    found, waiting = {start}, [start]
    while waiting:
        for one in uses.get(waiting.pop(), ()):
            if one not in found:
                found.add(one)
                waiting.append(one)
    return found


def in_order(segments: Sequence[Live]) -> list[Live]:
    """Each behind those that it is built on."""
    by_id = {one.segment_id: one for one in segments}
    graph = {one.segment_id: one.uses & by_id.keys() for one in segments}
    return [by_id[one] for one in TopologicalSorter(graph).static_order()]
