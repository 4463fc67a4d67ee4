"""Bring a database to this version: the schema by Alembic as the owner, then the service's login.

Run by an operator (`clientbase migrate`), by the demo and the embedded default; never by a replica's start.
"""

import asyncio
import re

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from service.db.revision import SCRIPTS

_LOGIN = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# What the service may become within a transaction; the operator's role is left out on purpose.
SERVICE_ROLES = (
    "clientbase_own",
    "clientbase_team",
    "clientbase_tenant",
    "clientbase_reveal",
    "clientbase_directory",
    "clientbase_queue",
    "clientbase_keeper",
    "clientbase_eraser",
    "clientbase_watch",
    "clientbase_sealer",
    "clientbase_quality",
    "clientbase_merge",
    "clientbase_mender",
    "clientbase_linkage",
)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def sqlalchemy_url(url: str) -> str:
    """The same address for SQLAlchemy, whichever of the usual schemes it was written with."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+asyncpg://", url)


async def upgrade(owner_url: str, *, revision: str = "head", downgrade: bool = False) -> None:
    """Run the migrations up (or down) to a revision, one transaction each."""
    engine = create_async_engine(sqlalchemy_url(owner_url), poolclass=NullPool)
    move = command.downgrade if downgrade else command.upgrade
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: move(_config(sync), revision))
            await connection.commit()
    finally:
        await engine.dispose()


async def admit_login(owner_url: str, login: str, password: str | None) -> None:
    """Let the service's login enter the roles it needs; make the login where it does not exist yet."""
    if not _LOGIN.fullmatch(login):
        raise ValueError("the service's login must be a plain lower-case name")
    engine = create_async_engine(sqlalchemy_url(owner_url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))"))
            await _create_login(connection, login, password)
            await connection.execute(
                text(
                    f"DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {login}', current_database()); END $$"
                )
            )
            for role in SERVICE_ROLES:
                await _admit(connection, role, login)
            await connection.execute(text(f"GRANT USAGE ON SCHEMA entry TO {login}"))
            await connection.execute(text(f"GRANT EXECUTE ON FUNCTION entry.read_as TO {login}"))
            await _admit(connection, "clientbase_operator", "CURRENT_USER")
    finally:
        await engine.dispose()


async def _create_login(connection: AsyncConnection, login: str, password: str | None) -> None:
    known = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :login"), {"login": login})
    if known:
        return
    await connection.execute(text(f"CREATE ROLE {login} LOGIN NOINHERIT"))
    if password is not None:
        quoted = password.replace("'", "''")
        await connection.execute(text(f"ALTER ROLE {login} PASSWORD '{quoted}'".replace(":", r"\:")))


async def _admit(connection: AsyncConnection, role: str, member: str) -> None:
    # From version 16 on a membership says itself whether SET ROLE is allowed; before, the login's NOINHERIT rules.
    modern = int(await connection.scalar(text("SHOW server_version_num")) or 0) >= 160000
    options = " WITH INHERIT FALSE, SET TRUE" if modern else ""
    name = "current_user" if member == "CURRENT_USER" else f"'{member}'"
    held = await connection.scalar(
        text(
            f"SELECT 1 FROM pg_auth_members m WHERE m.roleid = '{role}'::regrole AND m.member = {name}::regrole"
            + (" AND m.set_option" if modern else "")
        )
    )
    superuser = await connection.scalar(text(f"SELECT rolsuper FROM pg_roles WHERE rolname = {name}"))
    if not held and not superuser:
        await connection.execute(text(f"GRANT {role} TO {member}{options}"))


def migrate(owner_url: str, service_login: str, service_password: str | None) -> None:
    """Schema and login in one call, for callers without an event loop."""

    async def both() -> None:
        await upgrade(owner_url)
        await admit_login(owner_url, service_login, service_password)

    asyncio.run(both())
