"""What is found about records that are probably one, and what may be refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.domain.duplicates.grouping import Edge
from service.domain.errors import Forbidden, NotFound, Rejected


class NoCluster(NotFound):
    code = "cluster-not-found"
    title = "There is no such cluster of duplicates within the caller's reach."


class NotMarked(NotFound):
    code = "never-merge-not-found"
    title = "There is no such mark on two records within the caller's reach."


class SameRecord(Rejected):
    code = "same-record"
    title = "A mark names two different records."


class BaseReachNeeded(Forbidden):
    code = "base-reach-needed"
    title = "The whole base is searched for duplicates by who reaches all of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Two records that may be one: how sure that is, and by how much each comparison speaks for or against."""

    first_id: UUID
    second_id: UUID
    weight: float
    probability: float
    waterfall: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All records that touched ones hang together with: their clusters so far, their pairs, and the marks on them."""

    before: Mapping[UUID, UUID]
    edges: Sequence[Edge]
    never: Sequence[tuple[UUID, UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """How many records were compared with their like, and how many pairs that gave."""

    records: int = 0
    pairs: int = 0

    def __add__(self, other: "Matched") -> "Matched":
        return Matched(records=self.records + other.records, pairs=self.pairs + other.pairs)
