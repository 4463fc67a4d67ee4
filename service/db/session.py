"""The only way to the database: a transaction that knows its principal.

One string opens it: the role of the caller's reach, and the settings that the row policies read. Every exit that
is not a commit rolls back, shielded from cancellation, and a connection that is still inside a transaction when it
comes back to the pool is thrown away, so none ever carries a stranger's state.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import asyncpg
import orjson

from service.db.errors import translate
from service.db.statement import Statement
from service.domain.access import Principal, Reach
from service.domain.errors import Unavailable

# What the driver calls a record: read by column name.
Row = Mapping[str, Any]
REVEAL = "clientbase_reveal"
# The role comes from this table alone, never from a claim.
ROLE = {Reach.OWN: "clientbase_own", Reach.TEAM: "clientbase_team", Reach.TENANT: "clientbase_tenant"}
TRANSLATED = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    UnicodeEncodeError,
)


def quote(value: str) -> str:
    """A literal for a SET; the one place where a value becomes SQL text."""
    if "\x00" in value:
        raise ValueError("a setting can't hold NUL")
    # The E form reads the same whatever standard_conforming_strings says.
    return "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _array(ids: Iterable[UUID]) -> str:
    return "{" + ",".join(str(one) for one in ids) + "}"


def preamble(principal: Principal, *, snapshot: bool = False, timeout_ms: int = 5_000) -> str:
    """The one string that opens a transaction: isolation, role, and who acts for whom."""
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" if snapshot else "BEGIN"
    return (
        f"{begin}; SET LOCAL ROLE {ROLE[principal.reach]}; SET LOCAL app.tenant = '{int(principal.tenant_id)}'; "
        f"SET LOCAL app.subject = '{principal.staff_id}'; SET LOCAL app.reach = '{principal.reach.value}'; "
        f"SET LOCAL app.teams = '{_array(principal.teams)}'; SET LOCAL app.owners = '{_array(principal.owners)}'; "
        f"SET LOCAL statement_timeout = {int(timeout_ms)}"
    )


def settings(principal: Principal) -> tuple[str, ...]:
    """Who acts for whom, in the order that `entry.read_as` takes it."""
    return (
        ROLE[principal.reach],
        str(int(principal.tenant_id)),
        str(principal.staff_id),
        principal.reach.value,
        _array(principal.teams),
        _array(principal.owners),
    )


class PooledConnection(asyncpg.Connection):
    """What the pool holds. By itself the driver would roll an open transaction back at check-in and hand it on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The statements that `glance` has prepared here, by name.
        self.prepared: set[str] = set()

    def get_reset_query(self) -> str:
        # All that we set ends with its transaction; a round trip for each check-in would buy nothing.
        return ""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 (the driver names it)
        """The pool's check-in: refusing makes the pool close the connection."""
        if self.is_in_transaction():
            raise Unavailable("a connection came back inside a transaction")
        await super().reset(timeout=timeout)


async def borrow(pool: asyncpg.Pool, patience: float) -> Any:
    """A connection of the pool; raises Unavailable when none comes free in time."""
    try:
        return await pool.acquire(timeout=patience)
    except TRANSLATED as error:
        raise Unavailable("All database connections are in use, or the database can't be reached.") from error


@asynccontextmanager
async def without_principal(
    pool: asyncpg.Pool, opening: str, *, ending: str = "ROLLBACK", patience: float | None = None
) -> AsyncIterator[Any]:
    """A short transaction of a role without a principal; the connection of a block that fails is thrown away."""
    connection = await pool.acquire(timeout=patience)
    try:
        await connection.execute(opening)
        yield connection
        await connection.execute(ending)
    except BaseException:
        with suppress(asyncpg.InterfaceError):
            connection.terminate()
        raise
    finally:
        await pool.release(connection)


class Session:
    """A borrowed connection inside the caller's transaction. `tenant` is bound for every statement."""

    def __init__(self, connection: Any, principal: Principal) -> None:
        self.connection = connection
        self.principal = principal
        self._bound = {"tenant": principal.tenant_id}
        self._role = ROLE[principal.reach]

    async def fetch(self, statement: Statement, **values: object) -> list[Row]:
        try:
            rows: list[Row] = await self.connection.fetch(
                statement.as_role(self._role), *statement.arguments(self._bound | values)
            )
        except TRANSLATED as error:
            raise translate(error) from error
        return rows

    async def fetchrow(self, statement: Statement, **values: object) -> Row | None:
        try:
            row: Row | None = await self.connection.fetchrow(
                statement.as_role(self._role), *statement.arguments(self._bound | values)
            )
        except TRANSLATED as error:
            raise translate(error) from error
        return row

    async def fetchval(self, statement: Statement, **values: object) -> Any:
        try:
            return await self.connection.fetchval(
                statement.as_role(self._role), *statement.arguments(self._bound | values)
            )
        except TRANSLATED as error:
            raise translate(error) from error

    async def execute(self, statement: Statement, **values: object) -> int:
        """Run it and say how many rows it touched."""
        try:
            status: str = await self.connection.execute(
                statement.as_role(self._role), *statement.arguments(self._bound | values)
            )
        except TRANSLATED as error:
            raise translate(error) from error
        return int(status.rpartition(" ")[2]) if status[-1:].isdigit() else 0

    async def execute_within(self, seconds: float, statement: Statement, **values: object) -> None:
        """Run it, or break it off after that time; the server is told to stop, without a round trip beforehand."""
        try:
            await self.connection.execute(
                statement.as_role(self._role), *statement.arguments(self._bound | values), timeout=seconds
            )
        except TRANSLATED as error:
            raise translate(error) from error

    async def command(self, text: str) -> None:
        """A command without parameters, written in this package (SET LOCAL, SAVEPOINT …)."""
        try:
            await self.connection.execute(text)
        except TRANSLATED as error:
            raise translate(error) from error

    async def stream(
        self, statement: Statement, *, batch: int = 5_000, **values: object
    ) -> AsyncIterator[Sequence[Any]]:
        """Rows in batches by a server-side cursor; memory stays flat."""
        cursor = await self.connection.cursor(statement.as_role(self._role), *statement.arguments(self._bound | values))
        while rows := await cursor.fetch(batch):
            yield rows

    @asynccontextmanager
    async def planned_anew(self) -> AsyncIterator[None]:
        """Plan the statements of the block for what they are given: a plan that was kept may be one for small tables.

        Insert nothing here that has foreign keys; their checks would be planned anew for each row.
        """
        await self.command("SET LOCAL plan_cache_mode = force_custom_plan")
        yield
        await self.command("SET LOCAL plan_cache_mode = auto")

    async def forget_plans(self) -> None:
        """Forget what is planned on this connection, foreign-key checks too, once many rows have come into a table.

        A plan from the time when a table was one page scans all of it for each row that refers to it: a batch of ten
        thousand customers took 42 s instead of 2 s. Planning anew takes milliseconds.
        """
        await self.command("DISCARD PLANS")

    @asynccontextmanager
    async def as_role(self, role: str, *, then: str = "") -> AsyncIterator[None]:
        """Act as a named role of the same principal for a few statements, then as the caller again.

        `then` is a command of that role, sent along.
        """
        await self.command(f"SET LOCAL ROLE {role}; {then}")
        before, self._role = self._role, role
        try:
            yield
        except Exception:
            # Whoever catches it and goes on in this transaction goes on as the caller; a failed one runs nothing more.
            with suppress(Exception):
                await self.command(f"SET LOCAL ROLE {before}")
            raise
        else:
            await self.command(f"SET LOCAL ROLE {before}")
        finally:
            self._role = before


class Transaction:
    """One transaction of one principal; leaving without `commit()` rolls back."""

    def __init__(self, pool: asyncpg.Pool, principal: Principal, opening: str, acquire_timeout: float) -> None:
        self._pool = pool
        self._opening = opening
        self._principal = principal
        self._acquire_timeout = acquire_timeout
        self.session: Session

    async def __aenter__(self) -> Self:
        connection = await borrow(self._pool, self._acquire_timeout)
        self.session = Session(connection, self._principal)
        try:
            await connection.execute(self._opening)
        except BaseException as error:
            await self._leave(broken=True)
            if isinstance(error, TRANSLATED):
                raise translate(error) from error
            raise
        return self

    async def commit(self) -> None:
        """Make it last. What follows in the block runs outside any transaction and sees nothing."""
        await self.session.command("COMMIT")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave(broken=error is not None)

    async def _leave(self, *, broken: bool) -> None:
        connection = self.session.connection
        try:
            # After a cancellation the statement may still be on its way, and the status tells of the time before it.
            busy = not connection.is_closed() and (broken or connection.is_in_transaction())
        except asyncpg.InterfaceError:
            return  # the server closed it, and the pool has taken it back already
        if not busy:
            await self._pool.release(connection)
        elif broken:
            await asyncio.shield(self._roll_back(connection, patience=2))
        else:
            # A block that ended well; a task of its own to shield it would cost more than the rollback.
            await self._roll_back(connection)

    async def _roll_back(self, connection: Any, *, patience: float | None = None) -> None:
        """End the transaction, or the connection where that can't be done."""
        try:
            await connection.execute("ROLLBACK", timeout=patience)
        except BaseException as error:
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
            # The driver's own complaint: a COPY that was broken off is still on its way.
            if not isinstance(error, TRANSLATED):
                raise
        finally:
            await self._pool.release(connection)


async def open_pool(url: str, *, size: int, statement_timeout_s: float = 30) -> asyncpg.Pool:
    """The service's connections. Pools hand out no transaction; the unit of work does."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        connection_class=PooledConnection,
        init=_prepare_connection,
        command_timeout=None,
        # Each statement stands there once for each role that has asked it.
        statement_cache_size=300,
        max_inactive_connection_lifetime=300,
        server_settings={
            "application_name": "clientbase",
            "statement_timeout": str(int(statement_timeout_s * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "timezone": "UTC",
        },
    )


async def _prepare_connection(connection: asyncpg.Connection) -> None:
    # jsonb is data; json is text that the database has written for the wire, and stays text.
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
    )
