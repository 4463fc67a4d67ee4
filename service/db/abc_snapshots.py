"""Snapshots of ABC and XYZ, written as sets."""

from service.db.purchases import PgPurchases
from service.db.session import Row, Session
from service.db.statement import sql
from service.domain.segmentation.abc_analysis import AbcMeasure
from service.domain.segmentation.abc_snapshots import AbcSnapshot, AbcSnapshotUnderWay
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import Floors
from service.domain.segmentation.xyz_analysis import LETTERS, Period, XyzScheme

_SNAPSHOTS = "SELECT p.* FROM abc_snapshots p WHERE p.tenant_id = :tenant AND NOT p.dropped"
_ONE = sql(f"{_SNAPSHOTS} AND p.snapshot_id = :snapshot_id")
# The later made is the newer: rules ask for what was decided last, whatever its day.
_PAGE = sql(f"{_SNAPSHOTS} ORDER BY p.snapshot_id DESC LIMIT :limit")
_TURN = sql("SELECT pg_try_advisory_xact_lock(hashtextextended('abc ' || :tenant::int::text, 0))")
_NUMBER = sql("SELECT coalesce(max(snapshot_id), 0) + 1 FROM abc_snapshots WHERE tenant_id = :tenant")
_TAKE = sql("""
    INSERT INTO abc_snapshots (tenant_id, snapshot_id, as_of, measure, borders, currency, window_days, period,
        xyz_borders, customers, scheduled)
    VALUES (:tenant, :snapshot_id, :as_of, :measure, :borders::smallint[], :currency, :window_days, :period,
        :xyz_borders::smallint[], :customers, :scheduled)
""")
_DROP = sql("""
    UPDATE abc_snapshots SET dropped = true WHERE tenant_id = :tenant AND NOT dropped AND snapshot_id NOT IN (
        SELECT snapshot_id FROM abc_snapshots WHERE tenant_id = :tenant AND NOT dropped
        ORDER BY snapshot_id DESC LIMIT :kept)
""")
_SWEEP = sql("""
    DELETE FROM abc_classes x USING (
        SELECT y.snapshot_id, y.customer_id FROM abc_snapshots p JOIN abc_classes y
            ON y.tenant_id = p.tenant_id AND y.snapshot_id = p.snapshot_id
        WHERE p.tenant_id = :tenant AND p.dropped LIMIT :most) gone
    WHERE x.tenant_id = :tenant AND x.snapshot_id = gone.snapshot_id AND x.customer_id = gone.customer_id
""")
_FORGET = sql("""
    DELETE FROM abc_snapshots p WHERE p.tenant_id = :tenant AND p.dropped AND NOT EXISTS (
        SELECT FROM abc_classes x WHERE x.tenant_id = :tenant AND x.snapshot_id = p.snapshot_id)
""")


class PgAbcSnapshots:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def take(
        self,
        purchases: PgPurchases,
        by: AbcMeasure,
        basis: Basis,
        borders: tuple[int, ...],
        floors: Floors,
        xyz: XyzScheme,
        *,
        scheduled: bool,
    ) -> AbcSnapshot:
        if not await self._session.fetchval(_TURN):
            raise AbcSnapshotUnderWay
        snapshot_id: int = await self._session.fetchval(_NUMBER)
        judged, values = await purchases.judged_customers(by, basis, floors, xyz)
        keep = sql(f"""
            INSERT INTO abc_classes (tenant_id, snapshot_id, customer_id, class_no, letter_no)
            SELECT :tenant, :snapshot_id, j.customer_id, j.class_no, array_position(:letters::text[], j.letter) - 1
            FROM ({judged}) j ORDER BY j.customer_id""")
        customers = await self._session.execute(keep, snapshot_id=snapshot_id, letters=list(LETTERS), **values)
        await self._session.execute(
            _TAKE,
            snapshot_id=snapshot_id,
            as_of=basis.as_of,
            measure=by.value,
            borders=list(borders),
            currency=basis.currency,
            window_days=basis.window_days,
            period=xyz.period.value,
            xyz_borders=list(xyz.borders),
            customers=customers,
            scheduled=scheduled,
        )
        taken = await self.one(snapshot_id)
        assert taken is not None
        return taken

    async def one(self, snapshot_id: int) -> AbcSnapshot | None:
        row = await self._session.fetchrow(_ONE, snapshot_id=snapshot_id)
        return None if row is None else _snapshot(row)

    async def page(self, *, limit: int) -> list[AbcSnapshot]:
        return [_snapshot(row) for row in await self._session.fetch(_PAGE, limit=limit)]

    async def tidy(self, kept: int, most: int) -> int:
        await self._session.execute(_DROP, kept=kept)
        swept = await self._session.execute(_SWEEP, most=most)
        if swept < most:
            await self._session.execute(_FORGET)
        return swept


def _snapshot(row: Row) -> AbcSnapshot:
    names = ("snapshot_id", "as_of", "computed_at", "currency", "window_days", "customers", "scheduled")
    return AbcSnapshot(
        by=AbcMeasure(row["measure"]),
        borders=tuple(row["borders"]),
        xyz=XyzScheme(period=Period(row["period"]), borders=tuple(row["xyz_borders"])),
        **{name: row[name] for name in names},
    )
