"""Purchases summed up for segmentation, in few passes over the data and within the caller's reach."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from uuid import UUID

from service.db import abc_matrix, abc_sql, purchase_profile
from service.db.purchase_facts import (
    COUNTED,
    RIGHT,
    STALE_CUSTOMERS,
    STATE,
    Source,
    days,
    facts,
    members,
    value_of,
    within,
)
from service.db.purchase_profile import Profile, cell_of, sums
from service.db.rules import EVERYBODY, Compiled
from service.db.segments import PgSegments
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.access import Reach
from service.domain.rules.model import Asked
from service.domain.segmentation.abc_analysis import AbcFigures, AbcMeasure, AbcOver
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import CellSum, Floors, ListedItem, ScoredSum, Wanted
from service.domain.segmentation.ports import ScoredCustomer
from service.domain.segmentation.rfm import Cuts, Distribution, LetterCuts, Monetary, Tiles
from service.domain.segmentation.rfm_groups import Scores
from service.domain.segmentation.rfm_report import Cell, Surroundings
from service.domain.segmentation.xyz_analysis import XyzScheme

_BEFORE_ALL = UUID(int=0)
# What a scan of a million customers needs, until the transaction ends: memory, no compiling (it takes longer than it
# saves), and plans for the very dates asked for (the sixth call would get a plan for any, three times as slow).
_ROOM = "SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_custom_plan"
_STATE = sql(STATE)
# From one stale total in five on, reading all orders costs less than looking up those of each stale customer.
_STALE_SHARE = 5


class PgPurchases:
    """A sample of `sample_rows` pays from `sampled_from` kept totals on, and is used if `fewest` are the tenant's."""

    def __init__(
        self,
        session: Session,
        *,
        sampled_from: int = 200_000,
        sample_rows: int = 50_000,
        fewest: int = 10_000,
        among: Compiled = EVERYBODY,
    ) -> None:
        self._session = session
        self._among = among
        self._sampled_from = sampled_from
        self._sample_rows = sample_rows
        self._fewest = fewest
        self._kept_rows = 0
        self._sources: dict[Basis, Source] = {}
        # What `distribution` learnt about the cells; good while the transaction's snapshot is the same.
        self._profiles: dict[tuple[Basis, Monetary], Profile] = {}

    async def among(self, population: Asked) -> "PgPurchases":
        return PgPurchases(self._session, among=await PgSegments(self._session).compiled(population))

    async def distribution(self, basis: Basis, monetary: Monetary, fractions: Sequence[Fraction]) -> Distribution:
        source = await self._source(basis)
        profile = None
        if not (source.windowed or source.afresh or source.stale or source.narrow or source.among):
            profile = await self._quick_profile(source, basis, monetary, fractions)
        profile = profile or await self._exact_profile(source, basis, monetary, fractions)
        self._profiles[basis, monetary] = profile
        return profile.distribution

    async def cells(self, basis: Basis, monetary: Monetary, scores: Cuts | Tiles, *, by_monetary: bool) -> list[Cell]:
        known = self._profiles.get((basis, monetary))
        if known and isinstance(scores, Cuts):
            found = known.cells(scores, by_monetary=by_monetary)
            if found is not None:
                return found
        source = await self._source(basis)
        statement = _cells(source, monetary, isinstance(scores, Tiles), by_monetary)
        rows = await self._session.fetch(statement, **self._days(basis), **_floors(scores))
        return [cell_of(tuple(row.values())[3:], row["r"], row["f"], row["m"]) for row in rows]

    async def scored(
        self,
        basis: Basis,
        monetary: Monetary,
        scores: Cuts | Tiles,
        wanted: Sequence[Scores],
        *,
        limit: int,
        after: UUID | None = None,
    ) -> list[ScoredCustomer]:
        source = await self._source(basis)
        rows = await self._session.fetch(
            _scored(source, monetary, isinstance(scores, Tiles)),
            **self._days(basis),
            **_floors(scores),
            wanted=[r * 10_000 + f * 100 + m for r, f, m in wanted],
            after=after or _BEFORE_ALL,
            limit=limit,
        )
        return [ScoredCustomer(**dict(row)) for row in rows]

    async def members(
        self, basis: Basis, monetary: Monetary, scores: Cuts, wanted: Sequence[Scores]
    ) -> tuple[Statement, dict[str, object]]:
        """The customers whose scores are wanted, as a query that others build on, with the values it needs."""
        statement = _scored(await self._source(basis), monetary, False)
        cells = [r * 10_000 + f * 100 + m for r, f, m in wanted]
        values = {**self._days(basis), **_floors(scores), "wanted": cells, "after": UUID(int=0), "limit": None}
        return statement, values

    async def scored_set(self, basis: Basis, monetary: Monetary, scores: Cuts | Tiles) -> tuple[str, dict[str, object]]:
        """The SQL of (customer_id, revenue, r, f, m) of the population, and its values, for others to build on."""
        source = await self._source(basis)
        letters = _letters(isinstance(scores, Tiles), monetary, True)
        text = f"""SELECT customer_id, revenue, {letters}
            FROM ({facts(source)}) x (customer_id, last_on, orders, revenue)"""
        return text, {**self._days(basis), **_floors(scores)}

    async def of_customer(self, basis: Basis, customer_id: UUID) -> tuple[date | None, int, int] | None:
        source = await self._source(basis)
        row = await self._session.fetchrow(_of_customer(source), **self._days(basis), customer_id=customer_id)
        return None if row is None else (row["last_on"], row["orders"] or 0, row["revenue"] or 0)

    async def summed(self, basis: Basis) -> tuple[str, dict[str, object]]:
        """The SQL of (customer_id, last_on, orders, revenue), returns included, and its values, for others to join."""
        return facts(await self._source(basis), returns_only=True), self._days(basis)

    async def surroundings(self, basis: Basis) -> Surroundings:
        source = await self._source(basis)
        row = await self._session.fetchrow(
            _surroundings(source), **self._days(basis), day_after=date.fromordinal(basis.as_of.toordinal() + 1)
        )
        assert row is not None
        return Surroundings(**dict(row))

    async def abc(
        self, over: AbcOver, by: AbcMeasure, basis: Basis, borders: Sequence[int], *, limit: int
    ) -> AbcFigures:
        source = await self._source(basis)
        statement = abc_sql.statement(over, by, source, len(borders))
        row = await self._session.fetchrow(
            statement, **self._days(basis), **{f"border{i}": border for i, border in enumerate(borders)}, limit=limit
        )
        assert row is not None
        return abc_sql.figures(row)

    async def abc_by_xyz(
        self, over: AbcOver, by: AbcMeasure, basis: Basis, floors: Floors, scheme: XyzScheme
    ) -> list[CellSum]:
        statement = abc_matrix.by_xyz(over, by, await self._source(basis), len(floors), scheme.period)
        values = {**self._days(basis), **abc_matrix.floor_values(floors), **abc_matrix.scheme_values(basis, scheme)}
        rows = await self._session.fetch(statement, **values)
        return [CellSum(**{**row, "total": int(row["total"])}) for row in rows]

    async def judged_customers(
        self, by: AbcMeasure, basis: Basis, floors: Floors, scheme: XyzScheme
    ) -> tuple[str, dict[str, object]]:
        """The SQL of (customer_id, class_no, letter), and its values, for others to build on."""
        text = abc_matrix.judged_customers(by, await self._source(basis), len(floors), scheme.period)
        return text, {
            **self._days(basis), **abc_matrix.floor_values(floors), **abc_matrix.scheme_values(basis, scheme)
        }  # fmt: skip

    async def abc_by_scores(self, by: AbcMeasure, basis: Basis, floors: Floors, scores: Cuts) -> list[ScoredSum]:
        statement = abc_matrix.by_scores(by, await self._source(basis), len(floors))
        values = {**self._days(basis), **_floors(scores), **abc_matrix.floor_values(floors)}
        rows = await self._session.fetch(statement, **values)
        return [ScoredSum(**{**row, "total": int(row["total"])}) for row in rows]

    async def abc_page(
        self, over: AbcOver, by: AbcMeasure, basis: Basis, floors: Floors, scheme: XyzScheme, wanted: Wanted
    ) -> list[ListedItem]:
        statement = abc_matrix.page(over, by, await self._source(basis), len(floors), scheme.period)
        values = {**self._days(basis), **abc_matrix.floor_values(floors), **abc_matrix.scheme_values(basis, scheme)}
        rows = await self._session.fetch(statement, **values, **abc_matrix.wanted_values(wanted))
        return [abc_matrix.listed(row) for row in rows]

    async def _source(self, basis: Basis) -> Source:
        if basis not in self._sources:
            if not self._sources:
                await self._session.command(_ROOM)
            state = await self._session.fetchrow(_STATE, currency=basis.currency, as_of=basis.as_of)
            assert state is not None
            self._kept_rows = state["kept"]
            narrow = self._session.principal.reach is not Reach.TENANT
            many = self._kept_rows >= self._sampled_from and state["stale"] * _STALE_SHARE > max(self._kept_rows, 0)
            self._sources[basis] = Source(
                windowed=basis.window_days is not None,
                afresh=many and not narrow,
                stale=state["stale"] > 0,
                narrow=narrow,
                among=self._among.where,
            )
        return self._sources[basis]

    def _days(self, basis: Basis) -> dict[str, object]:
        days = {"currency": basis.currency, "as_of": basis.as_of, "from_on": basis.from_on}
        return {**days, **self._among.values}

    async def _quick_profile(
        self, source: Source, basis: Basis, monetary: Monetary, fractions: Sequence[Fraction]
    ) -> Profile | None:
        if self._kept_rows < self._sampled_from:
            return None
        share = min(100.0, 100.0 * self._sample_rows / max(self._kept_rows, 1))
        sample = await self._session.fetchrow(
            purchase_profile.sample_statement(source, monetary),
            **self._days(basis),
            share=share,
            fractions=purchase_profile.sampled_fractions(fractions),
        )
        assert sample is not None
        if sample["seen"] < self._fewest:
            return None
        r, f, m = (purchase_profile.brackets(ends) for ends in tuple(sample.values())[1:])
        rows = await self._session.fetch(
            purchase_profile.scan_statement(source, monetary, (len(r), len(f), len(m))),
            **self._days(basis),
            **purchase_profile.scan_values((r, f, m)),
        )
        return purchase_profile.scanned_profile([tuple(row.values()) for row in rows], (r, f, m), fractions)

    async def _exact_profile(
        self, source: Source, basis: Basis, monetary: Monetary, fractions: Sequence[Fraction]
    ) -> Profile:
        rows = await self._session.fetch(
            purchase_profile.exact_statement(source, monetary),
            **self._days(basis),
            fractions=purchase_profile.exact_fractions(fractions),
        )
        return purchase_profile.exact_profile([tuple(row.values()) for row in rows])


def _floors(scores: Cuts | Tiles) -> dict[str, object]:
    if isinstance(scores, Tiles):
        return {"bins": scores.bins}
    return {
        "r": [date.fromordinal(floor) for floor in scores.recency.floors],
        "f": _long(scores.frequency),
        "m": _long(scores.monetary),
    }


def _long(letter: LetterCuts) -> list[int]:
    return list(letter.floors)


def _letters(tiled: bool, monetary: Monetary, by_monetary: bool) -> str:
    value = value_of(monetary)
    if tiled:
        m = f"ntile(:bins) OVER (ORDER BY {value}, customer_id)" if by_monetary else "NULL::int"
        return f"""ntile(:bins) OVER (ORDER BY last_on, customer_id) AS r,
            ntile(:bins) OVER (ORDER BY orders, customer_id) AS f, {m} AS m"""
    m = f"1 + width_bucket({value}, :m::bigint[])" if by_monetary else "NULL::int"
    return f"""1 + width_bucket(last_on, :r::date[]) AS r,
        1 + width_bucket(orders::bigint, :f::bigint[]) AS f, {m} AS m"""


@lru_cache(maxsize=256)
def _cells(source: Source, monetary: Monetary, tiled: bool, by_monetary: bool) -> Statement:
    return sql(f"""
        SELECT r, f, m, {sums(monetary)} FROM (
            SELECT last_on, orders, revenue, {_letters(tiled, monetary, by_monetary)}
            FROM ({facts(source)}) x (customer_id, last_on, orders, revenue)
        ) s GROUP BY r, f, m""")


@lru_cache(maxsize=256)
def _scored(source: Source, monetary: Monetary, tiled: bool) -> Statement:
    return sql(f"""
        SELECT s.customer_id, c.display_name AS name, s.r, s.f, s.m, s.last_on, s.orders, s.revenue FROM (
            SELECT *, {_letters(tiled, monetary, True)}
            FROM ({facts(source)}) x (customer_id, last_on, orders, revenue)
        ) s JOIN customers c ON c.tenant_id = :tenant AND c.customer_id = s.customer_id
        WHERE s.r * 10000 + s.f * 100 + s.m = ANY (:wanted::int[]) AND s.customer_id > :after
        ORDER BY s.customer_id LIMIT :limit""")


@lru_cache(maxsize=256)
def _of_customer(source: Source) -> Statement:
    return sql(f"""SELECT s.last_on, s.orders, s.revenue FROM (
            SELECT c.customer_id FROM customers c WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id
                AND c.erased_at IS NULL{f" AND {source.among}" if source.among else ""}
        ) one LEFT JOIN ({facts(source)}) s (customer_id, last_on, orders, revenue)
            ON s.customer_id = one.customer_id AND s.customer_id = :customer_id""")


@lru_cache(maxsize=256)
def _surroundings(source: Source) -> Statement:
    if source.among:
        return _surroundings_among(source)
    later = f"""SELECT count(*) FROM {within(source, "o")} WHERE o.tenant_id = :tenant AND {COUNTED.format("o")}
        AND o.ordered_on > :as_of AND o.ordered_at >= :day_after::timestamp AT TIME ZONE 'UTC' - interval '15 hours'"""
    return sql(f"""SELECT
        (SELECT count(*) FROM customers c WHERE c.tenant_id = :tenant) AS customers,
        ({_recorded_again(source) if source.stale else _recorded(source)}) AS recorded,
        ({_elsewhere(source)}) AS orders_in_other_currencies,
        ({later}) AS orders_after_as_of""")


def _surroundings_among(source: Source) -> Statement:
    has = "EXISTS (SELECT FROM {0} x WHERE x.tenant_id = :tenant AND x.customer_id = a.customer_id AND x.{1} <= :as_of)"
    theirs = (
        f"orders o JOIN meant a ON a.customer_id = o.customer_id WHERE o.tenant_id = :tenant AND {COUNTED.format('o')}"
    )
    return sql(f"""WITH meant AS MATERIALIZED ({members(source)}) SELECT
        (SELECT count(*) FROM meant) AS customers,
        (SELECT count(*) FROM meant a WHERE {has.format("orders", "ordered_on")}
            OR {has.format("refunds", "refunded_on")}) AS recorded,
        (SELECT count(*) FROM {theirs} AND o.currency <> :currency AND {days(source, "o.ordered_on")})
            AS orders_in_other_currencies,
        (SELECT count(*) FROM {theirs} AND o.ordered_on > :as_of AND :day_after::date IS NOT NULL)
            AS orders_after_as_of""")


def _recorded(source: Source) -> str:
    """Customers with a record: those of this currency, and of the others who have none in it."""
    some = "t.tenant_id = :tenant AND t.latest_on > '-infinity'"
    return f"""SELECT (SELECT count(*) FROM {within(source, "t")} WHERE {some} AND t.currency = :currency)
        + (SELECT count(DISTINCT t.customer_id) FROM {within(source, "t")}
            WHERE {some} AND (t.currency < :currency OR t.currency > :currency)
            AND NOT EXISTS (SELECT FROM purchase_totals h WHERE h.tenant_id = :tenant
                AND h.customer_id = t.customer_id AND h.currency = :currency AND h.latest_on > '-infinity'))"""


def _recorded_again(source: Source) -> str:
    record = "SELECT FROM {0} x WHERE x.tenant_id = :tenant AND x.customer_id = s.customer_id AND x.{1} <= :as_of"
    return f"""SELECT count(DISTINCT customer_id) FROM (
        SELECT t.customer_id FROM {within(source, "t")}
        WHERE t.tenant_id = :tenant AND t.latest_on > '-infinity' AND {RIGHT}
        UNION ALL SELECT s.customer_id FROM ({STALE_CUSTOMERS}) s
        WHERE EXISTS ({record.format("orders", "ordered_on")}) OR EXISTS ({record.format("refunds", "refunded_on")})
        ) everyone"""


def _elsewhere(source: Source) -> str:
    others = "t.tenant_id = :tenant AND (t.currency < :currency OR t.currency > :currency)"
    if not source.windowed and not source.stale:
        return f"SELECT coalesce(sum(t.orders), 0)::bigint FROM {within(source, 't')} WHERE {others}"
    # Most tenants trade in one currency: whether there is another is cheaply known.
    return f"""SELECT CASE WHEN EXISTS (SELECT FROM purchase_totals t WHERE {others}) THEN (
        SELECT count(*) FROM {within(source, "o")} WHERE o.tenant_id = :tenant
            AND o.currency <> :currency AND {COUNTED.format("o")} AND {days(source, "o.ordered_on")}) ELSE 0 END"""
