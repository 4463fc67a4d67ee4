"""Who sees and writes which rows, table by table: own, team, tenant, another tenant, and a connection with nothing set.

Every table of the schema stands in `_SEEN`; one that is missing there makes the suite fail until somebody has said who
may see it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import Table

from service.db.migrate import SERVICE_ROLES
from service.db.session import REVEAL, open_pool
from service.db.tables import contact_details, metadata
from service.domain.access import Principal
from service.domain.ids import new_id
from tests.db.landscape import WATCH, WATCHED, Key, Landscape, acting, build, connected, fresh_row, insert, tables
from tests.postgres import TestDatabase

T = TypeVar("T")
REACHES = ("clientbase_own", "clientbase_team", "clientbase_tenant")
# By the customer (through the parent, where there is one), by who made it (`self`: by nobody else, whatever his reach),
# by the whole tenant, or by no role of a reach.
_SEEN = {
    "abc_classes": "customer",
    "abc_snapshots": "tenant",
    "access_requests": "customer",
    "assignments": "maker",
    "attribute_definitions": "tenant",
    "audit": "maker",
    "audit_entries": "maker",
    "canaries": "nobody",
    "categories": "tenant",
    "changes": "customer",
    "channels": "tenant",
    "channel_costs": "tenant",
    "chosen_customers": "tenant",
    "consents": "customer",
    "contact_details": "customer",
    "contact_probes": "maker",
    "customer_events": "customer",
    "customer_external_ids": "customer",
    "customer_links": "customer",
    "customers": "customer",
    "deputies": "tenant",
    "erasures": "maker",
    "export_approvals": "maker",
    "export_links": "self",
    "export_records": "maker",
    "exports": "maker",
    "file_parts": "maker",
    "files": "maker",
    "idempotency_keys": "maker",
    "import_rejects": "maker",
    "imports": "maker",
    "interactions": "customer",
    "jobs": "maker",
    "leak_signals": "nobody",
    "notes": "customer",
    "order_lines": "customer",
    "orders": "customer",
    "ownerships": "customer",
    "products": "tenant",
    "purchase_totals": "customer",
    "quality_findings": "customer",
    "quality_scores": "customer",
    "refund_lines": "customer",
    "refunds": "customer",
    "rfm_schemes": "tenant",
    "rfm_scores": "customer",
    "rfm_snapshots": "tenant",
    "search_tokens": "customer",
    "segment_members": "customer",
    "segments": "tenant",
    "staff": "tenant",
    "staff_activity": "nobody",
    "team_members": "tenant",
    "teams": "tenant",
    "token_revocations": "maker",
}
_HERE = ("anna", "boris", "vera", "head")
# What the holders of own, team and tenant reach see of the holders' customers.
_REACHED = {"anna": ("anna",), "vera": ("vera",), "head": _HERE, "stranger": ("stranger",)}


@pytest.fixture(scope="module")
def landscape(database: TestDatabase) -> Landscape:
    return asyncio.run(build(database))


def on_a_connection(landscape: Landscape, scenario: Callable[[Any], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(landscape) as connection:
            return await scenario(connection)

    return asyncio.run(run())


def _visible_holders(table: Table, who: str) -> tuple[str, ...]:
    if _SEEN[table.name] == "tenant" and who != "stranger":
        return _HERE
    if _SEEN[table.name] == "self":
        return (who,)
    return () if _SEEN[table.name] == "nobody" else _REACHED[who]


def _invisible(landscape: Landscape, table: Table, who: str) -> list[Key]:
    shown = _visible_holders(table, who)
    return [holder.key(table) for name, holder in landscape.holders.items() if name not in shown]


async def _keys(connection: Any, table: Table) -> set[Key]:
    names = ", ".join(column.name for column in table.primary_key)
    return {tuple(row.values()) for row in await connection.fetch(f"SELECT {names} FROM {table.name}")}


@asynccontextmanager
async def _refused(connection: Any) -> AsyncIterator[None]:
    """What is done inside must be denied; the transaction around it goes on."""
    savepoint = connection.transaction()
    await savepoint.start()
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            yield
    finally:
        await savepoint.rollback()


def test_every_table_says_who_sees_it() -> None:
    assert set(_SEEN) == {table.name for table in tables()}


@pytest.mark.parametrize("who", ["anna", "vera", "head", "stranger"])
def test_each_reach_sees_its_rows_and_no_others(landscape: Landscape, who: str) -> None:
    async def look(connection: Any) -> None:
        async with acting(connection, landscape[who].principal):
            for table in tables():
                if _SEEN[table.name] == "nobody":
                    async with _refused(connection):
                        await _keys(connection, table)
                    continue
                shown = {landscape[name].key(table) for name in _visible_holders(table, who)}
                seen = await _keys(connection, table)
                if table.name == "staff":  # those who act are there too
                    shown |= {(p.tenant_id, p.staff_id) for p in _colleagues(landscape, who)}
                if table.name == "team_members" and who != "stranger":  # as is the membership of the team lead
                    vera = landscape["vera"].principal
                    shown.add((vera.tenant_id, vera.teams[0], vera.staff_id))
                if table.name == "teams" and who != "stranger":
                    shown.add((landscape["vera"].principal.tenant_id, landscape["vera"].principal.teams[0]))
                assert seen == shown, table.name
            assert await _keys(connection, metadata.tables["tenants"]) == {(landscape[who].principal.tenant_id,)}

    on_a_connection(landscape, look)


@pytest.mark.parametrize("who", ["anna", "head", "stranger"])
def test_the_watch_sees_its_tables_of_one_tenant(landscape: Landscape, who: str) -> None:
    async def look(connection: Any) -> None:
        async with acting(connection, landscape[who].principal, WATCH):
            for name in WATCHED:
                table = metadata.tables[name]
                there = ("stranger",) if who == "stranger" else _HERE
                assert await _keys(connection, table) == {landscape[one].key(table) for one in there}, name

    on_a_connection(landscape, look)


def _colleagues(landscape: Landscape, who: str) -> list[Principal]:
    names = ("stranger",) if who == "stranger" else _HERE
    return [landscape[name].principal for name in names]


def test_a_deputy_sees_the_portfolio_he_stands_in_for(landscape: Landscape) -> None:
    async def look(connection: Any) -> None:
        anna, boris = landscape["anna"].principal, landscape["boris"].principal
        deputy = Principal(
            tenant_id=anna.tenant_id,
            tenant=anna.tenant,
            staff_id=anna.staff_id,
            subject=anna.subject,
            reach=anna.reach,
            scopes=anna.scopes,
            owners=(anna.staff_id, boris.staff_id),
        )
        async with acting(connection, deputy):
            seen = await _keys(connection, metadata.tables["orders"])
            assert seen == {landscape[name].key(metadata.tables["orders"]) for name in ("anna", "boris")}

    on_a_connection(landscape, look)


def test_a_connection_with_nothing_set_sees_nothing(landscape: Landscape) -> None:
    async def look(connection: Any) -> None:
        readable = 0
        for table in metadata.sorted_tables:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT FROM public.{table.name}")
        for role in SERVICE_ROLES:
            for settings in ("", "SET LOCAL app.tenant = ''; SET LOCAL app.slug = ''; SET LOCAL app.owners = ''"):
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL ROLE {role}; {settings}")
                    for table in metadata.sorted_tables:
                        if await _may(connection, role, table, "SELECT"):
                            readable += 1
                            assert await connection.fetch(f"SELECT FROM {table.name}") == [], (role, table.name)
        assert readable > 2 * 3 * 20

    on_a_connection(landscape, look)


# By oid: names in a schema that one may not use are not even looked up.
_OF = "SELECT oid FROM pg_class WHERE relname = $1 AND relnamespace = 'public'::regnamespace"
_MAY = f"SELECT has_any_column_privilege($2, ({_OF}), $3)"
_MAY_ON_TABLE = f"SELECT has_table_privilege($2, ({_OF}), $3)"
_CHANGEABLE = f"""SELECT attname FROM pg_attribute WHERE attrelid = ({_OF}) AND attnum > 0 AND NOT attisdropped
    AND attidentity = '' AND has_column_privilege(attrelid, attnum, 'UPDATE') ORDER BY attname LIMIT 1"""

_READABLE = f"""SELECT attname FROM pg_attribute WHERE attrelid = ({_OF}) AND attnum > 0 AND NOT attisdropped
    AND has_column_privilege($2, attrelid, attnum, 'SELECT')"""


async def _may(connection: Any, role: str, table: Table, privilege: str) -> bool:
    return bool(await connection.fetchval(_MAY, table.name, role, privilege))


def test_even_the_owner_sees_no_row(landscape: Landscape) -> None:
    async def look() -> None:
        pool = await open_pool(landscape.database.owner_url, size=1)
        try:
            for table in metadata.sorted_tables:
                assert await pool.fetch(f"SELECT FROM {table.name}") == [], table.name
        finally:
            await asyncio.wait_for(pool.close(), 10)

    asyncio.run(look())


def test_a_tenant_that_is_no_number_is_an_error_and_no_rows(landscape: Landscape) -> None:
    async def look(connection: Any) -> None:
        for wrong in ("1 OR true", "NaN", "99999999999"):
            async with acting(connection, landscape["head"].principal):
                await connection.execute(f"SET LOCAL app.tenant = '{wrong}'")
                with pytest.raises(asyncpg.DataError):
                    await connection.fetch("SELECT FROM customers")

    on_a_connection(landscape, look)


@pytest.mark.parametrize("who", ["anna", "vera", "head"])
def test_no_row_can_be_written_into_another_tenant(landscape: Landscape, who: str) -> None:
    async def write(connection: Any) -> None:
        stranger = landscape["stranger"]
        async with acting(connection, landscape[who].principal):
            for table in tables():
                row = _again(table, stranger.rows[table.name])
                async with _refused(connection):
                    await insert(connection, table, row)
                # Without the grant it is refused as well.
                async with _refused(connection):
                    await connection.execute(f"UPDATE {table.name} SET tenant_id = $1", stranger.principal.tenant_id)
                await _assert_untouchable(connection, table, [stranger.key(table)])

    on_a_connection(landscape, write)


def _again(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The same row under a new key, as far as the key is not made of references."""
    known = dict(row)
    own = {column.name for column in table.primary_key} - {
        column.name for column in table.columns if column.foreign_keys
    }
    for name in own:
        known[name] = new_id() if table.columns[name].type.python_type.__name__ == "UUID" else known[name]
        if isinstance(known[name], str):
            known[name] = f"another {new_id()}"
        if isinstance(known[name], int):
            known[name] += 1000
    return fresh_row(table, known)


async def _assert_untouchable(connection: Any, table: Table, keys: list[Key]) -> None:
    """Deleting or changing rows out of reach touches none of them, or is not allowed at all."""
    names = [column.name for column in table.primary_key]
    place = " AND ".join(f"{name} = ${number}" for number, name in enumerate(names, start=1))
    changeable = await connection.fetchval(_CHANGEABLE, table.name)
    if changeable:
        for key in keys:
            statement = f"UPDATE {table.name} SET {changeable} = {changeable} WHERE {place}"
            assert await connection.execute(statement, *key) == "UPDATE 0", table.name
    if await connection.fetchval(f"SELECT has_table_privilege(({_OF}), 'DELETE')", table.name):
        for key in keys:
            assert await connection.execute(f"DELETE FROM {table.name} WHERE {place}", *key) == "DELETE 0", table.name


@pytest.mark.parametrize("who", ["anna", "vera"])
def test_no_row_can_be_written_into_a_colleagues_portfolio(landscape: Landscape, who: str) -> None:
    async def write(connection: Any) -> None:
        async with acting(connection, landscape[who].principal):
            for table in tables():
                if _SEEN[table.name] == "tenant" or table.name == "changes":
                    continue  # a change is told of a record that may be gone; it names no more than ids
                async with _refused(connection):
                    await insert(connection, table, _again(table, landscape["boris"].rows[table.name]))
                await _assert_untouchable(connection, table, _invisible(landscape, table, who))

    on_a_connection(landscape, write)


def test_nobody_writes_a_record_away_from_himself(landscape: Landscape) -> None:
    async def write(connection: Any) -> None:
        boris, vera = landscape["boris"].principal, landscape["vera"].principal
        async with acting(connection, landscape["anna"].principal):
            for given in (boris.staff_id, None):
                async with _refused(connection):
                    await connection.execute("UPDATE customers SET curator_id = $1", given)
        async with acting(connection, vera), _refused(connection):
            await connection.execute("UPDATE customers SET team_id = NULL")

    on_a_connection(landscape, write)


@pytest.mark.parametrize("who", ["anna", "vera", "head"])
def test_contacts_in_clear_are_closed_to_every_reach(landscape: Landscape, who: str) -> None:
    async def look(connection: Any) -> None:
        async with acting(connection, landscape[who].principal):
            assert await connection.fetch("SELECT masked, lookup FROM contact_details")
            for statement in (
                "SELECT value FROM contact_details",
                "SELECT normal FROM contact_details",
                "SELECT * FROM contact_details",
                "SELECT d FROM contact_details d",
                "SELECT row_to_json(d) FROM contact_details d",
                "SELECT masked FROM contact_details WHERE value LIKE '+7%'",
                "SELECT masked FROM contact_details ORDER BY normal",
                "UPDATE contact_details SET label = value",
                "UPDATE contact_details SET label = label RETURNING value",
                "UPDATE contact_details SET value = 'x'",
                "DELETE FROM contact_details WHERE value = 'x'",
                "DELETE FROM contact_details RETURNING normal",
                "COPY contact_details TO STDOUT",
            ):
                async with _refused(connection):
                    await connection.fetch(statement)

    on_a_connection(landscape, look)


@pytest.mark.parametrize("who", ["anna", "vera", "head", "stranger"])
def test_reveal_reads_clear_contacts_within_the_callers_reach_and_writes_nothing(
    landscape: Landscape, who: str
) -> None:
    async def look(connection: Any) -> None:
        async with acting(connection, landscape[who].principal, REVEAL):
            seen = await _keys(connection, contact_details)
            assert seen == {landscape[name].key(contact_details) for name in _REACHED[who]}
            assert await connection.fetch("SELECT value, normal FROM contact_details")
            for statement in (
                "UPDATE contact_details SET label = 'x'",
                "DELETE FROM contact_details",
                "DELETE FROM customers",
                "UPDATE customers SET city = 'x'",
                "SELECT FROM audit",
                "SELECT FROM orders",
            ):
                async with _refused(connection):
                    await connection.execute(statement)

    on_a_connection(landscape, look)


# What the roles beside those of a reach read of records: the sealer what it seals, the watch ids, owners and days, the
# merger what it has to bring back (tests/db/test_merging_ways.py), the checks of quality whole records, what mends them
# their contacts, and the match what it compares.
_WHOLE = {name: {column.name for column in metadata.tables[name].columns} for name in ("contact_details", "customers")}
_BESIDE = {
    ("clientbase_quality", "contact_details"): _WHOLE["contact_details"],
    ("clientbase_quality", "customers"): _WHOLE["customers"],
    ("clientbase_mender", "contact_details"): _WHOLE["contact_details"],
    ("clientbase_mender", "customers"): {"tenant_id", "customer_id", "curator_id", "team_id"},
    ("clientbase_linkage", "contact_details"): {"tenant_id", "customer_id", "kind", "normal", "verdict"},
    ("clientbase_linkage", "customers"): {
        "birth_date",
        "birth_year_known",
        "city",
        "country",
        "customer_id",
        "erased_at",
        "family_name",
        "gender",
        "given_name",
        "kind",
        "legal_form",
        "legal_name",
        "patronymic",
        "postal_code",
        "region",
        "tenant_id",
        "trade_name",
    },
    ("clientbase_sealer", "audit"): {column.name for column in metadata.tables["audit"].columns},
    ("clientbase_merge", "contact_details"): {column.name for column in metadata.tables["contact_details"].columns},
    ("clientbase_merge", "customers"): {column.name for column in metadata.tables["customers"].columns},
    ("clientbase_merge", "orders"): {"tenant_id", "customer_id", "order_id", "created_at"},
    (WATCH, "customers"): {"tenant_id", "customer_id", "curator_id", "erased_at"},
    (WATCH, "orders"): {"tenant_id", "customer_id", "order_id", "ordered_at", "status"},
}


def test_other_roles_of_the_service_read_nothing_that_names_a_customer(landscape: Landscape) -> None:
    async def look(connection: Any) -> None:
        for role in {*SERVICE_ROLES, "clientbase_operator"} - {*REACHES, REVEAL, "clientbase_eraser"}:
            for name in ("contact_details", "customers", "orders", "audit"):
                read = {row["attname"] for row in await connection.fetch(_READABLE, name, role)}
                assert read == _BESIDE.get((role, name), set()), (role, name)

    on_a_connection(landscape, look)


def test_audit_and_changes_can_only_be_added_to(landscape: Landscape) -> None:
    async def write(connection: Any) -> None:
        for who in ("anna", "vera", "head"):
            async with acting(connection, landscape[who].principal):
                for name in ("audit", "changes"):
                    table = metadata.tables[name]
                    for statement in (f"UPDATE {name} SET entity = 'x'", f"DELETE FROM {name}", f"TRUNCATE {name}"):
                        async with _refused(connection):
                            await connection.execute(statement)
                    assert await insert(connection, table, _again(table, landscape[who].rows[name]))
        for role in (*SERVICE_ROLES, "clientbase_operator"):
            for name in ("audit", "changes"):
                for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
                    assert not await connection.fetchval(_MAY_ON_TABLE, name, role, privilege)

    on_a_connection(landscape, write)


def test_nobody_signs_the_audit_trail_with_anothers_name(landscape: Landscape) -> None:
    async def write(connection: Any) -> None:
        anna, boris = landscape["anna"].principal, landscape["boris"].principal
        signed = "INSERT INTO audit (tenant_id, audit_id, staff_id, action, entity) VALUES ($1, $2, $3, 'x', 'x')"
        for role in ("clientbase_own", "clientbase_team", REVEAL):
            async with acting(connection, anna, role), _refused(connection):
                await connection.execute(signed, anna.tenant_id, new_id(), boris.staff_id)

    on_a_connection(landscape, write)


def test_the_services_login_owns_nothing_and_can_become_nobody_above_the_policies(landscape: Landscape) -> None:
    async def look(connection: Any) -> None:
        for catalogue, owner in (("pg_class", "relowner"), ("pg_proc", "proowner"), ("pg_namespace", "nspowner")):
            owned = f"SELECT count(*) FROM {catalogue} WHERE {owner} = session_user::regrole"
            assert await connection.fetchval(owned) == 0
        for table in metadata.sorted_tables:
            for privilege in ("SELECT", "INSERT", "UPDATE"):
                login = await connection.fetchval("SELECT session_user::text")
                assert not await _may(connection, login, table, privilege)
        owner = await connection.fetchval("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'customers'")
        for role in ("clientbase_operator", owner):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SET ROLE {role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE public.mine (a int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SET row_security = off; SET ROLE clientbase_tenant; TRUNCATE public.customers")

    on_a_connection(landscape, look)
