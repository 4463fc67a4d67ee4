"""`segments.refresh`: two hundred live segments brought up to date after a thousand customers have changed, as the
worker does it, against a full rebuild of the same segments.

The rules are those that people keep: places, tags, statuses, figures of all time and of the last days, birthdays. Each
time other customers change; what counts is the time from the word of the changes to the commit. Once both are through,
the members must be the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count

from benchmarks.acting import Acting, acting
from benchmarks.base import AS_OF, SLUG, Size, base, subject
from benchmarks.databases import Server
from benchmarks.measure import Row, Side, Sides
from service.clock import SystemClock
from service.db.unit_of_work import PgUnitOfWork
from service.domain.access import Scope
from service.domain.ids import new_id
from service.domain.rules.parsing import parse
from service.domain.segments.model import NewSegment, Ruled
from service.domain.segments.refreshing import Refreshed, SegmentRefresher

_CHANGED = 1_000
_CITIES = ("Москва", "Санкт-Петербург", "Казань", "Пермь", "Омск", "Тула", "Самара", "Уфа", "Сочи", "Тверь")
# Twenty shapes for each of ten cities.
_SHAPES = (
    'city = "{city}"',
    'city = "{city}" and tags has any ("vip")',
    'city = "{city}" and status = customer',
    'city != "{city}" and status in (customer, lapsed) and tags has any ("опт")',
    'city = "{city}" and orders.sum >= 50000',
    'city = "{city}" and orders.count = 0',
    'city = "{city}" and orders.count between 2 and 5',
    'city = "{city}" and orders.avg >= 3000',
    'city = "{city}" and orders.last < today - 180 days',
    'city = "{city}" and orders.first >= today - 365 days',
    'city = "{city}" and orders.sum(last 365 days) >= 20000',
    'city = "{city}" and orders.count(last 90 days) >= 2',
    'city = "{city}" and orders.max(last 730 days) > 10000',
    'city = "{city}" and birthday within 7 days',
    'city = "{city}" and not (tags has any ("vip") or curator is missing)',
    'region starts with "Область 1" and city = "{city}"',
    'city = "{city}" and attributes.size > 20',
    'city = "{city}" and contacts has any (email) and status != archived',
    'city in ("{city}", "Казань") and birth_date < 1970-01-01',
    'city = "{city}" or (tags has all ("vip", "опт") and orders.sum(last 30 days) > 0)',
)
_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))
_ATTRIBUTE = """INSERT INTO attribute_definitions (tenant_id, name, kind, label) VALUES (1, 'size', 'number', 'Size')
    ON CONFLICT DO NOTHING"""
# A thousand of the base, each round others, move to another city and get or lose a tag.
_CHANGE = """
    WITH chosen AS MATERIALIZED (SELECT customer_id FROM customers WHERE tenant_id = 1
        AND hashtextextended(customer_id::text, $1) % greatest((SELECT count(*) FROM customers) / $2 / 2, 1) = 0 LIMIT $2),
    moved AS (
        UPDATE customers c SET city = (ARRAY['Казань', 'Пермь', 'Омск'])[1 + ($1 % 3)::int],
            tags = CASE WHEN 'vip' = ANY (c.tags) THEN '{}' ELSE ARRAY['vip', 'опт'] END, version = c.version + 1
        FROM chosen s WHERE c.tenant_id = 1 AND c.customer_id = s.customer_id RETURNING c.customer_id)
    INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
    SELECT 1, customer_id, customer_id, 'customer', 'updated' FROM moved
"""
_ALL_TOLD = """SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint > max(xid) FROM changes
    WHERE tenant_id = 1"""
_MEMBERS = """SELECT md5(string_agg(segment_id || ':' || customer_id, ',' ORDER BY segment_id, customer_id))
    FROM segment_members WHERE tenant_id = 1 AND left_at IS NULL"""


class _AsOf(SystemClock):
    """The day on which the base ends."""

    def today(self, time_zone: str) -> date:
        return AS_OF


@contextmanager
def _refresh(server: Server, scale: float) -> Iterator[Sides]:
    customers = max(2_000, int(1_000_000 * scale))
    database = base(server, "segments", Size(customers=customers, orders=10 * customers))
    changed = max(20, int(_CHANGED * min(1.0, scale * 10)))
    with acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*_SCOPES, "reach:tenant")) as head:
        uow = PgUnitOfWork(head.container.pool)
        refresher = SegmentRefresher(uow, _AsOf(), _no_tenants)
        head.command("DELETE FROM segments WHERE tenant_id = 1")
        head.command(_ATTRIBUTE)
        head.run(_keep(uow, head))
        head.run(refresher.refresh_tenant(1))
        head.command("VACUUM (ANALYZE) segment_members")
        rounds = count(1)

        async def written() -> None:
            await head.onlooker.execute(_CHANGE, next(rounds), changed)
            # The server's own work may hold the horizon back for a moment.
            while not await head.onlooker.fetchval(_ALL_TOLD):
                await asyncio.sleep(0.01)

        def write() -> None:
            head.run(written())

        write()
        head.run(refresher.refresh_tenant(1))
        _agree(head, refresher)
        yield Sides(
            ours=_after(head, write, lambda: refresher.refresh_tenant(1)),
            reference=_after(head, write, lambda: refresher.rebuild_tenant(1)),
        )


async def _no_tenants() -> list[int]:
    return []


async def _keep(uow: PgUnitOfWork, head: Acting) -> None:
    async with uow.begin(head.principal) as tx:
        for city in _CITIES:
            for number, shape in enumerate(_SHAPES):
                text = shape.format(city=city)
                parse(text)
                ruled = Ruled(rule={}, text=text, uses={})
                await tx.saved_segments.add(new_id(), NewSegment(name=f"{city} {number}", ruled=ruled))
        await tx.commit()


def _agree(head: Acting, refresher: SegmentRefresher) -> None:
    before = head.run(head.onlooker.fetchval(_MEMBERS))
    moved = head.run(refresher.rebuild_tenant(1)).moved
    if moved or before != head.run(head.onlooker.fetchval(_MEMBERS)):
        raise RuntimeError(f"a rebuild moves {moved} members that the refresh had left")


def _after(head: Acting, write: Callable[[], None], work: Callable[[], Awaitable[Refreshed]]) -> Side:
    def once() -> float:
        write()

        async def timed() -> float:
            started = time.perf_counter()
            done = await work()
            seconds = time.perf_counter() - started
            assert done.segments >= len(_CITIES) * len(_SHAPES)
            return seconds

        return head.run(timed())

    return once


ROWS = (Row(name="segments.refresh", goal=50, unit="s", opened=_refresh),)
