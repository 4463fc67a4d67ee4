"""RFM that is kept: schemes, and snapshots of scores written and compared as sets."""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any
from uuid import UUID

from service.db.purchases import PgPurchases
from service.db.session import Row, Session
from service.db.statement import renamed, sql
from service.domain.segmentation.ports import Scoring
from service.domain.segmentation.rfm import Method, Monetary, RfmScheme
from service.domain.segmentation.rfm_report import CutsUsed
from service.domain.segmentation.rfm_schemes import SavedScheme, group_map, plain_boxes, thresholds
from service.domain.segmentation.rfm_snapshots import Moved, Snapshot, SnapshotUnderWay

_SCHEMES = "SELECT s.* FROM rfm_schemes s WHERE s.tenant_id = :tenant"
_ALL = sql(f"{_SCHEMES} ORDER BY s.name")
_ONE = sql(f"{_SCHEMES} AND s.scheme_id = :scheme_id")
_ADD = sql("""
    INSERT INTO rfm_schemes (tenant_id, scheme_id, name, method, bins, window_days, currency, monetary, trimmed,
        thresholds, population, groups, in_rules)
    VALUES (:tenant, :scheme_id, :name, :method, :bins, :window_days, :currency, :monetary, :trimmed::text::numeric,
        :thresholds::jsonb, :population, :groups::jsonb, :in_rules)
""")
_CHANGE = sql("""
    UPDATE rfm_schemes SET name = :name, method = :method, bins = :bins, window_days = :window_days,
        currency = :currency, monetary = :monetary, trimmed = :trimmed::text::numeric, thresholds = :thresholds::jsonb,
        population = :population, groups = :groups::jsonb, in_rules = :in_rules, updated_at = now(),
        version = version + 1
    WHERE tenant_id = :tenant AND scheme_id = :scheme_id AND version = :version
""")
_UNMARK = sql("""
    UPDATE rfm_schemes SET in_rules = false, version = version + 1
    WHERE tenant_id = :tenant AND in_rules AND scheme_id <> :scheme_id
""")
_DELETE = sql("DELETE FROM rfm_schemes WHERE tenant_id = :tenant AND scheme_id = :scheme_id")
_DROP_OF = sql("UPDATE rfm_snapshots SET dropped = true WHERE tenant_id = :tenant AND scheme_id = :scheme_id")
_SNAPSHOTS = "SELECT p.* FROM rfm_snapshots p WHERE p.tenant_id = :tenant AND NOT p.dropped"
_LATEST_FIRST = "ORDER BY p.as_of DESC, p.snapshot_id DESC"
_EVERYTHING = sql(f"{_SNAPSHOTS} {_LATEST_FIRST}")
_SNAPSHOT = sql(f"{_SNAPSHOTS} AND p.snapshot_id = :snapshot_id")
_OF_SCHEME = f"{_SNAPSHOTS} AND p.scheme_id IS NOT DISTINCT FROM :scheme_id::uuid"
_PAGE = sql(f"{_OF_SCHEME} {_LATEST_FIRST} LIMIT :limit")
_AT = sql(f"{_OF_SCHEME} AND p.as_of <= :day {_LATEST_FIRST} LIMIT 1")
_TURN = sql("SELECT pg_try_advisory_xact_lock(hashtextextended('rfm ' || :tenant::int::text, 0))")
_NUMBER = sql("SELECT coalesce(max(snapshot_id), 0) + 1 FROM rfm_snapshots WHERE tenant_id = :tenant")
_TAKE = sql("""
    INSERT INTO rfm_snapshots (tenant_id, snapshot_id, scheme_id, as_of, currency, bins, customers, cuts, groups,
        in_rules, scheduled)
    VALUES (:tenant, :snapshot_id, :scheme_id, :as_of, :currency, :bins, :customers, :cuts::jsonb, :groups, :in_rules,
        :scheduled)
""")
# The group of scores is looked up in an array, M running fastest.
_GROUP_NO = "(:group_map::smallint[])[((s.r - 1) * :grid::int + s.f - 1) * :grid::int + s.m]"
_MOVES = """
    SELECT {0} AS before, {1} AS after, count(*) AS customers,
        coalesce(sum(a.revenue), 0)::bigint AS revenue_before, coalesce(sum(b.revenue), 0)::bigint AS revenue_after
    FROM ({2}) a FULL JOIN ({3}) b USING (customer_id) GROUP BY 1, 2 ORDER BY 1, 2
"""
# A customer who was deleted since is nobody's any more.
_KEPT = """SELECT x.customer_id, x.group_no, x.revenue FROM rfm_scores x
    JOIN customers c ON c.tenant_id = x.tenant_id AND c.customer_id = x.customer_id
    WHERE x.tenant_id = :tenant AND x.snapshot_id = :{0}"""
_MOVED = sql(_MOVES.format("a.group_no", "b.group_no", _KEPT.format("before"), _KEPT.format("after")))
_DROP = sql("UPDATE rfm_snapshots SET dropped = true WHERE tenant_id = :tenant AND snapshot_id = ANY (:ids::int[])")
_SWEEP = sql("""
    DELETE FROM rfm_scores x USING (
        SELECT y.snapshot_id, y.customer_id FROM rfm_snapshots p JOIN rfm_scores y
            ON y.tenant_id = p.tenant_id AND y.snapshot_id = p.snapshot_id
        WHERE p.tenant_id = :tenant AND p.dropped LIMIT :most) gone
    WHERE x.tenant_id = :tenant AND x.snapshot_id = gone.snapshot_id AND x.customer_id = gone.customer_id
""")
_FORGET = sql("""
    DELETE FROM rfm_snapshots p WHERE p.tenant_id = :tenant AND p.dropped AND NOT EXISTS (
        SELECT FROM rfm_scores x WHERE x.tenant_id = :tenant AND x.snapshot_id = p.snapshot_id)
""")
_HERE = sql("""
    SELECT t.time_zone, t.currency, EXISTS (SELECT FROM purchase_totals p WHERE p.tenant_id = :tenant) AS sells
    FROM tenants t WHERE t.tenant_id = :tenant
""")


class PgRfmSchemes:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def all(self) -> list[SavedScheme]:
        return [_scheme(row) for row in await self._session.fetch(_ALL)]

    async def one(self, scheme_id: UUID) -> SavedScheme | None:
        row = await self._session.fetchrow(_ONE, scheme_id=scheme_id)
        return None if row is None else _scheme(row)

    async def add(self, scheme: SavedScheme) -> None:
        await self._unmark(scheme)
        await self._session.execute(_ADD, **_columns(scheme))

    async def change(self, scheme: SavedScheme) -> bool:
        await self._unmark(scheme)
        return await self._session.execute(_CHANGE, **_columns(scheme), version=scheme.version) == 1

    async def drop(self, scheme_id: UUID) -> None:
        await self._session.execute(_DROP_OF, scheme_id=scheme_id)
        await self._session.execute(_DELETE, scheme_id=scheme_id)

    async def _unmark(self, scheme: SavedScheme) -> None:
        """At most one scheme is the one that rules ask for."""
        if scheme.in_rules:
            await self._session.execute(_UNMARK, scheme_id=scheme.scheme_id)


class PgRfmSnapshots:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def take(
        self, scoring: Scoring, scheme_id: UUID | None, used: CutsUsed, *, in_rules: bool, scheduled: bool
    ) -> Snapshot:
        if not await self._session.fetchval(_TURN):
            raise SnapshotUnderWay
        snapshot_id: int = await self._session.fetchval(_NUMBER)
        scored, values = await _scored_set(scoring)
        keep = sql(f"""
            INSERT INTO rfm_scores (tenant_id, snapshot_id, revenue, customer_id, r, f, m, group_no)
            SELECT :tenant, :snapshot_id, s.revenue, s.customer_id, s.r, s.f, s.m, {_GROUP_NO}
            FROM ({scored}) s ORDER BY s.customer_id""")
        customers = await self._session.execute(keep, snapshot_id=snapshot_id, **values, **_groups(scoring.scheme))
        await self._session.execute(
            _TAKE,
            snapshot_id=snapshot_id,
            scheme_id=scheme_id,
            as_of=scoring.basis.as_of,
            currency=scoring.basis.currency,
            bins=scoring.scheme.bins,
            customers=customers,
            cuts={name: list(getattr(used, name)) for name in CutsUsed.__slots__},
            groups=list(scoring.scheme.groups.names),
            in_rules=in_rules,
            scheduled=scheduled,
        )
        taken = await self.one(snapshot_id)
        assert taken is not None
        return taken

    async def page(self, scheme_id: UUID | None, *, limit: int) -> list[Snapshot]:
        return [_snapshot(row) for row in await self._session.fetch(_PAGE, scheme_id=scheme_id, limit=limit)]

    async def everything(self) -> list[Snapshot]:
        return [_snapshot(row) for row in await self._session.fetch(_EVERYTHING)]

    async def one(self, snapshot_id: int) -> Snapshot | None:
        row = await self._session.fetchrow(_SNAPSHOT, snapshot_id=snapshot_id)
        return None if row is None else _snapshot(row)

    async def at(self, scheme_id: UUID | None, day: date) -> Snapshot | None:
        row = await self._session.fetchrow(_AT, scheme_id=scheme_id, day=day)
        return None if row is None else _snapshot(row)

    async def moves(self, before: Snapshot, after: Snapshot) -> list[Moved]:
        rows = await self._session.fetch(_MOVED, before=before.snapshot_id, after=after.snapshot_id)
        return _moves(rows, before.groups, after.groups)

    async def compare(self, one: Scoring, other: Scoring) -> list[Moved]:
        sides: list[str] = []
        values: dict[str, object] = {}
        for prefix, scoring in (("a_", one), ("b_", other)):
            scored, given = await _scored_set(scoring)
            sides.append(renamed(f"SELECT s.customer_id, s.revenue, {_GROUP_NO} AS group_no FROM ({scored}) s", prefix))
            values |= {prefix + name: value for name, value in {**given, **_groups(scoring.scheme)}.items()}
        statement = sql(_MOVES.format("a.group_no", "b.group_no", *sides))
        rows = await self._session.fetch(statement, **values)
        return _moves(rows, one.scheme.groups.names, other.scheme.groups.names)

    async def drop(self, snapshot_ids: Sequence[int]) -> None:
        if snapshot_ids:
            await self._session.execute(_DROP, ids=list(snapshot_ids))

    async def sweep(self, most: int) -> int:
        swept = await self._session.execute(_SWEEP, most=most)
        if swept < most:
            await self._session.execute(_FORGET)
        return swept

    async def here(self) -> tuple[str, str, bool]:
        row = await self._session.fetchrow(_HERE)
        assert row is not None
        return row["time_zone"], row["currency"], row["sells"]


async def _scored_set(scoring: Scoring) -> tuple[str, Mapping[str, object]]:
    assert isinstance(scoring.purchases, PgPurchases)
    return await scoring.purchases.scored_set(scoring.basis, scoring.scheme.monetary, scoring.scores)


def _groups(scheme: RfmScheme) -> dict[str, object]:
    return {"group_map": list(scheme.groups.numbers), "grid": scheme.bins}


def _moves(rows: Sequence[Row], before: Sequence[str], after: Sequence[str]) -> list[Moved]:
    return [
        Moved(**{**row, "before": _named(before, row["before"]), "after": _named(after, row["after"])}) for row in rows
    ]


def _named(names: Sequence[str], number: int | None) -> str | None:
    return None if number is None else names[number - 1]


def _columns(saved: SavedScheme) -> dict[str, Any]:
    scheme = saved.scheme
    given = scheme.thresholds
    return {
        "scheme_id": saved.scheme_id,
        "name": saved.name,
        "method": scheme.method.value,
        "bins": scheme.bins,
        "window_days": scheme.window_days,
        "currency": scheme.currency,
        "monetary": scheme.monetary.value,
        "trimmed": str(float(scheme.trimmed_share)),
        "thresholds": given and {name: list(getattr(given, name)) for name in type(given).__slots__},
        "population": saved.population,
        "groups": plain_boxes(scheme.groups),
        "in_rules": saved.in_rules,
    }


def _scheme(row: Row) -> SavedScheme:
    scheme = RfmScheme(
        bins=row["bins"],
        method=Method(row["method"]),
        monetary=Monetary(row["monetary"]),
        window_days=row["window_days"],
        currency=row["currency"],
        thresholds=thresholds(row["thresholds"]),
        trimmed_share=Fraction(row["trimmed"]),
        groups=group_map(row["bins"], row["groups"]),
    )
    names = ("scheme_id", "name", "population", "in_rules", "version", "created_at", "updated_at")
    return SavedScheme(scheme=scheme, **{name: row[name] for name in names})


def _snapshot(row: Row) -> Snapshot:
    cuts = CutsUsed(**{name: tuple(values) for name, values in row["cuts"].items()})
    names = (
        "snapshot_id",
        "scheme_id",
        "as_of",
        "computed_at",
        "currency",
        "bins",
        "customers",
        "in_rules",
        "scheduled",
    )
    return Snapshot(cuts=cuts, groups=tuple(row["groups"]), **{name: row[name] for name in names})
