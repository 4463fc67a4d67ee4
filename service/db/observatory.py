"""The watch over all tenants, without a principal: what was counted comes in here, days are read, signals go out.

The worker goes from tenant to tenant under the role that watches, which sees one tenant at a time; which tenants there
are it asks as the keeper. What people did that the database knows exactly (looks in clear, exports, hand-overs, sales)
is taken over from there for the last two days; the ledger of looks in clear is kept for a month only.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from service.db.errors import translate
from service.db.leaks import WATCH, told
from service.db.session import TRANSLATED, without_principal
from service.domain.ids import new_id
from service.domain.leaks.activity import BITS, Tallies, distinct
from service.domain.leaks.model import Day, Person, Signal
from service.domain.leaks.ports import Gathered
from service.domain.leaks.rules import about
from service.domain.leaks.thresholds import Thresholds

_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('watch ' || $1::int::text, 0))"
_NEXT = "SELECT min(tenant_id) FROM tenants"
_SAVE = f"""
    INSERT INTO staff_activity AS a (tenant_id, staff_id, hour, cards, searches, pages, letters, segments, seen,
        crossings)
    SELECT $1, u.staff_id, date_trunc('hour', now()), u.cards, u.searches, u.pages, u.letters, u.segments,
        u.seen::bit({BITS}), u.crossings
    FROM unnest($2::uuid[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::text[], $9::int[])
        AS u (staff_id, cards, searches, pages, letters, segments, seen, crossings)
    ORDER BY u.staff_id
    ON CONFLICT (tenant_id, staff_id, hour) DO UPDATE SET cards = a.cards + excluded.cards,
        searches = a.searches + excluded.searches, pages = a.pages + excluded.pages,
        letters = a.letters | excluded.letters, segments = a.segments | excluded.segments,
        seen = a.seen | excluded.seen, crossings = a.crossings + excluded.crossings
"""
_TAKE_OVER = """
    WITH done AS (
        SELECT staff_id, date_trunc('hour', taken_at) AS hour, 1 AS reveals, 0 AS exported, 0 AS reassigned, 0 AS sales
        FROM reveals WHERE tenant_id = $1 AND taken_at >= date_trunc('hour', now()) - interval '2 days'
        UNION ALL SELECT staff_id, date_trunc('hour', finished_at), 0, rows, 0, 0
        FROM exports WHERE tenant_id = $1 AND state = 'done'
            AND finished_at >= date_trunc('hour', now()) - interval '2 days'
        UNION ALL SELECT staff_id, date_trunc('hour', created_at), 0, 0, records, 0
        FROM assignments WHERE tenant_id = $1 AND created_at >= date_trunc('hour', now()) - interval '2 days'
        UNION ALL SELECT c.curator_id, date_trunc('hour', o.ordered_at), 0, 0, 0, 1
        FROM orders o JOIN customers c ON c.tenant_id = o.tenant_id AND c.customer_id = o.customer_id
        WHERE o.tenant_id = $1 AND o.ordered_at BETWEEN date_trunc('hour', now()) - interval '2 days' AND now()
            AND o.status NOT IN ('cancelled', 'returned') AND c.curator_id IS NOT NULL
    )
    INSERT INTO staff_activity AS a (tenant_id, staff_id, hour, reveals, exported, reassigned, sales)
    SELECT $1, staff_id, hour, sum(reveals), sum(exported), sum(reassigned), sum(sales)
    FROM done GROUP BY staff_id, hour ORDER BY staff_id, hour
    ON CONFLICT (tenant_id, staff_id, hour) DO UPDATE SET reveals = excluded.reveals, exported = excluded.exported,
        reassigned = excluded.reassigned, sales = excluded.sales
"""
_COVER = """
    INSERT INTO staff_activity (tenant_id, staff_id, hour, covered)
    SELECT $1, staff_id, date_trunc('hour', now()), count(DISTINCT customer_id) FROM reveals
    WHERE tenant_id = $1 AND staff_id = ANY ($2::uuid[]) AND taken_at > now() - interval '30 days'
    GROUP BY staff_id ORDER BY staff_id
    ON CONFLICT (tenant_id, staff_id, hour) DO UPDATE SET covered = excluded.covered
"""
_ACTIVE = """
    SELECT s.staff_id, s.state = 'leaving' AS leaving, (
        SELECT count(*) FROM customers c WHERE c.tenant_id = s.tenant_id AND c.curator_id = s.staff_id
    ) AS base
    FROM staff s WHERE s.tenant_id = $1 AND s.kind = 'person' AND EXISTS (
        SELECT FROM staff_activity a WHERE a.tenant_id = s.tenant_id AND a.staff_id = s.staff_id
            AND a.hour > now() - interval '2 hours')
"""
_DAYS = """
    SELECT a.staff_id, (a.hour AT TIME ZONE $3)::date AS day, bit_count(bit_or(a.seen)) AS seen,
        sum(a.reveals) AS reveals, sum(a.searches) AS searches, sum(a.pages) AS pages,
        sum(a.cards + a.reveals) FILTER (WHERE extract(hour FROM a.hour AT TIME ZONE $3) NOT BETWEEN 6 AND 21) AS night,
        bit_count(bit_or(a.letters)::bit(64)) AS letters, bit_count(bit_or(a.segments)::bit(64)) AS segments,
        sum(a.reassigned) AS reassigned, sum(a.exported) AS exported, sum(a.sales) AS sales, max(a.covered) AS covered,
        sum(a.crossings) AS crossings
    FROM staff_activity a
    WHERE a.tenant_id = $1 AND a.staff_id = ANY ($2::uuid[]) AND a.hour > now() - interval '150 days'
    GROUP BY 1, 2 ORDER BY 1, 2
"""
_HERE = (
    "SELECT time_zone, slug, policies, (now() AT TIME ZONE time_zone)::date AS today FROM tenants WHERE tenant_id = $1"
)
_RAISE = """
    INSERT INTO leak_signals (tenant_id, signal_id, staff_id, kind, severity, about, parts)
    SELECT $1, u.signal_id, u.staff_id, u.kind, u.severity, u.about, u.parts
    FROM jsonb_to_recordset($2::jsonb) AS u (
        signal_id uuid, staff_id uuid, kind text, severity text, about text, parts jsonb)
    ON CONFLICT (tenant_id, staff_id, kind, about) DO NOTHING RETURNING kind
"""
# Old ones are not told to a webhook that is set up later. The next try waits twice as long, an hour at most.
_CLAIM = """
    UPDATE leak_signals g SET attempts = attempts + 1,
        next_try_at = now() + least(interval '1 hour', interval '4 seconds' * 2 ^ least(g.attempts, 12))
    FROM (SELECT signal_id FROM leak_signals WHERE tenant_id = $1 AND delivered_at IS NULL AND next_try_at <= now()
            AND at > now() - interval '7 days' ORDER BY next_try_at LIMIT 50 FOR UPDATE SKIP LOCKED) due, staff s
    WHERE g.tenant_id = $1 AND g.signal_id = due.signal_id AND s.tenant_id = $1 AND s.staff_id = g.staff_id
    RETURNING g.signal_id, g.at, g.staff_id, g.kind, g.severity, g.parts, g.evidence, g.attempts
"""
_DELIVERED = "UPDATE leak_signals SET delivered_at = now() WHERE tenant_id = $1 AND signal_id = $2"
_FORGET = "DELETE FROM staff_activity WHERE tenant_id = $1 AND hour < now() - interval '400 days'"


class PgObservatory:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def tenants(self) -> list[int]:
        found: list[int] = []
        try:
            last: int | None = 0
            while last is not None:
                async with self._as("clientbase_keeper", last) as connection:
                    last = await connection.fetchval(_NEXT)
                if last is not None:
                    found.append(last)
        except TRANSLATED as error:
            raise translate(error) from error
        return found

    async def save(self, taken: Tallies) -> None:
        """Add what was counted to the present hour, one statement a tenant. Raises Unavailable."""
        try:
            for tenant_id in sorted({tenant_id for tenant_id, _ in taken}):
                rows = [(key[1], tally) for key, tally in taken.items() if key[0] == tenant_id]
                async with self._as(WATCH, tenant_id) as connection:
                    await connection.execute(
                        _SAVE,
                        tenant_id,
                        [staff_id for staff_id, _ in rows],
                        [tally.cards for _, tally in rows],
                        [tally.searches for _, tally in rows],
                        [tally.pages for _, tally in rows],
                        [tally.letters for _, tally in rows],
                        [tally.segments for _, tally in rows],
                        [f"{tally.seen:0{BITS}b}" for _, tally in rows],
                        [tally.crossings for _, tally in rows],
                    )
        except TRANSLATED as error:
            raise translate(error) from error

    async def gather(self, tenant_id: int) -> Gathered | None:
        try:
            async with self._as(WATCH, tenant_id) as connection:
                if not await connection.fetchval(_TURN, tenant_id):
                    return None
                here = await connection.fetchrow(_HERE, tenant_id)
                await connection.execute(_TAKE_OVER, tenant_id)
                await connection.execute(_FORGET, tenant_id)
                active = await connection.fetch(_ACTIVE, tenant_id)
                ids = [row["staff_id"] for row in active]
                await connection.execute(_COVER, tenant_id, ids)
                days = await connection.fetch(_DAYS, tenant_id, ids, here["time_zone"])
        except TRANSLATED as error:
            raise translate(error) from error
        return _gathered(here["today"], Thresholds.of(here["policies"]), active, days)

    async def raise_signals(self, tenant_id: int, today: date, found: Sequence[tuple[UUID, Signal]]) -> list[str]:
        if not found:
            return []
        made = [_made(today, staff_id, signal) for staff_id, signal in found]
        try:
            async with self._as(WATCH, tenant_id) as connection:
                return [row["kind"] for row in await connection.fetch(_RAISE, tenant_id, made)]
        except TRANSLATED as error:
            raise translate(error) from error

    async def claim(self, tenant_id: int) -> list[dict[str, Any]]:
        """Signals whose delivery is due, each put off to its next try first."""
        async with self._as(WATCH, tenant_id) as connection:
            here = await connection.fetchrow(_HERE, tenant_id)
            rows = await connection.fetch(_CLAIM, tenant_id)
        return [{"tenant": here["slug"], **told(row)} for row in rows]

    async def delivered(self, tenant_id: int, signal_id: UUID) -> None:
        async with self._as(WATCH, tenant_id) as connection:
            await connection.execute(_DELIVERED, tenant_id, signal_id)

    def _as(self, role: str, tenant_id: int) -> AbstractAsyncContextManager[Any]:
        opening = (
            f"BEGIN; SET LOCAL ROLE {role}; SET LOCAL app.tenant = '{int(tenant_id)}';"
            " SET LOCAL statement_timeout = '120s'"
        )
        return without_principal(self._pool, opening, ending="COMMIT", patience=10)


def _gathered(
    today: date, limits: Thresholds, active: Sequence[Mapping[str, Any]], days: Sequence[Mapping[str, Any]]
) -> Gathered:
    people = []
    for row in active:
        own = [_day(one) for one in days if one["staff_id"] == row["staff_id"]]
        now = own[-1] if own and own[-1].day == today else Day(day=today)
        before = tuple(day for day in own if day.day < today)
        person = Person(staff_id=row["staff_id"], base=row["base"], before=before, leaving=row["leaving"])
        people.append((person, now))
    return Gathered(today=today, limits=limits, people=people)


def _day(row: Mapping[str, Any]) -> Day:
    same = (
        "reveals", "searches", "pages", "night", "letters", "segments", "reassigned", "exported", "sales", "crossings",
    )  # fmt: skip
    return Day(
        day=row["day"],
        cards=distinct(row["seen"]),
        covered=row["covered"] or 0,
        **{name: int(row[name] or 0) for name in same},
    )


def _made(today: date, staff_id: UUID, signal: Signal) -> dict[str, Any]:
    return {
        "signal_id": str(new_id()),
        "staff_id": str(staff_id),
        "kind": str(signal.kind),
        "severity": str(signal.severity),
        "about": about(today, signal),
        "parts": dict(signal.parts),
    }
