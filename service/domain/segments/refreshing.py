"""Live segments follow the base: of what has changed, and of whom a new day may have turned, each rule is asked again.

One tenant is one transaction on one snapshot of the whole base. What was written up to its horizon is known then; what
was still being written is told of next time, so nobody is missed. Segments are asked behind those they are built on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from service.domain.access import Principal, Reach, Scope
from service.domain.errors import Rejected
from service.domain.ports import Clock, UnitOfWork
from service.domain.rules.binding import bind
from service.domain.rules.fields import Catalogue
from service.domain.rules.model import Asked, Rule
from service.domain.rules.parsing import parse
from service.domain.segments.model import SCORED, SNAPSHOTS, Due, Live, asks, in_order
from service.domain.segments.ports import RefreshTransaction, Round, SegmentRefreshing
from service.domain.segments.turning import turned, turns

# With so many changed, all are asked at once.
MOST_CHANGED = 20_000
_TIMEOUT_MS = 900_000
# A chain of segments settles in as many rounds as it is long, for each round tells the next of what it has moved.
_MOST_ROUNDS = 20
# So many rules make one statement: what is asked of few customers is sooner answered than planned.
_MOST_TOGETHER = 25
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """How many segments were asked, and how many customers came or went."""

    segments: int = 0
    moved: int = 0

    def __add__(self, other: "Refreshed") -> "Refreshed":
        return Refreshed(segments=self.segments + other.segments, moved=self.moved + other.moved)


def system(tenant_id: int) -> Principal:
    """The service itself within one tenant: it reaches all records, for a segment is of the tenant."""
    return Principal(
        tenant_id=tenant_id,
        tenant="",
        staff_id=_NOBODY,
        subject="segments",
        kind="system",
        reach=Reach.TENANT,
        scopes=frozenset(),
    )


class SegmentRefresher:
    def __init__(
        self,
        uow: UnitOfWork[RefreshTransaction],
        clock: Clock,
        tenants: Callable[[], Awaitable[Sequence[int]]],
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._tenants = tenants

    async def refresh(self) -> Refreshed:
        """Once through all tenants. Raises Unavailable."""
        done = Refreshed()
        for tenant_id in await self._tenants():
            done += await self.refresh_tenant(tenant_id)
        return done

    async def refresh_tenant(self, tenant_id: int) -> Refreshed:
        """What has changed since, until nothing moves any more."""
        done = Refreshed()
        for _ in range(_MOST_ROUNDS):
            one = await self._round(tenant_id, whole=False)
            done += one
            if not one.moved:
                break
        return done

    async def rebuild_tenant(self, tenant_id: int) -> Refreshed:
        """Every segment asked of everybody, whatever is known of changes."""
        return await self._round(tenant_id, whole=True)

    async def _round(self, tenant_id: int, *, whole: bool) -> Refreshed:
        async with self._uow.begin(system(tenant_id), snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            refreshing = tx.segment_refreshing
            begun = await refreshing.begin()
            if begun is None or not begun.segments:
                return Refreshed()
            catalogue = Catalogue.of(await tx.attributes.all())
            done = await _Work(refreshing, begun, catalogue, self._clock.today(begun.time_zone), whole).carried_out()
            await tx.commit()
        return done


@lru_cache(maxsize=2_000)
def _parsed(text: str) -> Rule:
    return parse(text).rule


@dataclass(slots=True, kw_only=True)
class _Together:
    """Segments that are asked of the same customers, none of them built on another of them."""

    among: Sequence[UUID] | None = None
    due: list[Due] = field(default_factory=list)

    def takes(self, segment: Live, among: Sequence[UUID] | None) -> bool:
        """All customers at once are work enough for one segment."""
        return (
            among is not None
            and among == self.among
            and len(self.due) < _MOST_TOGETHER
            and segment.uses.isdisjoint(one.segment_id for one in self.due)
        )


class _Work:
    """One round of one tenant."""

    def __init__(
        self, refreshing: SegmentRefreshing, begun: Round, catalogue: Catalogue, today: date, whole: bool
    ) -> None:
        self._refreshing = refreshing
        self._begun = begun
        self._catalogue = catalogue
        self._today = today
        self._whole = whole
        self._changed: dict[tuple[int, int], Sequence[UUID]] = {}
        self._scored: dict[datetime, set[UUID]] = {}
        self._moved: dict[tuple[str, int], set[UUID] | None] = {}

    async def carried_out(self) -> Refreshed:
        computed: list[UUID] = []
        turning: list[UUID] = []
        asked_of, moved = 0, 0
        anew = False
        together = _Together()
        for segment in in_order(self._begun.segments):
            asked = await self._asked(segment)
            if asked is None:
                continue
            among = await self._among(segment, asked)
            if among is None or among:
                if not together.takes(segment, among):
                    moved += await self._evaluated(together)
                    together = _Together(among=among)
                together.due.append(Due(segment_id=segment.segment_id, asked=asked, tell=segment.told))
                asked_of += 1
            computed.append(segment.segment_id)
            anew = anew or segment.computed_on != self._today or segment.snapshots != self._begun.snapshots
            if turns(asked.rule):
                turning.append(segment.segment_id)
        moved += await self._evaluated(together)
        if asked_of or self._begun.aged or anew:
            await self._refreshing.computed(computed, turning, self._begun.horizon, self._today)
        return Refreshed(segments=asked_of, moved=moved)

    async def _evaluated(self, together: _Together) -> int:
        return await self._refreshing.evaluate(together.due, together.among) if together.due else 0

    async def _asked(self, segment: Live) -> Asked | None:
        """Its rule on today; None for one that can't be asked any more, since a field of it was taken away."""
        begun = self._begun
        try:
            rule = bind(_parsed(segment.rule_text), self._catalogue, frozenset(Scope), self._today)
        except Rejected:
            await self._refreshing.broken(segment.segment_id)
            return None
        return Asked(
            rule=rule,
            catalogue=self._catalogue,
            today=self._today,
            time_zone=begun.time_zone,
            currency=begun.currency,
        )

    async def _judged(self, segment: Live, rule: Rule) -> set[UUID] | None:
        """Who is of another class, or has another score, than when the segment was computed; None: perhaps anybody."""
        found: set[UUID] = set()
        for family in SNAPSHOTS:
            before, after = segment.snapshots.get(family), self._begun.snapshots[family]
            if before == after or not asks(rule, family):
                continue
            moved = None if before is None else await self._judged_anew(family, before, after)
            if moved is None:
                return None
            found |= moved
        if segment.computed_at is not None and asks(rule, SCORED):
            found |= await self._scored_since(segment.computed_at)
        return found

    async def _scored_since(self, moment: datetime) -> set[UUID]:
        if moment not in self._scored:
            self._scored[moment] = set(await self._refreshing.scored_since(moment, MOST_CHANGED + 1))
        return self._scored[moment]

    async def _judged_anew(self, family: str, before: int, after: int) -> set[UUID] | None:
        if (family, before) not in self._moved:
            moved = await self._refreshing.judged_anew(family, before, after, MOST_CHANGED + 1)
            self._moved[family, before] = None if moved is None else set(moved)
        return self._moved[family, before]

    async def _among(self, segment: Live, asked: Asked) -> Sequence[UUID] | None:
        """Who is to be asked; None for everybody."""
        if self._whole or not segment.built:
            return None
        if segment.place not in self._changed:
            self._changed[segment.place] = await self._refreshing.changed(segment.place, MOST_CHANGED + 1)
        found = set(self._changed[segment.place])
        judged = await self._judged(segment, asked.rule)
        if judged is None:
            return None
        found |= judged
        if segment.computed_on is not None and segment.computed_on != self._today and turns(asked.rule):
            day = turned(asked.rule, segment.computed_on, self._today)
            if day.everybody:
                return None
            found |= set(await self._refreshing.turned(asked, day, MOST_CHANGED + 1))
        return sorted(found) if len(found) <= MOST_CHANGED else None
