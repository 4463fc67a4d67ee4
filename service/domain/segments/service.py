"""Segments as people keep them. Rules are checked at save: what they ask for is there, and none is built on itself."""

from collections import Counter
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.errors import Precondition
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.ports import UnitOfWork
from service.domain.rules.errors import BadRule, RuleTooLarge
from service.domain.rules.model import Asked
from service.domain.rules.parsing import LONGEST_TEXT
from service.domain.rules.printing import printed
from service.domain.rules.service import Places
from service.domain.segments.errors import NoSegment, NotListed, NotRuled, SegmentCycle, SegmentInUse
from service.domain.segments.listing import listed
from service.domain.segments.model import NewSegment, Ruled, Uses, reached, uses_of
from service.domain.segments.ports import SegmentsTransaction

_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A rule as it was sent and as it was understood; `json` is its form on the wire."""

    asked: Asked
    places: Places
    json: Any

    def ruled(self) -> Ruled:
        """Raises RuleTooLarge for a rule whose text could not be read again."""
        text = printed(self.asked.rule)
        if len(text) > LONGEST_TEXT:
            detail = f"A rule that is kept may have {LONGEST_TEXT} characters as text."
            raise self.places.told(RuleTooLarge(detail, pointer=self.places.at))
        uses = dict(uses_of(self.places.rule, self.places.at))
        return Ruled(rule=self.json, text=text, uses=uses)


class SegmentService:
    def __init__(self, uow: UnitOfWork[SegmentsTransaction]) -> None:
        self._uow = uow

    async def create(
        self, principal: Principal, segment: NewSegment, given: Given | None, once: Once | None = None
    ) -> UUID:
        """A live segment is computed by the worker within seconds. Raises NameTaken, BadRule, SegmentCycle."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            known = await tx.idempotency.recall(once)
            if known:
                return UUID(known["segment_id"])
            segment_id = new_id()
            if given:
                _refuse_loose_ends(segment_id, given, await tx.saved_segments.uses())
            await tx.saved_segments.add(segment_id, segment)
            if segment.customer_ids:
                await tx.saved_segments.edit(segment_id, segment.customer_ids, ())
            kind = "live" if given else "static"
            await tx.journal.audit("segments.create", "segment", segment_id, kind=kind, touched=segment.customer_ids)
            await tx.idempotency.remember(once, 201, {"segment_id": str(segment_id)})
            await tx.commit()
        return segment_id

    async def change(
        self,
        principal: Principal,
        segment_id: UUID,
        changes: Mapping[str, str],
        given: Given | None,
        *,
        expected: int | None,
    ) -> None:
        """Another name, description or rule. Raises NoSegment, NotRuled, Precondition, NameTaken, SegmentCycle."""
        async with self._uow.begin(principal) as tx:
            uses = await tx.saved_segments.uses()
            kind, version = await _known(tx, segment_id)
            if expected is not None and version != expected:
                raise Precondition
            if given:
                if kind != "live":
                    raise NotRuled
                _refuse_loose_ends(segment_id, given, uses)
            await tx.saved_segments.change(segment_id, changes, given.ruled() if given else None)
            changed = sorted([*changes, *(["rule"] if given else [])])
            await tx.journal.audit("segments.update", "segment", segment_id, changed=changed)
            await tx.commit()

    async def remove(self, principal: Principal, segment_id: UUID, *, expected: int | None) -> None:
        """Raises NoSegment, SegmentInUse, Precondition."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            uses = await tx.saved_segments.uses()
            _, version = await _known(tx, segment_id)
            if expected is not None and version != expected:
                raise Precondition
            if any(segment_id in used for used in uses.values()):
                raise SegmentInUse
            await tx.saved_segments.remove(segment_id)
            await tx.journal.audit("segments.delete", "segment", segment_id)
            await tx.commit()

    async def edit(
        self,
        principal: Principal,
        segment_id: UUID,
        *,
        add: Sequence[UUID],
        remove: Sequence[UUID],
        once: Once | None = None,
    ) -> Mapping[str, int]:
        """Put customers on a list and take others off it; who is not within reach is not there. Raises NotListed."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            answer: Mapping[str, int] | None = await tx.idempotency.recall(once)
            if answer is None:
                kind, _ = await _known(tx, segment_id)
                if kind != "static":
                    raise NotListed
                added, removed = await tx.saved_segments.edit(segment_id, add, remove)
                answer = {"added": added, "removed": removed}
                await tx.journal.audit("segments.edit_members", "segment", segment_id, touched=(*add, *remove))
                await tx.idempotency.remember(once, 200, answer)
                await tx.commit()
        return answer

    async def upload(
        self,
        principal: Principal,
        segment_id: UUID,
        pieces: AsyncIterable[bytes],
        *,
        source: str | None,
        remove: bool,
        once: Once | None = None,
    ) -> Mapping[str, int]:
        """Put those whose ids stand in a file on a list, or take them off it; all of them or, on a fault, none.

        Raises NotListed, ListUnreadable.
        """
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            answer: Mapping[str, int] | None = await tx.idempotency.recall(once)
            if answer is None:
                kind, _ = await _known(tx, segment_id)
                if kind != "static":
                    raise NotListed
                answer, touched = await _edited(tx, segment_id, listed(pieces, ours=source is None), source, remove)
                await tx.journal.audit("segments.upload_members", "segment", segment_id, touched=touched)
                await tx.idempotency.remember(once, 200, answer)
                await tx.commit()
        return answer

    async def freeze(
        self, principal: Principal, source_id: UUID, name: str, as_of: datetime | None, once: Once | None = None
    ) -> UUID:
        """A snapshot of the members in reach, as they are or were. Raises NoSegment, NameTaken."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            known = await tx.idempotency.recall(once)
            if known:
                return UUID(known["segment_id"])
            await _known(tx, source_id)
            segment_id = new_id()
            members = await tx.saved_segments.freeze(segment_id, name, source_id, as_of)
            await tx.journal.audit("segments.freeze", "segment", segment_id, records=members, source_id=str(source_id))
            await tx.idempotency.remember(once, 201, {"segment_id": str(segment_id)})
            await tx.commit()
        return segment_id


async def _edited(
    tx: SegmentsTransaction, segment_id: UUID, batches: AsyncIterable[Sequence[str]], source: str | None, remove: bool
) -> tuple[Mapping[str, int], Sequence[UUID]]:
    """What came of the list, and who was on it."""
    touched: list[UUID] = []
    done = Counter(added=0, removed=0, unknown=0)
    async for ids in batches:
        known = await tx.saved_segments.known(ids, source)
        meant = list(known.values())
        added, removed = await tx.saved_segments.edit(segment_id, () if remove else meant, meant if remove else ())
        done.update(added=added, removed=removed, unknown=len(ids) - len(known))
        touched += meant
    return done, touched


async def _known(tx: SegmentsTransaction, segment_id: UUID) -> tuple[str, int]:
    found = await tx.saved_segments.version(segment_id)
    if found is None:
        raise NoSegment
    return found


def _refuse_loose_ends(segment_id: UUID, given: Given, uses: Uses) -> None:
    """Each segment that the rule asks for is there, and not built on this one."""
    for used, pointer in given.ruled().uses.items():
        if used != segment_id and used not in uses:
            raise _at(given, BadRule, f"There is no segment {used}.", pointer)
        if segment_id in reached(used, uses):
            raise _at(given, SegmentCycle, SegmentCycle.title, pointer)


def _at(given: Given, kind: type[BadRule] | type[SegmentCycle], detail: str, pointer: str) -> Exception:
    return given.places.told(kind(detail, pointer=pointer, errors=[{"pointer": pointer, "detail": detail}]))
