"""Who looks at what, counted in the process: masked looks are no line of the audit trail, and cost a read nothing here.

A tally is a few numbers and bits, so memory is bounded by the number of people. What is counted is handed over every
few seconds; a process that is killed loses those seconds of it.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from uuid import UUID

from service.domain.access import Principal
from service.domain.leaks.crossings import Crossings

BITS = 4096
_PEOPLE = 20_000
_SLOTS = 63


@dataclass(slots=True)
class Tally:
    """What one person has done since the last hand-over."""

    cards: int = 0
    searches: int = 0
    pages: int = 0
    letters: int = 0
    segments: int = 0
    seen: int = 0
    crossings: int = 0

    def add(self, other: "Tally") -> None:
        self.cards += other.cards
        self.searches += other.searches
        self.pages += other.pages
        self.letters |= other.letters
        self.segments |= other.segments
        self.seen |= other.seen
        self.crossings += other.crossings


Tallies = dict[tuple[int, UUID], Tally]


class Activity:
    def __init__(self) -> None:
        self._tallies: Tallies = {}
        self._crossings = Crossings()

    def card(self, principal: Principal, customer_id: UUID) -> None:
        """A record was looked at, contacts masked."""
        tally = self._of(principal)
        tally.cards += 1
        tally.seen |= 1 << (customer_id.int & (BITS - 1))

    def came(self, principal: Principal, token_id: str, address: str) -> None:
        """A token was used from there."""
        if self._crossings.back((principal.tenant_id, token_id), address):
            self._of(principal).crossings += 1

    def listed(self, principal: Principal, word: str | None, filters: Mapping[str, object], *, further: bool) -> None:
        """A page of a list was looked at: by a word, a slice of the base, or page by page."""
        tally = self._of(principal)
        if further:
            tally.pages += 1
        elif word:
            tally.searches += 1
            tally.letters |= 1 << ord(word[0].lower()) % _SLOTS
        for name, value in filters.items():
            tally.segments |= 1 << zlib.crc32(f"{name}={value}".encode(errors="replace")) % _SLOTS

    def take(self) -> Tallies:
        """What was counted since the last time."""
        taken, self._tallies = self._tallies, {}
        return taken

    def give_back(self, taken: Tallies) -> None:
        """What could not be handed over; it goes with the next."""
        for key, tally in taken.items():
            held = self._tallies.get(key)
            if held is not None:
                held.add(tally)
            elif len(self._tallies) < _PEOPLE:
                self._tallies[key] = tally

    def _of(self, principal: Principal) -> Tally:
        key = (principal.tenant_id, principal.staff_id)
        tally = self._tallies.get(key)
        if tally is None:
            tally = Tally()
            if len(self._tallies) < _PEOPLE:
                self._tallies[key] = tally
        return tally


def distinct(ones: int) -> int:
    """How many distinct ids have set so many of the bits; within two in a hundred up to several thousand."""
    return round(-BITS * log((BITS - min(ones, BITS - 1)) / BITS))
