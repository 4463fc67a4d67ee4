"""What operators ask of the database: is it ready, is our login harmless, how long are the queue and the pool.

The service's login must be nothing by itself: it owns nothing, may read nothing, and gets its rights only by entering
a role inside a transaction. Whatever can't be asked or answered counts as not ready.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.db.revision import required_revision
from service.db.session import without_principal
from service.domain.errors import Unavailable

_PATIENCE_S = 1.0
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
QUEUE_STATES = ("queued", "picked", "successful", "exception", "canceled", "deleted", "failed")

# What belongs to an extension (pg_stat_statements grants its views to everyone) tells nothing about customers.
_OURS = """c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')"""
_INHERITED = {
    True: "SELECT 1 FROM pg_auth_members m WHERE m.member = l.oid AND m.inherit_option",
    False: "SELECT 1 FROM pg_auth_members m WHERE m.member = l.oid AND l.rolinherit",
}
_LOGIN = """
SELECT l.rolname AS login,
    l.rolsuper AS "is a superuser",
    l.rolbypassrls AS "bypasses row security",
    l.rolreplication AS "may replicate, and so read, everything",
    l.rolcreaterole AS "may create roles, and so enter any",
    EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = l.oid
            AND s.deptype = 'o' AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
        AS "owns objects",
    EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {ours}
            AND (has_table_privilege(l.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                 OR has_any_column_privilege(l.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')))
        AS "has rights on tables without entering a role",
    EXISTS ({inherited}) AS "inherits the rights of a role",
    EXISTS (SELECT FROM pg_roles r WHERE r.oid <> l.oid AND pg_has_role(l.oid, r.oid, 'MEMBER')
            AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole
                 OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                            WHERE c.relowner = r.oid AND {ours})))
        AS "may enter a role that stands above row security"
FROM pg_roles l WHERE l.rolname = session_user
"""


class UnsafeLogin(Exception):
    """The service must not run with this login; `reasons` say why."""

    def __init__(self, login: str, reasons: tuple[str, ...]) -> None:
        super().__init__(
            f"The login {login} {'; it '.join(reasons)}. Use a login of the service's own, as `clientbase migrate` "
            "makes it, in CLIENTBASE_DATABASE__URL."
        )
        self.login = login
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether requests can be served, and what stands in the way."""

    schema: str | None
    required: str
    failures: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.failures


class PgOperations:
    def __init__(self, pool: asyncpg.Pool, *, required: str | None = None) -> None:
        self._pool = pool
        self._required = required or required_revision()

    async def check_login(self) -> None:
        """Refuse to start with a login that could see rows by itself. Raises UnsafeLogin, Unavailable."""
        try:
            async with self._pool.acquire(timeout=10) as connection:
                modern = connection.get_server_version().major >= 16
                row = await connection.fetchrow(_LOGIN.format(ours=_OURS, inherited=_INHERITED[modern]), timeout=10)
        except _TROUBLE as error:
            raise Unavailable("The database did not say what the service's login may do.") from error
        if row is None:
            raise UnsafeLogin("session_user", ("is unknown to the database",))
        reasons = tuple(name for name, unsafe in row.items() if unsafe is True)
        if reasons:
            raise UnsafeLogin(row["login"], reasons)

    async def readiness(self) -> Readiness:
        """Asked within a second, as the role that may read the revision and no record."""
        try:
            rows = await self._ask("clientbase_directory", "SELECT version_num FROM public.alembic_version")
        except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError, asyncpg.UndefinedObjectError):
            return self._unready("The database holds no schema of this service; run `clientbase migrate`.")
        except _TROUBLE:
            return self._unready(f"The database gave no answer within {_PATIENCE_S:g} s.")
        schema = max((str(row["version_num"]) for row in rows), default="")
        # Revisions are moments, so their text has their order; a later one was made to serve this version too.
        if schema < self._required:
            return self._unready(f"The schema is older than {self._required}; run `clientbase migrate`.", schema)
        return Readiness(schema=schema, required=self._required)

    async def queue_states(self) -> Mapping[str, int]:
        """How many jobs wait and run in the queue, every state named. Raises Unavailable."""
        try:
            rows = await self._ask(
                "clientbase_queue", "SELECT status::text AS state, count(*) AS jobs FROM jobs.pgqueuer GROUP BY status"
            )
        except _TROUBLE as error:
            raise Unavailable("The queue can't be read.") from error
        return dict.fromkeys(QUEUE_STATES, 0) | {row["state"]: row["jobs"] for row in rows}

    def pool_numbers(self) -> Mapping[str, int]:
        """Connections of this process: open, idle and the most there may be."""
        open_now, idle = self._pool.get_size(), self._pool.get_idle_size()
        return {"open": open_now, "idle": idle, "busy": open_now - idle, "most": self._pool.get_max_size()}

    def _unready(self, failure: str, schema: str | None = None) -> Readiness:
        return Readiness(schema=schema or None, required=self._required, failures=(failure,))

    async def _ask(self, role: str, query: str) -> list[Any]:
        """Rows of one query under a role; a connection that fails or keeps us waiting is thrown away."""
        async with asyncio.timeout(_PATIENCE_S):
            async with without_principal(self._pool, f"BEGIN READ ONLY; SET LOCAL ROLE {role}") as connection:
                rows: list[Any] = await connection.fetch(query)
            return rows
