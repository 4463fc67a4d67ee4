"""What a successor should know of a portfolio: whose birthday comes, who is due to order, who is about to be lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

HORIZON_DAYS = 30
AT_RISK_GROUPS = ("at_risk", "cant_lose", "about_to_sleep")
NO_QUALITY = "Data quality is not scanned by this version; null does not mean that there are no issues."


def next_birthday(born: date, today: date) -> date:
    """The first birthday from today on; who was born on 29 February has it on the 28th of other years."""
    this_year = _in_year(born, today.year)
    return this_year if this_year >= today else _in_year(born, today.year + 1)


def _in_year(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def expected_on(first_on: date, last_on: date, orders: int) -> date | None:
    """The last order plus the mean interval in whole days (rounded down); None without an interval."""
    if orders < 2 or first_on >= last_on:
        return None
    return last_on + timedelta(days=max(1, (last_on - first_on).days // (orders - 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """Whose records: one curator's, or those that a hand-over moved (to one of its receivers)."""

    staff_id: UUID | None = None
    assignment_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """Who answered for a record, from when until when (None: still); by whom it was decided."""

    since: datetime
    until: datetime | None
    curator_id: UUID | None
    team_id: UUID | None
    decided_by: UUID | None
    assignment_id: UUID | None


def tenures(created_at: datetime, present: Mapping[str, Any], moves: Sequence[Mapping[str, Any]]) -> list[Tenure]:
    """The history of a record, newest first, from its moves, oldest first; what was before the first move is known
    from where that one took it."""
    first = moves[0] if moves else {"from_curator_id": present["curator_id"], "from_team_id": present["team_id"]}
    starts = [created_at, *(move["at"] for move in moves)]
    ends = [*starts[1:], None]
    holders = [(first["from_curator_id"], first["from_team_id"], None, None)]
    holders += [(one["curator_id"], one["team_id"], one["staff_id"], one["assignment_id"]) for one in moves]
    found = [
        Tenure(since=since, until=until, curator_id=curator, team_id=team, decided_by=by, assignment_id=assignment)
        for since, until, (curator, team, by, assignment) in zip(starts, ends, holders, strict=True)
    ]
    return found[::-1]
