"""Who may hand over what, to whom, and how a portfolio is dealt out.

Places of a spread: by customer id for `round_robin`, by falling revenue (ties by id) for `balanced`. Round robin deals
place by place; balanced deals there and back (1 2 3, 3 2 1, 1 2 3 …), so that the numbers of records differ by one at
most and the sums by no more than the largest revenue differs from the smallest. What the receivers had before does not
count. The database deals a million records by the same arithmetic; a property test holds the two equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.assignments.errors import LeadNeeded, OutsideOwnTeams, ReceiverUnfit, TargetUnclear
from service.domain.rules.binding import told
from service.domain.rules.model import Asked


class Spread(StrEnum):
    ROUND_ROBIN = "round_robin"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records: all that is given must hold. `unassigned` is the pool: neither curator nor team."""

    filters: Mapping[str, object] = field(default_factory=dict)
    customer_ids: tuple[UUID, ...] | None = None
    unassigned: bool = False
    rule: Asked | None = None

    @property
    def empty(self) -> bool:
        return not self.filters and self.customer_ids is None and not self.unassigned and self.rule is None

    @property
    def told(self) -> dict[str, Any]:
        """What is kept of it; the ids themselves stand in the history of each record."""
        kept: dict[str, Any] = {name: str(value) for name, value in self.filters.items()}
        if self.customer_ids is not None:
            kept["customer_ids"] = len(self.customer_ids)
        if self.rule is not None:
            kept["rule"] = told(self.rule.rule)
        return kept | ({"unassigned": True} if self.unassigned else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """To a person, to a team without a curator, over a team's members, or back into the pool."""

    curator_id: UUID | None = None
    team_id: UUID | None = None
    spread: Spread | None = None
    unassigned: bool = False

    def __post_init__(self) -> None:
        named = self.curator_id is not None or self.team_id is not None
        if self.unassigned == named or (self.spread and (self.curator_id or not self.team_id)):
            raise TargetUnclear(pointer="/to")

    @property
    def told(self) -> dict[str, Any]:
        given = {"curator_id": self.curator_id, "team_id": self.team_id, "spread": self.spread}
        kept: dict[str, Any] = {name: str(value) for name, value in given.items() if value is not None}
        return kept | ({"unassigned": True} if self.unassigned else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of the staff, as far as receiving records goes."""

    staff_id: UUID
    name: str
    active: bool
    teams: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where a record goes: a curator and a team, either of them or none."""

    curator_id: UUID | None = None
    team_id: UUID | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far the hand of the caller reaches: the whole tenant (None), or his teams and the pool."""

    teams: tuple[UUID, ...] | None = None

    def hold(self, team_id: UUID | None) -> bool:
        return self.teams is None or team_id in self.teams


def bounds_of(principal: Principal) -> Bounds:
    """Raises LeadNeeded for those who see their own portfolio only."""
    if principal.reach is Reach.TENANT:
        return Bounds()
    if principal.reach is Reach.TEAM and principal.teams:
        return Bounds(teams=principal.teams)
    raise LeadNeeded


def receivers(
    target: Target,
    bounds: Bounds,
    *,
    person: Person | None = None,
    members: Sequence[Person] = (),
    giving: UUID | None = None,
) -> tuple[Receiver, ...]:
    """Where the records go, in the order in which they are dealt; refuses whoever may not receive them.

    `members` are those of the team when records are spread; whoever gives his portfolio away receives none of it.
    """
    if target.spread is not None:
        found = [one for one in members if one.active and one.staff_id != giving]
        if not found:
            raise ReceiverUnfit("The team has no active member to receive records.", pointer="/to/team_id")
        chosen = [
            Receiver(curator_id=one.staff_id, team_id=target.team_id, name=one.name)
            for one in sorted(found, key=lambda one: one.staff_id)
        ]
    elif target.curator_id is not None:
        chosen = [_to_person(target, person)]
    else:
        chosen = [Receiver(team_id=target.team_id)]
    if not bounds.hold(chosen[0].team_id):
        raise OutsideOwnTeams(pointer="/to")
    return tuple(chosen)


def _to_person(target: Target, person: Person | None) -> Receiver:
    if person is None or not person.active:
        raise ReceiverUnfit(pointer="/to/curator_id")
    team_id = target.team_id
    if team_id is None:
        if len(person.teams) > 1:
            raise TargetUnclear("The person is in several teams; name one of them.", pointer="/to/team_id")
        team_id = next(iter(person.teams), None)
    elif team_id not in person.teams:
        raise ReceiverUnfit("The person is not a member of this team.", pointer="/to/team_id")
    return Receiver(curator_id=person.staff_id, team_id=team_id, name=person.name)


def dealt(place: int, receivers: int, spread: Spread) -> int:
    """Who of so many receivers gets the record at a place, both counted from 0."""
    turn, seat = divmod(place, receivers)
    return receivers - 1 - seat if spread is Spread.BALANCED and turn % 2 else seat
