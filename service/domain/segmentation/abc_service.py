"""ABC on request, alone and crossed with XYZ or RFM: over what the caller may see, computed now, in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from service.domain.access import Principal
from service.domain.idempotency import Once
from service.domain.ports import Clock, UnitOfWork
from service.domain.segmentation import abc_analysis, matrices, rfm
from service.domain.segmentation.abc_analysis import (
    DEFAULT_BORDERS,
    AbcMeasure,
    AbcOver,
    AbcReport,
    check_borders,
    measure_of,
)
from service.domain.segmentation.abc_snapshots import KEPT, AbcSnapshot, NoAbcSnapshot
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import AbcMatrix, ListedItem, MatrixOverCustomersOnly, MatrixWith, Wanted
from service.domain.segmentation.ports import AbcTransaction
from service.domain.segmentation.rfm import Monetary, RfmScheme
from service.domain.segmentation.xyz_analysis import LETTERS, XyzScheme
from service.domain.staff import administer

# A window or a past date goes to the orders themselves.
_TIMEOUT_MS = 60_000
_NIGHT_TIMEOUT_MS = 600_000
_SWEPT_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcAsked:
    """What is analysed; without `currency` the tenant's, without `as_of` today."""

    over: AbcOver = AbcOver.CUSTOMERS
    by: str = AbcMeasure.REVENUE
    borders: Sequence[int] = DEFAULT_BORDERS
    currency: str | None = None
    as_of: date | None = None
    window_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Analysis:
    over: AbcOver
    by: AbcMeasure
    borders: tuple[int, ...]
    basis: Basis


class AbcService:
    def __init__(self, uow: UnitOfWork[AbcTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def report(self, principal: Principal, asked: AbcAsked, *, limit: int = 50) -> AbcReport:
        """Items in classes by what they bring, the best of them by name."""
        analysis = self._analysis(principal, asked)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            return await self._classes(tx, analysis, limit)

    async def matrix(
        self, principal: Principal, asked: AbcAsked, crossed: MatrixWith, xyz: XyzScheme | None = None
    ) -> AbcMatrix:
        """The classes crossed with steadiness, or with the groups of RFM."""
        analysis, scheme = self._analysis(principal, asked), xyz or XyzScheme()
        if crossed is MatrixWith.RFM and analysis.over is not AbcOver.CUSTOMERS:
            raise MatrixOverCustomersOnly
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            classes = await self._classes(tx, analysis, 0)
            floors = matrices.floors(classes)
            if crossed is MatrixWith.XYZ:
                cells = await tx.purchases.abc_by_xyz(analysis.over, analysis.by, analysis.basis, floors, scheme)
                return matrices.with_xyz(classes, cells, scheme)
            default = RfmScheme()
            fractions = rfm.wanted_fractions(default)
            distribution = await tx.purchases.distribution(analysis.basis, Monetary.SUM, fractions)
            cuts = rfm.cuts(distribution, default, analysis.basis.as_of)
            scored = await tx.purchases.abc_by_scores(analysis.by, analysis.basis, floors, cuts)
        return matrices.with_groups(classes, scored, default.groups)

    async def items(
        self,
        principal: Principal,
        asked: AbcAsked,
        *,
        xyz: XyzScheme | None = None,
        class_name: str | None = None,
        letter: str | None = None,
        limit: int,
        after: tuple[int, str | None] | None = None,
    ) -> list[ListedItem]:
        """The items of a class, of a letter, or of a cell of their matrix, the best first."""
        analysis = self._analysis(principal, asked)
        names = [abc_analysis.class_name(index) for index in range(len(analysis.borders) + 1)]
        wanted = Wanted(
            indexes=tuple(index for index, name in enumerate(names) if class_name in (None, name)),
            letters=tuple(name for name in LETTERS if letter in (None, name)),
            limit=limit,
            after=after,
        )
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            floors = matrices.floors(await self._classes(tx, analysis, 0))
            return await tx.purchases.abc_page(
                analysis.over, analysis.by, analysis.basis, floors, xyz or XyzScheme(), wanted
            )

    async def take(
        self,
        principal: Principal,
        asked: AbcAsked,
        xyz: XyzScheme,
        *,
        once: Once | None = None,
        scheduled: bool = False,
    ) -> AbcSnapshot:
        """A snapshot of all customers of the tenant. Raises AbcSnapshotUnderWay."""
        administer(principal)
        analysis = self._analysis(principal, asked)
        timeout = _NIGHT_TIMEOUT_MS if scheduled else _TIMEOUT_MS
        async with self._uow.begin(principal, snapshot=True, timeout_ms=timeout) as tx:
            if known := await tx.idempotency.recall(once):
                found = await tx.abc_snapshots.one(known["snapshot_id"])
                if found is None:
                    raise NoAbcSnapshot
                return found
            floors = matrices.floors(await self._classes(tx, analysis, 0))
            taken = await tx.abc_snapshots.take(
                tx.purchases, analysis.by, analysis.basis, analysis.borders, floors, xyz, scheduled=scheduled
            )
            if not scheduled:
                await tx.journal.audit("abc.take_snapshot", "abc_snapshot", records=taken.customers)
            await tx.idempotency.remember(once, 201, {"snapshot_id": taken.snapshot_id})
            await tx.commit()
        return taken

    async def nightly(self, keeper: Principal, today: date) -> bool:
        """Today's snapshot, unless there is one, made as the latest was; and the end of old ones."""
        async with self._uow.begin(keeper) as tx:
            latest = await tx.abc_snapshots.page(limit=KEPT)
        due = not any(one.scheduled and one.as_of == today for one in latest)
        if due:
            await self.take(keeper, *_again(latest[0] if latest else None), scheduled=True)
        swept = _SWEPT_AT_ONCE
        while swept == _SWEPT_AT_ONCE:
            async with self._uow.begin(keeper, timeout_ms=_TIMEOUT_MS) as tx:
                swept = await tx.abc_snapshots.tidy(KEPT, _SWEPT_AT_ONCE)
                await tx.commit()
        return due

    async def _classes(self, tx: AbcTransaction, analysis: _Analysis, limit: int) -> AbcReport:
        basis = analysis.basis
        figures = await tx.purchases.abc(analysis.over, analysis.by, basis, analysis.borders, limit=limit)
        return abc_analysis.report(
            figures,
            over=analysis.over,
            by=analysis.by,
            borders=analysis.borders,
            currency=basis.currency,
            as_of=basis.as_of,
            window_days=basis.window_days,
            computed_at=self._clock.now(),
        )

    def _analysis(self, principal: Principal, asked: AbcAsked) -> _Analysis:
        basis = Basis(
            currency=asked.currency or principal.currency,
            as_of=asked.as_of or self._clock.today(principal.time_zone),
            window_days=asked.window_days,
        )
        return _Analysis(over=asked.over, by=measure_of(asked.by), borders=check_borders(asked.borders), basis=basis)


def _again(latest: AbcSnapshot | None) -> tuple[AbcAsked, XyzScheme]:
    """As the latest was asked for; the usual way where there is none."""
    if latest is None:
        return AbcAsked(), XyzScheme()
    asked = AbcAsked(
        by=latest.by, borders=latest.borders, currency=latest.currency, window_days=latest.window_days
    )  # fmt: skip
    return asked, latest.xyz
