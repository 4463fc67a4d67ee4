"""Two tenants in which every table has rows of several holders, so that each reach has something to see and to miss."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import REAL, Column, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import ARRAY, Boolean, Date, DateTime, Integer, LargeBinary, Numeric, Text, Uuid

from service.db.session import open_pool, preamble
from service.db.tables import metadata
from service.domain.access import Principal
from service.domain.ids import new_id
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

# Values that a check constraint asks for; anything else is made up from the type.
_CHOSEN = {
    ("abc_snapshots", "measure"): "revenue",
    ("abc_snapshots", "period"): "month",
    ("assignments", "state"): "done",
    ("attribute_definitions", "kind"): "text",
    ("access_requests", "state"): "open",
    ("channels", "kind"): "calls",
    ("customer_links", "kind"): "household",
    ("imports", "kind"): "customers",
    ("interactions", "direction"): "in",
    ("interactions", "kind"): "call",
    ("contact_details", "verdict"): "valid",
    ("customers", "kind"): "person",
    ("leak_signals", "severity"): "notice",
    ("leak_signals", "state"): "open",
    ("orders", "status"): "paid",
    ("quality_findings", "cause"): "entry",
    ("quality_findings", "severity"): "note",
    ("rfm_schemes", "method"): "quantile",
    ("rfm_schemes", "monetary"): "sum",
    ("segments", "kind"): "static",
    ("segments", "state"): "ready",
    ("staff", "state"): "active",
    ("staff", "kind"): "person",
}
_MADE: tuple[tuple[type, Callable[[], Any]], ...] = (
    (Uuid, new_id),
    (Date, lambda: date(2026, 3, 1)),
    (DateTime, lambda: datetime(2026, 3, 1, tzinfo=UTC)),
    (Boolean, lambda: False),
    (LargeBinary, lambda: secrets.token_bytes(16)),
    (ARRAY, list),
    (Integer, lambda: 1),
    (Numeric, lambda: 1),
    (REAL, lambda: 1.0),
    (Text, lambda: f"some {new_id()}"),
    (JSONB, dict),
)
# What no role of a reach may write, and the role that does.
WATCHED = ("canaries", "leak_signals", "staff_activity")
WATCH = "clientbase_watch"
DUPLICATES = (
    "linkage_keys",
    "linkage_models",
    "linkage_progress",
    "linkage_records",
    "duplicate_pairs",
    "duplicate_members",
    "never_merge",
)
MERGES = ("merges", "merge_images", "customer_redirects")
_NUMBERS = count(1)
Key = tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class Holder:
    """One customer with all that hangs on him, made by one member of the staff."""

    name: str
    principal: Principal
    curator_id: UUID | None = None
    team_id: UUID | None = None
    ids: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def key(self, table: Table) -> Key:
        return tuple(self.rows[table.name][column.name] for column in table.primary_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """`anna`, `boris` (own), `vera` (team) and `head` (tenant) of one tenant, and `stranger`, the head of another."""

    database: TestDatabase
    holders: Mapping[str, Holder]

    def __getitem__(self, name: str) -> Holder:
        return self.holders[name]


def tables() -> Iterator[Table]:
    """Every table that belongs to tenants, parents first; journals refer to all without a key.

    Seals are nobody's to write but the sealer's (tests/db/test_audit_seals.py).
    Looks at contacts and terms of use have tests of their own (tests/api/test_reveals.py, tests/api/test_terms.py);
    so have duplicates, whose rows name two records (tests/db/test_duplicate_access.py), fixes, which nobody writes by
    hand (tests/api/test_quality_fixes.py), and merges (tests/api/test_merging.py). Scans and
    their places are nobody's but the tenant role's, and of each day's numbers a row has no customer.
    """
    journals = ("audit", "audit_entries", "changes", "rfm_scores", "abc_classes", "quality_scores")
    elsewhere = ("tenants", "audit_seals", "reveals", "terms", "terms_acceptances", "quality_fixes")
    apart = (*elsewhere, "quality_scans", "quality_places", "quality_history", *DUPLICATES, *MERGES, *journals)
    yield from (table for table in metadata.sorted_tables if table.name not in apart)
    yield from (metadata.tables[name] for name in journals)


def fresh_row(table: Table, known: Mapping[str, Any]) -> dict[str, Any]:
    """A row with a value in every column that needs one; what is known (ids) is taken from there."""
    return {column.name: _value(table, column, known) for column in table.columns if _wanted(column, known)}


def _wanted(column: Column[Any], known: Mapping[str, Any]) -> bool:
    made_by_the_database = column.identity is not None or column.server_default is not None
    needed = (column.table.name, column.name) in _CHOSEN or not (column.nullable or made_by_the_database)
    return column.identity is None and (column.name in known or needed)


def _value(table: Table, column: Column[Any], known: Mapping[str, Any]) -> Any:
    if (table.name, column.name) in _CHOSEN:
        return _CHOSEN[table.name, column.name]
    if column.name in known:
        return known[column.name]
    if column.primary_key and isinstance(column.type, Integer):
        return next(_NUMBERS)
    return next(make() for kind, make in _MADE if isinstance(column.type, kind))


async def insert(connection: Any, table: Table, row: Mapping[str, Any]) -> Any:
    """Insert a row and give back its primary key."""
    names = ", ".join(f'"{name}"' for name in row)
    holes = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    keys = ", ".join(column.name for column in table.primary_key)
    return await connection.fetchrow(
        f"INSERT INTO {table.name} ({names}) VALUES ({holes}) RETURNING {keys}", *row.values()
    )


@asynccontextmanager
async def acting(connection: Any, principal: Principal, role: str | None = None) -> AsyncIterator[None]:
    """A transaction of that principal (under another role, if one is named) that leaves nothing behind."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(preamble(principal).removeprefix("BEGIN; "))
        if role is not None:
            await connection.execute(f"SET LOCAL ROLE {role}")
        yield
    finally:
        await transaction.rollback()


@asynccontextmanager
async def connected(landscape: Landscape) -> AsyncIterator[Any]:
    """One bare connection of the service's login, with the service's own codecs."""
    pool = await open_pool(landscape.database.service_url, size=1)
    try:
        async with pool.acquire() as connection:
            yield connection
    finally:
        await asyncio.wait_for(pool.close(), 10)


async def build(database: TestDatabase) -> Landscape:
    pool = await open_pool(database.service_url, size=2)
    try:
        here = await a_tenant(pool, database.owner_url, database.service_url)
        there = await a_tenant(pool, database.owner_url, database.service_url)
        holders = [*await _people(here), Holder(name="stranger", principal=await there.staff("stranger"))]
        for holder in holders:
            writer = holders[-2].principal if holder.name != "stranger" else holder.principal
            await _fill(pool, holder, writer)
        return Landscape(database=database, holders={holder.name: holder for holder in holders})
    finally:
        await asyncio.wait_for(pool.close(), 10)


async def _people(here: Tenant) -> list[Holder]:
    anna = await here.staff("anna", reach="own")
    boris = await here.staff("boris", reach="own")
    vera = await here.staff("vera", reach="team", teams=("Волга",))
    head = await here.staff("head", reach="tenant")
    return [
        Holder(name="anna", principal=anna, curator_id=anna.staff_id),
        Holder(name="boris", principal=boris, curator_id=boris.staff_id),
        Holder(name="vera", principal=vera, team_id=vera.teams[0]),
        Holder(name="head", principal=head),
    ]


async def _fill(pool: asyncpg.Pool, holder: Holder, writer: Principal) -> None:
    """One row in each table, written by somebody whose reach is the whole tenant."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(preamble(writer).removeprefix("BEGIN; "))
        known = known_of(holder)
        for table in tables():
            row = fresh_row(table, _placed(table, known, holder))
            if table.name == "staff":
                row["staff_id"], row["subject"] = new_id(), f"colleague-of-{holder.name}"
            if table.name == "export_approvals":  # by another than he who asked
                row["staff_id"] = holder.rows["staff"]["staff_id"]
            async with _writing(connection, table, row, writer):
                key = await insert(connection, table, row)
            row |= dict(key)
            holder.rows[table.name] = row
            if len(key) == 2 and table.name != "staff":
                known |= dict(key)
            if table.name == "customers":
                known["other_id"] = row["customer_id"]
        holder.ids = known


@asynccontextmanager
async def _writing(connection: Any, table: Table, row: Mapping[str, Any], writer: Principal) -> AsyncIterator[None]:
    """As whoever may write there: the watch into its own tables, each person his word on an export and his links."""
    if table.name in WATCHED:
        await connection.execute(f"SET LOCAL ROLE {WATCH}")
    if table.name in ("export_approvals", "export_links"):
        await connection.execute(preamble(replace(writer, staff_id=row["staff_id"])).removeprefix("BEGIN; "))
    yield
    await connection.execute(preamble(writer).removeprefix("BEGIN; "))


def known_of(holder: Holder) -> dict[str, Any]:
    principal = holder.principal
    return {
        "tenant_id": principal.tenant_id,
        "staff_id": principal.staff_id,
        "owner_id": principal.staff_id,
        "deputy_id": principal.staff_id,
        "from_on": date(2099, 1, 1),
        "currency": "RUB",
    }


def _placed(table: Table, known: Mapping[str, Any], holder: Holder) -> dict[str, Any]:
    if table.name != "customers":
        return {name: value for name, value in known.items() if (table.name, name) != ("teams", "team_id")}
    return {"tenant_id": known["tenant_id"], "curator_id": holder.curator_id, "team_id": holder.team_id}
