"""Every operation that changes something leaves a row in the audit trail, and so does what shows contacts in clear.

They are read from the OpenAPI document: one that is added later takes part by itself.
"""

import asyncio
from dataclasses import replace

import asyncpg

from tests.api.support import Api, api
from tests.api.test_examples import _OPERATIONS, Trial
from tests.postgres import TestDatabase
from tests.support import a_tenant

# They change nothing and show nothing in clear, though they are no GET: what is asked stands in the body.
_ONLY_READ = {"customers.search", "quality.check"} | {
    f"segments.{name}" for name in ("explain", "overlap", "parse", "preview")
}
# A GET that shows contacts, or what may hold some, in clear.
_CLEAR = {"customers.access_report", "exports.file", "imports.rejects", "audit.list"}
_COUNT = "SELECT count(*) FROM audit WHERE tenant_id = $1 AND outcome = 'done'"


def told(name: str, method: str) -> bool:
    return name in _CLEAR or (method != "GET" and name not in _ONLY_READ)


def test_what_is_named_as_an_exception_exists() -> None:
    assert {"customers.search", *_CLEAR} <= set(_OPERATIONS)


async def _unaudited(world: Api, root: asyncpg.Connection, name: str) -> str | None:
    tenant = await a_tenant(world.container.pool, world.database.owner_url, world.database.service_url)
    here = replace(world, tenant=tenant)
    trial = Trial(here, await here.client(), await here.client(reach="own"), await here.client())
    try:
        await trial.prepare(name)
        before = await root.fetchval(_COUNT, tenant.tenant_id)
        await trial.carry_out(name)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None if await root.fetchval(_COUNT, tenant.tenant_id) > before else "left no row in the audit trail"


def test_every_operation_that_changes_something_leaves_a_row(database: TestDatabase) -> None:
    asked = [name for name, one in _OPERATIONS.items() if not name.startswith("ops.") and told(name, one.method)]
    assert len(asked) > 45

    async def run() -> dict[str, str]:
        faults: dict[str, str] = {}
        async with api(database) as world:
            root = await asyncpg.connect(database.service_url)
            await root.execute("SET ROLE clientbase_sealer; SET app.tenant = '0'")  # the one who sees every trail
            try:
                for name in asked:
                    if (fault := await _unaudited(world, root, name)) is not None:
                        faults[name] = fault
            finally:
                await root.close()
        return faults

    faults = asyncio.run(run())
    assert faults == {}, "\n".join(f"{name}: {fault}" for name, fault in faults.items())
