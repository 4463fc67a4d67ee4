"""`quality.scan`: every record of the base examined and what was found kept, by the job that the worker runs, against one
sequential read of the same rows into Python.

The base is one of people's names and contacts with faults in one record of ten. The scan reads in batches, examines in
two processes and keeps findings and scores; every round does all of it again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import orjson

from benchmarks.acting import Acting, acting
from benchmarks.base import SLUG, Size, subject, untidy
from benchmarks.databases import Database, Server
from benchmarks.measure import Row, Side, Sides
from service.db.quality_scanning import ALL_ROWS
from service.domain.access import Scope

_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))
_STATE = "SELECT state, done, total, error FROM jobs WHERE tenant_id = 1 AND job_id = $1"
_LEFT = (
    "SELECT count(*) FROM customers c LEFT JOIN quality_scores q USING (tenant_id, customer_id) WHERE q.score IS NULL"
)


@contextmanager
def _scan(server: Server, scale: float) -> Iterator[Sides]:
    customers = max(2_000, int(1_000_000 * scale))
    database = untidy(server, "quality", Size(customers=customers, orders=0))
    with acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*_SCOPES, "reach:tenant")) as head:
        yield Sides(ours=_scanned(head), reference=_read(head, database))
        if left := head.run(head.onlooker.fetchval(_LEFT)):
            raise RuntimeError(f"{left} records were not examined")


def _scanned(head: Acting) -> Side:
    def once() -> float:
        async def whole() -> float:
            services, runner = head.container.services, head.container.runner
            job_id = await services.quality.start(head.principal, "all")
            payload = {"job": str(job_id), "tenant": SLUG, "staff": str(head.principal.staff_id)}
            started = time.perf_counter()
            await runner.run(orjson.dumps(payload))
            seconds = time.perf_counter() - started
            row = await head.onlooker.fetchrow(_STATE, job_id)
            assert row["state"] == "done", dict(row)
            return seconds

        return head.run(whole())

    return once


def _read(head: Acting, database: Database) -> Side:
    """The same rows as the scan reads, in the order of the ids, parsed and let go."""

    def once() -> float:
        async def whole() -> float:
            connection = await asyncpg.connect(database.superuser_url)
            try:
                started = time.perf_counter()
                async with connection.transaction():
                    async for row in connection.cursor(ALL_ROWS, 1, prefetch=5_000):
                        orjson.loads(row["card"])
                return time.perf_counter() - started
            finally:
                await connection.close()

        return head.run(whole())

    return once


ROWS = (Row(name="quality.scan", goal=0.1, unit="s", opened=_scan),)
