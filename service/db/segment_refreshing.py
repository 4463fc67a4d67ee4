"""The refresh of live segments: who is to be asked, and the statements that ask and write, many segments at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from service.db.purchase_facts import STATE
from service.db.rule_fields import LATEST_ABC, LATEST_RFM, column
from service.db.rules import compile_rule
from service.db.session import Row, Session
from service.db.statement import Statement, sql
from service.domain.rules.matching import start_of
from service.domain.rules.model import Asked, Occasion
from service.domain.segments.model import SNAPSHOTS, Due, Live
from service.domain.segments.turning import MonthDay, Span, Turned

# The lock ends with the transaction. Who gets it on a snapshot from before another's commit is refused at the write.
_BEGIN = sql(f"""
    SELECT pg_try_advisory_xact_lock(hashtextextended('segments ' || t.tenant_id, 0)) AS mine,
        (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint AS horizon, t.time_zone, t.currency,
        coalesce({LATEST_RFM}, 0) AS rfm_snapshot, coalesce({LATEST_ABC}, 0) AS abc_snapshot
    FROM tenants t WHERE t.tenant_id = :tenant
""")
_LIVE = sql("""
    SELECT segment_id, rule_text, uses, state, xid, change_id, computed_on, computed_at, rfm_snapshot, abc_snapshot,
        coalesce(computed_at < now() - interval '1 minute' AND xid < :horizon, false) AS aged
    FROM segments WHERE tenant_id = :tenant AND kind = 'live'
""")
# What segments tell of each other counts where rules ask for membership; notes and talks no rule asks for.
_CHANGED = sql("""
    SELECT DISTINCT c.customer_id FROM changes c
    WHERE c.tenant_id = :tenant AND (c.xid, c.change_id) > (:xid::bigint, :change_id::bigint)
        AND c.xid < :horizon::bigint
        AND c.customer_id IS NOT NULL AND c.entity NOT IN ('note', 'interaction')
        AND (c.entity <> 'segment' OR c.entity_id = ANY (:used::uuid[]))
    LIMIT :limit
""")
# A dropped one is being taken away: what was in it is not known any more.
_WHOLE = """(:before::int = 0 OR EXISTS (
    SELECT FROM {0} WHERE tenant_id = :tenant AND snapshot_id = :before AND NOT dropped))"""
_JUDGED = """
    SELECT coalesce(a.customer_id, b.customer_id) AS customer_id
    FROM ({0}) a FULL JOIN ({1}) b USING (customer_id)
    WHERE ({2}) IS DISTINCT FROM ({3}) LIMIT :limit
"""
_SCORES = """SELECT s.customer_id, s.r, s.f, s.m, p.groups[s.group_no] AS name
    FROM rfm_snapshots p JOIN rfm_scores s ON s.tenant_id = p.tenant_id AND s.snapshot_id = p.snapshot_id
    WHERE p.tenant_id = :tenant AND p.snapshot_id = :{0}"""
_CLASSES = """SELECT s.customer_id, s.class_no, s.letter_no FROM abc_classes s
    WHERE s.tenant_id = :tenant AND s.snapshot_id = :{0}"""


def _moved(rows: str, *columns: str) -> Statement:
    sides = (", ".join(f"{side}.{column}" for column in columns) for side in "ab")
    return sql(_JUDGED.format(rows.format("before"), rows.format("after"), *sides))


_MOVED = {
    "rfm": (sql(f"SELECT {_WHOLE.format('rfm_snapshots')}"), _moved(_SCORES, "r", "f", "m", "name")),
    "abc": (sql(f"SELECT {_WHOLE.format('abc_snapshots')}"), _moved(_CLASSES, "class_no", "letter_no")),
}
# A scan writes in short transactions, whose rows bear the time at which they began.
_SCORED = sql("""
    SELECT customer_id FROM quality_scores
    WHERE tenant_id = :tenant AND checked_at > :moment::timestamptz - interval '1 minute' LIMIT :limit
""")
_ROOM = "SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"
_BASE = "c.tenant_id = :tenant AND c.erased_at IS NULL"
_SOME = "{0}.customer_id = ANY (:among::uuid[])"
_NTH = "(:segments::uuid[])[{0}]"
# An interval is never empty, whatever the clocks of two transactions say.
_WRITE = """
    WITH meant AS MATERIALIZED ({meant}),
    gone AS (
        UPDATE segment_members m SET left_at = greatest(now(), m.entered_at + interval '1 microsecond')
        WHERE m.tenant_id = :tenant AND m.segment_id = ANY (:segments::uuid[]) AND m.left_at IS NULL AND {some_m}
            AND NOT EXISTS (SELECT FROM meant t WHERE t.segment_id = m.segment_id AND t.customer_id = m.customer_id)
        RETURNING m.segment_id, m.customer_id
    ), come AS (
        INSERT INTO segment_members (tenant_id, segment_id, customer_id, entered_at)
        SELECT :tenant, t.segment_id, t.customer_id, now() FROM meant t WHERE NOT EXISTS (
            SELECT FROM segment_members m WHERE m.tenant_id = :tenant AND m.segment_id = t.segment_id
                AND m.customer_id = t.customer_id AND m.left_at IS NULL)
        RETURNING segment_id, customer_id
    ), told AS (
        INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
        SELECT :tenant, x.customer_id, x.segment_id, 'segment', x.kind
        FROM (SELECT *, 'left' AS kind FROM gone UNION ALL SELECT *, 'entered' FROM come) x
        WHERE x.segment_id = ANY (:told::uuid[])
    )
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM come)
"""
_COMPUTED = sql("""
    UPDATE segments SET state = 'ready', computed_at = now(), xid = :horizon, change_id = 0, computed_on = :today::date,
        rfm_snapshot = :rfm_snapshot, abc_snapshot = :abc_snapshot,
        next_turn = CASE WHEN segment_id = ANY (:turning::uuid[]) THEN :today::date + 1 END
    WHERE tenant_id = :tenant AND segment_id = ANY (:ids::uuid[])
""")
_BROKEN = sql("""
    UPDATE segments SET state = 'broken' WHERE tenant_id = :tenant AND segment_id = :segment_id AND state <> 'broken'
""")
_STATE = sql(STATE)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    horizon: int
    time_zone: str
    currency: str
    segments: Sequence[Live]
    snapshots: Mapping[str, int]
    aged: bool


class PgSegmentRefreshing:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._horizon = 0
        self._snapshots: Mapping[str, int] = {}
        self._used: list[UUID] = []
        self._stale: bool | None = None
        self._always = False

    async def begin(self) -> Begun | None:
        row = await self._session.fetchrow(_BEGIN)
        if row is None or not row["mine"]:
            return None
        self._horizon = int(row["horizon"])
        self._snapshots = _snapshots(row)
        found = await self._session.fetch(_LIVE, horizon=self._horizon)
        segments = [
            Live(
                segment_id=one["segment_id"],
                rule_text=one["rule_text"],
                uses=frozenset(one["uses"]),
                built=one["state"] == "ready",
                told=one["computed_at"] is not None,
                place=(one["xid"], one["change_id"]),
                computed_on=one["computed_on"],
                computed_at=one["computed_at"],
                snapshots=_snapshots(one),
            )
            for one in found
        ]
        self._used = sorted({used for one in segments for used in one.uses})
        if segments:
            await self._session.command(_ROOM)
        return Begun(
            horizon=self._horizon,
            time_zone=row["time_zone"],
            currency=row["currency"],
            segments=segments,
            snapshots=self._snapshots,
            aged=any(one["aged"] for one in found),
        )

    async def changed(self, place: tuple[int, int], limit: int) -> list[UUID]:
        xid, change_id = place
        rows = await self._session.fetch(
            _CHANGED, xid=xid, change_id=change_id, horizon=self._horizon, used=self._used, limit=limit
        )
        return [row["customer_id"] for row in rows]

    async def turned(self, asked: Asked, turned: Turned, limit: int) -> list[UUID]:
        values: dict[str, object] = {"limit": limit}
        found = [
            *_by_fields(asked, turned, values),
            *_by_birthdays(turned, values),
            *(
                one
                for occasion, days in turned.anniversaries
                for one in _by_anniversaries(asked, occasion, days, values)
            ),
            *(one for span in turned.purchases for one in _by_purchases(asked, span, values)),
        ]
        if not found:
            return []
        statement = sql(f"SELECT DISTINCT x.customer_id FROM ({' UNION ALL '.join(found)}) x LIMIT :limit")
        await self._plan_anew(always=True)
        return [row["customer_id"] for row in await self._session.fetch(statement, **values)]

    async def judged_anew(self, family: str, before: int, after: int, limit: int) -> list[UUID] | None:
        whole, moved = _MOVED[family]
        if not await self._session.fetchval(whole, before=before):
            return None
        return [row["customer_id"] for row in await self._session.fetch(moved, before=before, after=after, limit=limit)]

    async def scored_since(self, moment: datetime, limit: int) -> list[UUID]:
        return [row["customer_id"] for row in await self._session.fetch(_SCORED, moment=moment, limit=limit)]

    async def evaluate(self, due: Sequence[Due], among: Sequence[UUID] | None) -> int:
        some = among is not None
        alone = len(due) == 1
        rules = [
            compile_rule(one.asked, stale=await self._some_stale(one.asked), among=some and alone, prefix=f"r{i}_")
            for i, one in enumerate(due)
        ]
        text = _WRITE.format(
            meant=_meant([rule.where for rule in rules], _SOME.format("c") if some else "true"),
            some_m=_SOME.format("m") if some else "true",
        )
        values: dict[str, object] = {
            "segments": [one.segment_id for one in due],
            "told": [one.segment_id for one in due if one.tell],
        }
        for rule in rules:
            values |= rule.values
        await self._plan_anew(always=some)
        if some:
            return int(await self._session.fetchval(sql(text), among=among, **values))
        # A text of its own is planned for what it is given, while the checks of a million keys keep their plans.
        return int(await self._session.fetchval(sql(f"{text} -- {uuid4()}"), **values))

    async def computed(self, segment_ids: Sequence[UUID], turning: Sequence[UUID], horizon: int, today: date) -> None:
        await self._session.execute(
            _COMPUTED,
            ids=list(segment_ids),
            turning=list(turning),
            horizon=horizon,
            today=today,
            rfm_snapshot=self._snapshots["rfm"],
            abc_snapshot=self._snapshots["abc"],
        )

    async def broken(self, segment_id: UUID) -> None:
        await self._session.execute(_BROKEN, segment_id=segment_id)

    async def _plan_anew(self, *, always: bool) -> None:
        """Few ids and a text that comes again: planned for what it is given. Told only when it changes."""
        if always != self._always:
            self._always = always
            await self._session.command(f"SET LOCAL plan_cache_mode = {'force_custom_plan' if always else 'auto'}")

    async def _some_stale(self, asked: Asked) -> bool:
        """Whether some kept total can't answer today; asked once, for currency and day are those of the tenant."""
        if self._stale is None:
            row = await self._session.fetchrow(_STATE, currency=asked.currency, as_of=asked.today)
            assert row is not None
            self._stale = row["stale"] > 0
        return self._stale


def _meant(rules: Sequence[str], some: str) -> str:
    """Whom each rule means: one alone is planned as a whole; several are asked of each customer in turn, where a clause
    ends a conjunction as soon as it does not hold."""
    customers = f"SELECT {{0}}, c.customer_id FROM customers c{{1}} WHERE {_BASE} AND {some}"
    if len(rules) == 1:
        return f"{customers.format(f'{_NTH.format(1)} AS segment_id', '')} AND {rules[0]}"
    each = ", ".join(f"({_NTH.format(n)}, {rule})" for n, rule in enumerate(rules, 1))
    return customers.format("s.segment_id", f", LATERAL (VALUES {each}) s (segment_id, holds)") + " AND s.holds"


def _snapshots(row: Row) -> Mapping[str, Any]:
    return {family: row[f"{family}_snapshot"] for family in SNAPSHOTS}


def _moments(asked: Asked, span: Span, values: dict[str, object]) -> str:
    """The span as a condition on a moment, with a day to spare."""
    first, last = f"t{len(values)}", f"t{len(values) + 1}"
    values[first] = start_of(span.first - _DAY, asked.time_zone)
    values[last] = start_of(span.last + 2 * _DAY, asked.time_zone)
    return f"BETWEEN :{first}::timestamptz AND :{last}::timestamptz"


def _days(span: Span, values: dict[str, object]) -> str:
    first, last = f"t{len(values)}", f"t{len(values) + 1}"
    values[first], values[last] = span.first, span.last
    return f"BETWEEN :{first}::date AND :{last}::date"


def _by_fields(asked: Asked, turned: Turned, values: dict[str, object]) -> list[str]:
    found = []
    for name, span in turned.fields:
        spec = asked.catalogue.get(name)
        assert spec is not None
        own = f"t{len(values)}"
        values[own] = name.partition(".")[2]
        within = _moments(asked, span, values) if spec.type == "moment" else _days(span, values)
        read = column(spec, own)
        found.append(f"SELECT c.customer_id FROM customers c WHERE c.tenant_id = :tenant AND {read} {within}")
    return found


def _by_birthdays(turned: Turned, values: dict[str, object]) -> list[str]:
    if not turned.birthdays:
        return []
    on_days = _on(turned.birthdays, "c.birth_date", values)
    return [f"SELECT c.customer_id FROM customers c WHERE c.tenant_id = :tenant AND {on_days}"]


def _by_anniversaries(
    asked: Asked, occasion: Occasion, days: frozenset[MonthDay], values: dict[str, object]
) -> list[str]:
    if occasion == "first_order":
        kept = "SELECT t.customer_id FROM purchase_totals t WHERE t.tenant_id = :tenant"
        return [f"{kept} AND {_on(days, 't.first_on', values)}"]
    zone = f"t{len(values)}"
    values[zone] = asked.time_zone
    day = f"(c.{'created_at' if occasion == 'created' else 'status_at'} AT TIME ZONE :{zone}::text)"
    return [f"SELECT c.customer_id FROM customers c WHERE c.tenant_id = :tenant AND {_on(days, day, values)}"]


def _on(days: frozenset[MonthDay], read: str, values: dict[str, object]) -> str:
    """The day falls on one of those of the year."""
    name = f"t{len(values)}"
    values[name] = sorted(month * 100 + day for month, day in days)
    return f"(extract(month FROM {read}) * 100 + extract(day FROM {read}))::int = ANY (:{name}::int[])"


def _by_purchases(asked: Asked, span: Span, values: dict[str, object]) -> list[str]:
    ordered, refunded = _moments(asked, span, values), _days(span, values)
    return [
        f"SELECT o.customer_id FROM orders o WHERE o.tenant_id = :tenant AND o.ordered_at {ordered}",
        f"SELECT f.customer_id FROM refunds f WHERE f.tenant_id = :tenant AND f.refunded_on {refunded}",
    ]
