"""A connection never carries a stranger's state.

A unit of work is cancelled, broken and killed between every two of its statements, and inside each of them; then the
next caller looks around on the same connection (the pool has one): no transaction, no role, no settings, nothing of
what the first one wrote and did not commit; and nothing that the first one still holds can commit for the next.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest

from service.db import session
from service.db.directory import PgDirectory
from service.db.operations import PgOperations
from service.db.session import Transaction, open_pool
from service.db.statement import sql
from service.db.unit_of_work import PgTransaction, PgUnitOfWork
from service.domain.access import Principal
from service.domain.customers.contacts import normalise
from service.domain.customers.model import Contact, ExternalId, Record
from service.domain.customers.ports import Written
from service.domain.errors import Conflict, Unavailable
from service.domain.ids import new_id
from tests.db.stepping import MOMENTS, Fault, Moment, Planted, SteppingPool
from tests.postgres import TestDatabase
from tests.support import a_tenant

_LOOK = """
SELECT current_user = session_user AS nobody, current_setting('app.tenant', true) AS tenant,
    current_setting('app.subject', true) AS subject, current_setting('app.reach', true) AS reach,
    current_setting('app.teams', true) AS teams, current_setting('app.owners', true) AS owners,
    current_setting('app.slug', true) AS slug, current_setting('statement_timeout') AS patience,
    current_setting('transaction_isolation') AS isolation, pg_current_xact_id_if_assigned() IS NULL AS unwritten,
    (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'transactionid')) AS locks
"""
_CLEAN = {
    "nobody": True,
    "tenant": "",
    "subject": "",
    "reach": "",
    "teams": "",
    "owners": "",
    "slug": "",
    "patience": "30s",
    "isolation": "read committed",
    "unwritten": True,
    "locks": 0,
}
_TRACES = sql("""
    SELECT (SELECT count(*) FROM customers WHERE tenant_id = :tenant AND customer_id = :id) AS record,
        (SELECT count(*) FROM audit WHERE tenant_id = :tenant AND entity_id = :id) AS audit,
        (SELECT count(*) FROM contact_details WHERE tenant_id = :tenant AND customer_id = :id) AS contacts
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A pool of one connection, and two people of one tenant who take turns on it."""

    pool: asyncpg.Pool
    first: Principal
    next_one: Principal
    service_url: str

    async def kill(self, pid: int) -> None:
        connection = await asyncpg.connect(self.service_url)
        try:
            await connection.execute("SELECT pg_terminate_backend($1::int, 5000)", pid)
        finally:
            await connection.close()


@asynccontextmanager
async def _stage(database: TestDatabase) -> AsyncIterator[Stage]:
    pool = await open_pool(database.service_url, size=1)
    try:
        tenant = await a_tenant(pool, database.owner_url, database.service_url)
        first, next_one = await tenant.staff(reach="tenant"), await tenant.staff(reach="tenant")
        yield Stage(pool=pool, first=first, next_one=next_one, service_url=database.service_url)
    finally:
        await asyncio.wait_for(pool.close(), 10)


def _written(principal: Principal) -> Written:
    form = normalise("email", "anna@example.com", "RU")
    return Written(
        customer_id=new_id(),
        record=Record(family_name="Иванова", curator_id=principal.staff_id),
        contacts=[Contact(form=form, lookup=bytes(16), label=None, is_primary=True)],
        external_ids=[ExternalId(external_id=str(new_id()))],
    )


async def _write(tx: PgTransaction, written: Written) -> None:
    await tx.session.fetchval(sql("SELECT pg_advisory_xact_lock(1)"))
    await tx.customers.insert([written])
    await tx.journal.audit("customers.create", "customer", written.customer_id)
    async with tx.reveals.turn():
        assert (await tx.reveals.take([written.customer_id])).fresh == 1
        assert len(await tx.reveals.clear([written.customer_id])) == 1


async def _commits(uow: PgUnitOfWork, principal: Principal, written: Written) -> None:
    async with uow.begin(principal, snapshot=True, timeout_ms=4_000) as tx:
        await _write(tx, written)
        await tx.commit()


async def _gives_up(uow: PgUnitOfWork, principal: Principal, written: Written) -> None:
    with suppress(Conflict):
        async with uow.begin(principal, snapshot=True, timeout_ms=4_000) as tx:
            await _write(tx, written)
            raise Conflict


async def _reads(uow: PgUnitOfWork, principal: Principal, written: Written) -> None:
    async with uow.begin(principal) as tx:
        await tx.customers.card(written.customer_id)


async def _glances(uow: PgUnitOfWork, principal: Principal, written: Written) -> None:
    await uow.customer_card(principal, written.customer_id)


Scenario = Callable[[PgUnitOfWork, Principal, Written], Awaitable[None]]
_SCENARIOS: tuple[Scenario, ...] = (_commits, _gives_up, _reads, _glances)


async def _look(pool: asyncpg.Pool) -> None:
    """What a caller sees who takes the connection bare."""
    async with pool.acquire(timeout=5) as connection:
        assert not connection.is_in_transaction()
        (seen,) = await connection.fetch(_LOOK)
        assert {name: "" if value is None else value for name, value in seen.items()} == _CLEAN
        # In an open transaction the clock would stand still.
        assert await connection.fetchval("SELECT now()") < await connection.fetchval("SELECT now()")


async def _look_as_next(stage: Stage, customer_id: UUID) -> bool:
    """The next caller sees all that the first one wrote, or nothing of it; says which."""
    async with PgUnitOfWork(stage.pool).begin(stage.next_one) as tx:
        traces = await tx.session.fetchrow(_TRACES, id=customer_id)
        assert traces is not None
        assert len(set(traces.values())) == 1
        return bool(traces["record"])


async def _late_commit(stage: Stage, held: Transaction | None) -> None:
    """The first caller's handle, used after he has left, changes nothing for the next."""
    written = _written(stage.next_one)
    async with PgUnitOfWork(stage.pool).begin(stage.next_one) as tx:
        await tx.customers.insert([written])
        if held is not None and hasattr(held, "session"):
            with pytest.raises(Unavailable):
                await held.commit()
        assert tx.session.connection.is_in_transaction()
    assert not await _look_as_next(stage, written.customer_id)


async def _check(stage: Stage, written: Written, held: Transaction | None, *, may_last: bool) -> None:
    await _look(stage.pool)
    lasted = await _look_as_next(stage, written.customer_id)
    assert may_last or not lasted
    await _late_commit(stage, held)
    await _look(stage.pool)


class _Recording(PgUnitOfWork):
    """Keeps the handle that the first caller got."""

    held: PgTransaction | None = None

    def begin(self, principal: Principal, *, snapshot: bool = False, timeout_ms: int = 5_000) -> PgTransaction:
        self.held = super().begin(principal, snapshot=snapshot, timeout_ms=timeout_ms)
        return self.held


async def _struck(stage: Stage, scenario: Scenario, at: int, moment: Moment) -> bool:
    """One run with one fault, then the look around. False when the work was over before the fault's turn came."""
    fault = Fault(at=at, moment=moment, kill=stage.kill)
    uow = _Recording(cast(asyncpg.Pool, SteppingPool(stage.pool, fault)))
    written = _written(stage.first)
    fault.victim = asyncio.ensure_future(scenario(uow, stage.first, written))
    await asyncio.wait([fault.victim])
    if not fault.struck:
        fault.victim.result()
        return False
    _assert_told(fault, losing=scenario is _commits)
    await _check(stage, written, uow.held, may_last=scenario is _commits)
    return True


def _assert_told(fault: Fault, *, losing: bool) -> None:
    """The first caller hears what happened; only where a lost connection takes nothing from him, he need not."""
    assert fault.victim is not None
    if fault.moment.startswith("cancel"):
        assert fault.victim.cancelled()
    elif fault.moment.startswith("raise"):
        assert isinstance(fault.victim.exception(), Planted)
    else:
        lost = fault.victim.exception()
        assert isinstance(lost, Unavailable) or (lost is None and not losing)


async def _walk(stage: Stage, scenario: Scenario) -> int:
    """Every moment of every statement; how many statements there are."""
    at = 1
    while True:
        struck = [await _struck(stage, scenario, at, moment) for moment in MOMENTS]
        if not any(struck):
            return at - 1
        at += 1


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda one: one.__name__.strip("_"))
def test_the_next_caller_finds_a_clean_connection_whatever_befell_the_first(
    database: TestDatabase, scenario: Scenario
) -> None:
    async def run() -> int:
        async with _stage(database) as stage:
            return await _walk(stage, scenario)

    # The statements that there are to strike at.
    fewest: dict[Scenario, int] = {_reads: 3, _glances: 2}
    assert asyncio.run(run()) >= fewest.get(scenario, 11)


def test_who_asks_for_a_principal_or_for_readiness_leaves_nothing_behind(database: TestDatabase) -> None:
    async def ask_directory(pool: Any, principal: Principal) -> None:
        await PgDirectory(pool).by_subject(principal.tenant, principal.subject, ())

    async def ask_operations(pool: Any, _: Principal) -> None:
        await PgOperations(pool).readiness()

    async def run() -> None:
        async with _stage(database) as stage:
            for ask in (ask_directory, ask_operations):
                for at in (1, 2, 3):
                    for moment in MOMENTS:
                        fault = Fault(at=at, moment=moment, kill=stage.kill)
                        fault.victim = asyncio.ensure_future(ask(SteppingPool(stage.pool, fault), stage.first))
                        await asyncio.wait([fault.victim])
                        assert fault.struck
                        _assert_told(fault, losing=False)
                        await _look(stage.pool)

    asyncio.run(run())


def test_a_second_cancellation_does_not_stop_the_rollback(database: TestDatabase) -> None:
    async def run() -> None:
        async with _stage(database) as stage:
            for pauses in range(8):
                written = _written(stage.first)
                opened = asyncio.Event()

                async def work(written: Written = written, opened: asyncio.Event = opened) -> None:
                    async with PgUnitOfWork(stage.pool).begin(stage.first) as tx:
                        await _write(tx, written)
                        opened.set()
                        await asyncio.sleep(60)

                task = asyncio.ensure_future(work())
                await opened.wait()
                task.cancel()
                for _ in range(pauses):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
                await _check(stage, written, None, may_last=False)

    asyncio.run(run())


def test_a_caller_cancelled_while_he_waits_leaves_the_connection_to_the_others(database: TestDatabase) -> None:
    async def run() -> None:
        async with _stage(database) as stage:
            for pauses in range(12):
                held = await stage.pool.acquire()
                task = asyncio.ensure_future(_reads(PgUnitOfWork(stage.pool), stage.first, _written(stage.first)))
                await asyncio.sleep(0)
                release = asyncio.ensure_future(stage.pool.release(held))
                for _ in range(pauses):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task, release])
                await _look(stage.pool)

    asyncio.run(run())


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT 1 / 0", "SELECT pg_sleep(30)"])
def test_a_connection_that_comes_back_inside_a_transaction_is_thrown_away(
    database: TestDatabase, statement: str
) -> None:
    """Whether the transaction is open, has failed, or was only on its way when its caller was cancelled."""

    async def run() -> None:
        async with _stage(database) as stage:
            connection = await stage.pool.acquire()
            pid = connection.get_server_pid()
            with suppress(asyncpg.DivisionByZeroError, TimeoutError):
                async with asyncio.timeout(0.3):
                    await connection.execute(f"BEGIN; SET LOCAL ROLE clientbase_tenant; {statement}")
            with pytest.raises(Unavailable):
                await stage.pool.release(connection)
            async with stage.pool.acquire() as another:
                assert another.get_server_pid() != pid
            await _look(stage.pool)

    asyncio.run(run())


async def _without_rollback(self: Transaction, *, broken: bool) -> None:
    await self._pool.release(self.session.connection)


async def _nothing(*_: object, **__: object) -> None:
    return None


def test_the_check_turns_red_when_nothing_is_rolled_back(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect: neither our exit nor the check-in, where the driver does it too, ends the transaction."""
    monkeypatch.setattr(Transaction, "_leave", _without_rollback)
    monkeypatch.setattr(session.PooledConnection, "reset", _nothing)

    async def run() -> None:
        async with _stage(database) as stage:
            await _struck(stage, _commits, 5, "raise after")

    with pytest.raises(AssertionError, match="is_in_transaction"):
        asyncio.run(run())


def test_the_check_turns_red_when_a_setting_outlives_its_transaction(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = session.preamble

    def lasting(principal: Principal, *, snapshot: bool = False, timeout_ms: int = 5_000) -> str:
        return opening(principal, snapshot=snapshot, timeout_ms=timeout_ms).replace("SET LOCAL app.", "SET app.")

    monkeypatch.setattr("service.db.unit_of_work.preamble", lasting)

    async def run() -> None:
        async with _stage(database) as stage:
            await _commits(PgUnitOfWork(stage.pool), stage.first, _written(stage.first))
            await _look(stage.pool)

    with pytest.raises(AssertionError, match="tenant"):
        asyncio.run(run())
