"""A read in one round trip: one statement enters the caller's role, reads, and leaves.

A transaction of its own would cost two trips more than such a read itself (a third of the requests that a machine can
answer). Here the role and the settings live as long as the one statement, so whatever happens to it, a connection that
carries a stranger's state can't come of it. What is read is a statement that the connection has prepared under the same
role, since its plan holds the row policies of that role.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from service.db.errors import translate
from service.db.session import TRANSLATED, borrow, quote
from service.db.statement import Statement

_PATIENCE_S = 5.0
_READ = "SELECT entry.read_as($1, $2, $3, $4, $5, $6, $7)"


@dataclass(frozen=True, slots=True)
class Question:
    """A statement whose one row is a text[], under a name that no other has."""

    name: str
    statement: Statement


async def glance(
    pool: asyncpg.Pool,
    acting: tuple[str, ...],
    question: Question,
    values: Mapping[str, object],
    *,
    acquire_timeout: float,
) -> list[str] | None:
    """The answer within the reach of who is `acting` (see `session.settings`), or None where there is none."""
    role = acting[0]
    name = f"{question.name}_as_{role}"
    connection = await borrow(pool, acquire_timeout)
    try:
        if name not in connection.prepared:
            await connection.execute(
                f"BEGIN; SET LOCAL ROLE {role}; PREPARE {name} AS {question.statement.text}; COMMIT"
            )
            connection.prepared.add(name)
        given = ", ".join(quote(str(value)) for value in question.statement.arguments(values))
        call = f"EXECUTE {name}({given})"
        answer: list[str] | None = await connection.fetchval(_READ, *acting, call, timeout=_PATIENCE_S)
    except BaseException as error:
        # Broken off between BEGIN and COMMIT of a preparation, it may be in either.
        with suppress(asyncpg.InterfaceError):
            connection.terminate()
        if isinstance(error, TRANSLATED):
            raise translate(error) from error
        raise
    finally:
        await pool.release(connection)
    return answer
