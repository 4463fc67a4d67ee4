"""What is known of a person's work, day by day, and what a signal says of it: numbers and ids, never a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID


class Kind(StrEnum):
    CANARY = "canary"
    COVERAGE = "coverage"
    NIGHT = "night"
    REASSIGNMENT = "reassignment"
    SEARCHES = "searches_without_sales"
    SWEEP = "sweep"
    CROSSINGS = "token_in_two_places"
    VOLUME = "volume"


class Severity(StrEnum):
    NOTICE = "notice"  # worth a look in passing
    ALERT = "alert"  # somebody should ask today


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of one person, in the tenant's time zone."""

    day: date
    cards: int = 0  # distinct records looked at, contacts masked
    reveals: int = 0  # distinct records looked at in clear
    searches: int = 0
    pages: int = 0  # pages of lists beyond the first ones
    night: int = 0  # looks between ten in the evening and six in the morning
    letters: int = 0  # distinct first letters that were searched for
    segments: int = 0  # distinct slices of the base that were listed
    reassigned: int = 0
    exported: int = 0
    sales: int = 0  # orders of the person's own customers
    crossings: int = 0  # times that a token was back at an address while another one used it
    covered: int = 0  # distinct records in clear within the thirty days that end here

    @property
    def worked(self) -> bool:
        return bool(self.cards or self.reveals or self.searches or self.reassigned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose day is judged: the own records, and the days before, oldest first."""

    staff_id: UUID
    base: int
    before: Sequence[Day]
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """What the others do: how much more than usual today, and what is usual for one of them in a day."""

    rush: Mapping[str, float]
    usual: Mapping[str, float]


NOBODY = Peers(rush={}, usual={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    kind: Kind
    severity: Severity
    parts: Mapping[str, Any]


def sentence(kind: str, parts: Mapping[str, Any]) -> str:
    """A signal in words: `412 cards in a day, usually 38`."""
    seen, usually = parts.get("seen"), parts.get("usual")
    days = int(parts.get("days", 1))
    span = "in a day" if days == 1 else f"in {days} days"
    match kind:
        case Kind.CANARY:
            records = "1 canary" if seen == 1 else f"{seen} canaries"
            return f"{records} touched by {parts.get('by', 'reveal')}, {parts.get('recently', seen)} in 30 days"
        case Kind.COVERAGE:
            return f"{seen} % of the own base seen in clear in 30 days, usually {usually} %"
        case Kind.SEARCHES:
            return f"{seen} searches {span} with {parts.get('sales', 0)} sales, usually {usually} searches"
        case _:
            return f"{seen} {parts.get('what', 'records')} {span}, usually {usually}"
