"""`import.*`: a file on its way through the service and its worker, against COPY of the very rows that it became.

Ours begins with the file in hand and ends when the import says that it is done: taking the file in, the queue, parsing,
validation, rejects, totals and the journal are all inside. Each measurement has a database of its own that was empty.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from benchmarks.acting import Acting, acting
from benchmarks.databases import ROOT, Database, Server
from benchmarks.measure import Row, Sides
from benchmarks.references import copy_rows
from service.db.tenancy import add_staff, create_tenant
from service.domain.access import Scope
from service.domain.ingestion.service import Upload

_LINES = ROOT.parent / "shared" / "data" / "A_transactions" / "online_retail_2010-12_2011-05.csv.gz"
_PIECE = 1 << 18
_SLUG, _WHO = "bench", "head"
_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))


@contextmanager
def _order_lines(server: Server, scale: float) -> Iterator[Sides]:
    """The real file whole, whatever the scale: a part of it would no longer be one."""
    if not _LINES.exists():
        raise FileNotFoundError(f"This row imports a public file, which belongs at {_LINES.name} in shared/data.")
    dump: copy_rows.Dump = {}
    parents: copy_rows.Dump = {}

    def ours() -> float:
        database = _with_tenant(server, "bench_import")
        with acting(database, tenant=_SLUG, subject=_WHO, scopes=(*_SCOPES, "reach:tenant"), worker=True) as head:
            head.until_worker_listens()
            head.command("CHECKPOINT")
            seconds = _imported(head, _LINES)
            if not dump:
                parents.update(head.run(copy_rows.dumped(head.onlooker, copy_rows.PARENTS)))
                dump.update(head.run(copy_rows.dumped(head.onlooker, copy_rows.TABLES)))
        return seconds

    def reference() -> float:
        if not dump:
            ours()
        database = server.fresh("bench_copy")
        return _copied(database, parents, dump)

    yield Sides(ours=ours, reference=reference)


ROWS = (Row(name="import.order_lines", goal=0.33, unit="s", opened=_order_lines),)


def _with_tenant(server: Server, name: str) -> Database:
    database = server.fresh(name)

    async def filled() -> None:
        tenant = await create_tenant(
            database.owner_url, slug=_SLUG, name="Bench", time_zone="Europe/London", currency="GBP"
        )
        scopes = (*_SCOPES, "reach:tenant")
        await add_staff(database.owner_url, tenant, subject=_WHO, name="Head", scopes=scopes)

    asyncio.run(filled())
    return database


def _imported(head: Acting, path: Path) -> float:
    """From the file in hand to the end of its import, in seconds."""
    started = time.perf_counter()
    upload = Upload(name=path.name, content=_pieces(path))
    import_id = head.run(head.container.services.ingestion.accept(head.principal, upload))
    head.until_done("imports", "import_id", import_id)
    return time.perf_counter() - started


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _copied(database: Database, parents: copy_rows.Dump, dump: copy_rows.Dump) -> float:
    async def once() -> float:
        connection = await asyncpg.connect(database.superuser_url)
        try:
            await copy_rows.copied(connection, parents)
            await connection.execute("CHECKPOINT")
            return await copy_rows.copied(connection, dump)
        finally:
            await connection.close()

    return asyncio.run(once())
