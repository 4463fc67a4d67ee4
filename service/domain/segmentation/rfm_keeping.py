"""RFM over time: snapshots made on request and each night, what has moved between two, schemes kept and compared, and
what would move one customer."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from service.domain.access import Principal, Reach, Scope
from service.domain.customers.errors import NoCustomer
from service.domain.errors import DomainError, Precondition
from service.domain.idempotency import Once
from service.domain.ports import Clock, UnitOfWork
from service.domain.segmentation.abc_service import AbcService
from service.domain.segmentation.ports import RfmTransaction
from service.domain.segmentation.rfm import Cuts, Tiles
from service.domain.segmentation.rfm_next import Outlook, Standing, outlook
from service.domain.segmentation.rfm_report import cuts_used
from service.domain.segmentation.rfm_schemes import (
    MOST_SCHEMES,
    NoScheme,
    OfScheme,
    SavedScheme,
    SchemeInRules,
    TooManySchemes,
    WithoutCuts,
)
from service.domain.segmentation.rfm_snapshots import (
    MOST_SNAPSHOTS,
    NIGHT_ENDS_AT,
    Comparison,
    Migration,
    NoSnapshot,
    Snapshot,
    TooManySnapshots,
    comparison,
    outlived,
)
from service.domain.segmentation.scoring import scoring
from service.domain.staff import administer

_TIMEOUT_MS = 60_000
_NIGHT_TIMEOUT_MS = 600_000
_SWEPT_AT_ONCE = 50_000
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What a night has brought a tenant: snapshots of RFM, those that failed (by code), scores taken away, and whether
    there are new classes of ABC."""

    taken: tuple[int, ...] = ()
    failed: tuple[str, ...] = ()
    swept: int = 0
    classes: bool = False


class RfmService:
    def __init__(self, uow: UnitOfWork[RfmTransaction], clock: Clock, classes: AbcService) -> None:
        self._uow = uow
        self._clock = clock
        self._classes = classes

    async def save(self, principal: Principal, scheme: SavedScheme, *, once: Once | None = None) -> SavedScheme:
        """A new scheme. Raises NameTaken, TooManySchemes."""
        administer(principal)
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return await _scheme(tx, UUID(known["scheme_id"]))
            if len(await tx.rfm_schemes.all()) >= MOST_SCHEMES:
                raise TooManySchemes
            await tx.rfm_schemes.add(scheme)
            saved = await _scheme(tx, scheme.scheme_id)
            await tx.journal.audit("rfm.create_scheme", "rfm_scheme", scheme.scheme_id, name=scheme.name)
            await tx.idempotency.remember(once, 201, {"scheme_id": str(scheme.scheme_id)})
            await tx.commit()
        return saved

    async def change(self, principal: Principal, scheme: SavedScheme) -> SavedScheme:
        """In place of its version. Raises NoScheme, NameTaken, SchemeInRules, Precondition."""
        administer(principal)
        async with self._uow.begin(principal) as tx:
            before = await _scheme(tx, scheme.scheme_id)
            if before.in_rules and not scheme.in_rules:
                raise SchemeInRules
            if not await tx.rfm_schemes.change(scheme):
                raise Precondition
            saved = await _scheme(tx, scheme.scheme_id)
            await tx.journal.audit("rfm.update_scheme", "rfm_scheme", scheme.scheme_id, name=scheme.name)
            await tx.commit()
        return saved

    async def drop(self, principal: Principal, scheme_id: UUID) -> None:
        """The scheme and its snapshots. Raises NoScheme, SchemeInRules."""
        administer(principal)
        async with self._uow.begin(principal) as tx:
            if (await _scheme(tx, scheme_id)).in_rules:
                raise SchemeInRules
            await tx.rfm_schemes.drop(scheme_id)
            await tx.journal.audit("rfm.delete_scheme", "rfm_scheme", scheme_id)
            await tx.commit()

    async def take(
        self, principal: Principal, wanted: OfScheme, *, once: Once | None = None, scheduled: bool = False
    ) -> Snapshot:
        """A snapshot of the whole tenant. Raises NoScheme, SnapshotUnderWay, TooManySnapshots."""
        administer(principal)
        today = self._clock.today(principal.time_zone)
        timeout = _NIGHT_TIMEOUT_MS if scheduled else _TIMEOUT_MS
        async with self._uow.begin(principal, snapshot=True, timeout_ms=timeout) as tx:
            if known := await tx.idempotency.recall(once):
                return await _snapshot(tx, known["snapshot_id"])
            if len(await tx.rfm_snapshots.everything()) >= MOST_SNAPSHOTS:
                raise TooManySnapshots
            found = await scoring(tx, principal, today, wanted)
            used = cuts_used(found.scores, found.basis.as_of)
            in_rules = await _for_rules(tx) == wanted.scheme_id
            taken = await tx.rfm_snapshots.take(found, wanted.scheme_id, used, in_rules=in_rules, scheduled=scheduled)
            if not scheduled:
                await tx.journal.audit("rfm.take_snapshot", "rfm_snapshot", records=taken.customers)
            await tx.idempotency.remember(once, 201, {"snapshot_id": taken.snapshot_id})
            await tx.commit()
        return taken

    async def nightly(self, tenant_id: int) -> Night:
        """Once the night has come to the tenant: today's snapshots that are missing, and the end of old ones."""
        keeper = _keeper(tenant_id)
        async with self._uow.begin(keeper) as tx:
            time_zone, currency, sells = await tx.rfm_snapshots.here()
            schemes = await tx.rfm_schemes.all()
            kept = await tx.rfm_snapshots.everything()
        keeper = replace(keeper, time_zone=time_zone, currency=currency)
        now = self._clock.now().astimezone(ZoneInfo(time_zone))
        if not sells or now.hour < NIGHT_ENDS_AT:
            return Night()
        made = {one.scheme_id for one in kept if one.scheduled and one.as_of == now.date()}
        usual = [] if any(one.in_rules for one in schemes) else [None]
        due = [one for one in (*usual, *(scheme.scheme_id for scheme in schemes)) if one not in made]
        taken, failed = [], []
        for scheme_id in due:
            try:
                taken.append((await self.take(keeper, OfScheme(scheme_id=scheme_id), scheduled=True)).snapshot_id)
            except DomainError as error:
                failed.append(error.code)
        classes = False
        try:
            classes = await self._classes.nightly(keeper, now.date())
        except DomainError as error:
            failed.append(error.code)
        swept = await self._tidy(keeper, kept, now.date())
        return Night(taken=tuple(taken), failed=tuple(failed), swept=swept, classes=classes)

    async def _tidy(self, keeper: Principal, kept: list[Snapshot], today: date) -> int:
        old, swept = outlived(kept, today), 0
        while True:
            async with self._uow.begin(keeper, timeout_ms=_TIMEOUT_MS) as tx:
                await tx.rfm_snapshots.drop(old)
                batch = await tx.rfm_snapshots.sweep(_SWEPT_AT_ONCE)
                await tx.commit()
            swept += batch
            if batch < _SWEPT_AT_ONCE:
                return swept

    async def migration(
        self, principal: Principal, scheme_id: UUID | None, before: int | date | None, after: int | date | None
    ) -> Migration:
        """Who was in which group then and is where now; without places the last two snapshots."""
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            if scheme_id is not None:
                await _scheme(tx, scheme_id)
            last = await tx.rfm_snapshots.page(scheme_id, limit=2)
            end = await _placed(tx, scheme_id, after) if after is not None else last[0] if last else None
            start = await _placed(tx, scheme_id, before) if before is not None else last[-1] if last else None
            if start is None or end is None:
                raise NoSnapshot
            moves = await tx.rfm_snapshots.moves(start, end)
        return Migration(before=start, after=end, moves=tuple(moves))

    async def compare(self, principal: Principal, one: OfScheme, other: OfScheme) -> Comparison:
        """Two schemes over what the caller reaches, now."""
        today = self._clock.today(principal.time_zone)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            a, b = await scoring(tx, principal, today, one), await scoring(tx, principal, today, other)
            moves = await tx.rfm_snapshots.compare(a, b)
        return comparison(a.basis.as_of, moves)

    async def next(self, principal: Principal, customer_id: UUID, wanted: OfScheme) -> tuple[Outlook, Standing, str]:
        """What would move a customer, where he stands, and the currency. Raises NoCustomer, WithoutCuts."""
        today = self._clock.today(principal.time_zone)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            how = await scoring(tx, principal, today, wanted)
            if isinstance(how.scores, Tiles):
                raise WithoutCuts
            found = await how.purchases.of_customer(how.basis, customer_id)
        if found is None:
            raise NoCustomer
        standing = Standing(last_on=found[0], orders=found[1], revenue=found[2])
        scores: Cuts = how.scores
        return outlook(standing, how.scheme, scores, how.basis.as_of), standing, how.basis.currency


def _keeper(tenant_id: int) -> Principal:
    """Who makes the snapshots of the night: nobody on the staff, over the whole tenant."""
    return Principal(
        tenant_id=tenant_id,
        tenant="",
        staff_id=_NOBODY,
        subject="rfm",
        reach=Reach.TENANT,
        scopes=frozenset(Scope),
        kind="system",
    )


async def _for_rules(tx: RfmTransaction) -> UUID | None:
    return next((one.scheme_id for one in await tx.rfm_schemes.all() if one.in_rules), None)


async def _scheme(tx: RfmTransaction, scheme_id: UUID) -> SavedScheme:
    found = await tx.rfm_schemes.one(scheme_id)
    if found is None:
        raise NoScheme
    return found


async def _snapshot(tx: RfmTransaction, snapshot_id: int) -> Snapshot:
    found = await tx.rfm_snapshots.one(snapshot_id)
    if found is None:
        raise NoSnapshot
    return found


async def _placed(tx: RfmTransaction, scheme_id: UUID | None, place: int | date) -> Snapshot:
    if isinstance(place, int):
        return await _snapshot(tx, place)
    found = await tx.rfm_snapshots.at(scheme_id, place)
    if found is None:
        raise NoSnapshot
    return found
