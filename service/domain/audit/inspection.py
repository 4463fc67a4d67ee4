"""Whether a sealed chain still tells what it told when it was sealed, and if not, where.

A row that was changed or removed no longer has the hash of its seal; a seal that was changed, moved or removed breaks
the chain at its place; a row without a seal that is older than the last seal was put in afterwards. Who rewrites the
chain from some place to its end leaves none of these traces, but contradicts an anchor, and so does a tail that was
cut off. After a break the inspection goes on behind it, so that each place is named, not only the first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from service.domain.audit.chain import link

Kind = Literal[
    "row-changed",
    "row-removed",
    "row-inserted",
    "reason-changed",
    "reason-removed",
    "ledger-changed",
    "seal-changed",
    "seals-removed",
    "chain-rewritten",
    "tail-cut",
]
WORDS: Mapping[Kind, str] = {
    "row-changed": "The row is not the one that was sealed.",
    "row-removed": "The row was sealed and is gone.",
    "row-inserted": "The row was put in later: it is older than the last seal and has none.",
    "reason-changed": "The reason is not the one that was sealed.",
    "reason-removed": "The reason is gone, and no erasure speaks of it.",
    "ledger-changed": "The list of what the row speaks of is not the one that was sealed.",
    "seal-changed": "The chain breaks here: this seal, or the one before it, was changed or moved.",
    "seals-removed": "The seals of these places are gone.",
    "chain-rewritten": "The chain was made anew somewhere in these places: it contradicts a signed anchor.",
    "tail-cut": "These places are gone: a signed anchor names them, and the chain ends before.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A seal beside what is found today: the hash of its row (None: no row), its reason and its ledger."""

    seq: int
    audit_id: UUID
    row_hash: bytes
    chain_hash: bytes
    found: bytes | None
    reason: Literal["kept", "erased", "changed", "removed"] = "kept"
    ledger: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Links of which nothing is to be told: where they end, and the chain at the places that anchors speak of."""

    links: int
    last: int
    chain_hash: bytes
    anchored: Mapping[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it was sealed; from `seq` through `through`, both counted."""

    kind: Kind
    month: date
    seq: int | None = None
    through: int | None = None
    audit_id: UUID | None = None

    @property
    def words(self) -> str:
        return WORDS[self.kind]


class Inspector:
    """Goes along the chain of one month; `before` is the chain at `after`, `anchored` what signed anchors say of it."""

    def __init__(
        self, month: date, *, before: bytes, after: int = 0, anchored: Mapping[int, bytes] | None = None
    ) -> None:
        self._month = month
        # What the next link may hang on: one hash, or after a break each that it may have been.
        self._before = {before}
        self._anchored = anchored or {}
        self._agreed = after
        self._rewritten: tuple[int, int] | None = None
        self.seq = after
        self.checked = 0

    @property
    def before(self) -> bytes | None:
        """What the next link hangs on; None where a break leaves that open."""
        return next(iter(self._before)) if len(self._before) == 1 else None

    def places(self, limit: int) -> Sequence[int]:
        """The anchored places among the next so many."""
        return [seq for seq in self._anchored if self.seq < seq <= self.seq + limit]

    def over(self, stretch: Stretch) -> None:
        """Pass over links that were found to hold, all at once."""
        self._before = {stretch.chain_hash}
        self.seq = stretch.last
        self.checked += stretch.links
        for seq in sorted(stretch.anchored):
            self._compare(seq, stretch.anchored[seq])

    def along(self, links: Iterable[Link]) -> Iterator[Finding]:
        for one in links:
            if one.seq != self.seq + 1:
                yield Finding(kind="seals-removed", month=self._month, seq=self.seq + 1, through=one.seq - 1)
                self._before = set()
            yield from self._look_at(one)
            self.seq = one.seq
            self.checked += 1
            if one.seq in self._anchored:
                self._compare(one.seq, one.chain_hash)

    def _look_at(self, one: Link) -> Iterator[Finding]:
        before = self._before
        seal_changed = False
        if before and not any(link(hash_, one.row_hash) == one.chain_hash for hash_ in before):
            yield self._at("seal-changed", one)
            seal_changed = one.found is not None and any(link(hash_, one.found) == one.chain_hash for hash_ in before)
            self._before = {one.chain_hash} | {link(hash_, one.row_hash) for hash_ in before}
        else:
            self._before = {one.chain_hash}
        if one.found is None:
            yield self._at("row-removed", one)
        elif one.found != one.row_hash and not seal_changed:
            yield self._at("row-changed", one)
        elif one.reason in ("changed", "removed"):
            yield self._at("reason-changed" if one.reason == "changed" else "reason-removed", one)
        elif not one.ledger:
            yield self._at("ledger-changed", one)

    def _at(self, kind: Kind, one: Link) -> Finding:
        return Finding(kind=kind, month=self._month, seq=one.seq, through=one.seq, audit_id=one.audit_id)

    def _compare(self, seq: int, chain_hash: bytes) -> None:
        if self._anchored[seq] == chain_hash:
            self._agreed = seq
            return
        first = self._rewritten[0] if self._rewritten else self._agreed + 1
        self._rewritten = (first, seq)

    def at_the_end(self) -> Iterator[Finding]:
        """What only the anchors can tell, once the whole chain was gone along."""
        if self._rewritten is not None:
            first, last = self._rewritten
            yield Finding(kind="chain-rewritten", month=self._month, seq=first, through=last)
        farthest = max(self._anchored, default=0)
        if farthest > self.seq:
            yield Finding(kind="tail-cut", month=self._month, seq=self.seq + 1, through=farthest)


def without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """A row whose transaction was changed has no seal under its new one: that is the same finding, told twice."""
    changed = {one.audit_id for one in findings if one.kind == "row-changed"}
    return [one for one in findings if not (one.kind == "row-inserted" and one.audit_id in changed)]
