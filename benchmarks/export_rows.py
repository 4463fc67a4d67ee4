"""`export.csv`: an export of every customer by job, against COPY of the same query to nowhere.

Ours is one call of the service as its worker makes it: rows in reach, contacts masked, formula cells made harmless,
names marked, the file with its hash kept in the database, progress, audit. The reference has none of it and keeps nothing.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from benchmarks.acting import Acting, acting
from benchmarks.base import SLUG, Size, base, subject
from benchmarks.databases import Server
from benchmarks.measure import Row, Sides
from benchmarks.references import copy_customers
from service.domain.access import Scope
from service.domain.exports.policy import ExportRequest

# All but the right to see contacts in clear: most files that leave a company should be of this kind.
_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:") and scope is not Scope.CONTACTS_REVEAL)


@contextmanager
def _all_customers(server: Server, scale: float) -> Iterator[Sides]:
    customers = max(2_000, int(1_000_000 * scale))
    database = base(server, "export", Size(customers=customers, orders=customers))
    plain = asyncio.Runner()
    with plain, acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*_SCOPES, "reach:tenant")) as head:
        connection = plain.run(asyncpg.connect(database.superuser_url))
        plain.run(copy_customers.ready(connection))

        # Nobody is there to agree to the export of a million rows.
        head.command('UPDATE tenants SET policies = \'{"exports": {"approval_above_rows": 10000000}}\'')

        def ours() -> float:
            for command in ("DELETE FROM exports", "DELETE FROM files", "VACUUM file_parts", "CHECKPOINT"):
                head.command(command)
            seconds, rows = _exported(head)
            assert rows == customers, rows
            return seconds

        def reference() -> float:
            seconds, rows, _ = plain.run(copy_customers.copied(connection))
            assert rows == customers, rows
            return seconds

        try:
            yield Sides(ours=ours, reference=reference)
        finally:
            plain.run(connection.close())


ROWS = (Row(name="export.csv", goal=0.5, unit="s", opened=_all_customers),)


def _exported(head: Acting) -> tuple[float, int]:
    """Ask for the file, carry its job out, and say how long that took and how many rows it has."""

    async def once() -> tuple[float, int]:
        service, uow = head.container.services.exports, head.container.services.uow
        request = ExportRequest(what="customers", purpose="A benchmark.")
        started = time.perf_counter()
        export_id, job_id = await service.request(head.principal, request)
        assert job_id is not None
        async with uow.begin(head.principal) as tx:
            job = await tx.jobs.start(job_id)
            await tx.commit()
        assert job is not None
        await service.run(head.principal, job)
        seconds = time.perf_counter() - started
        async with uow.begin(head.principal) as tx:
            card = await tx.exports.card(export_id)
        assert card is not None
        assert card["state"] == "done", card["error"]
        return seconds, int(card["rows"])

    return head.run(once())
