"""What every table must hold to, read from the live catalogue: a table added later can't forget it."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from service.db.tables import metadata
from tests.postgres import TestDatabase

Ask = Callable[..., list[Any]]
# Their rows are not of one tenant: the registry of tenants, and Alembic's own table, which holds a revision.
_ABOVE_TENANTS = {"tenants", "alembic_version"}
_TABLES = """
SELECT c.oid, c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS of_a_tenant
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
_POLICIES = """
SELECT tablename, policyname, roles, permissive, coalesce(qual, '') AS qual, coalesce(with_check, '') AS checked, cmd
FROM pg_policies WHERE schemaname = 'public'
"""
_FIRST_COLUMNS = """
SELECT t.relname AS name, i.relname AS index, x.indisunique AS is_unique,
    (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = x.indkey[0]) AS first
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relnamespace = 'public'::regnamespace
"""
_REFERENCES = """
SELECT k.conrelid::regclass::text AS name, k.conname AS key,
    (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]) AS first,
    (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = k.confkey[1]) AS first_there
FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
"""
_GRANTS = """
SELECT c.relname AS name, coalesce(g.grantee::regrole::text, '-') AS grantee, g.privilege_type AS privilege
FROM pg_class c, aclexplode(c.relacl) g
WHERE c.relnamespace = 'public'::regnamespace AND g.grantee <> c.relowner
"""
_READERS = """
SELECT r.rolname AS role, a.attname AS column FROM pg_roles r, pg_attribute a
WHERE a.attrelid = 'contact_details'::regclass AND a.attnum > 0 AND NOT r.rolsuper AND r.rolname LIKE 'clientbase%'
    AND r.rolname !~ '_(owner|test_owner)$' AND has_column_privilege(r.oid, a.attrelid, a.attnum, 'SELECT')
"""


@pytest.fixture(scope="module")
def ask(database: TestDatabase) -> Ask:
    def rows(query: str) -> list[Any]:
        async def once() -> list[Any]:
            connection = await asyncpg.connect(database.owner_url)
            try:
                return list(await connection.fetch(query))
            finally:
                await connection.close()

        return asyncio.run(once())

    return rows


def test_each_table_is_of_a_tenant_or_named_as_an_exception(ask: Ask) -> None:
    apart = {row["name"] for row in ask(_TABLES) if not row["of_a_tenant"]}
    assert apart <= _ABOVE_TENANTS
    assert {row["name"] for row in ask(_TABLES)} == {table.name for table in metadata.sorted_tables} | {
        "alembic_version"
    }


def test_row_security_is_enabled_and_forced_everywhere(ask: Ask) -> None:
    for row in ask(_TABLES):
        if row["name"] != "alembic_version":
            assert row["enabled"], row["name"]
            assert row["forced"], row["name"]


def test_a_role_has_at_most_one_policy_on_a_table_and_it_is_permissive(ask: Ask) -> None:
    seen = [(row["tablename"], role) for row in ask(_POLICIES) for role in row["roles"]]
    assert len(seen) == len(set(seen))
    assert {row["permissive"] for row in ask(_POLICIES)} == {"PERMISSIVE"}
    assert all(role.startswith("clientbase_") for _, role in seen)


def test_no_policy_is_always_true(ask: Ask) -> None:
    """Each names the tenant (or his slug) of the caller, in what is read and in what is written."""
    for row in ask(_POLICIES):
        for expression in filter(None, (row["qual"], row["checked"])):
            assert "app.tenant" in expression or "app.slug" in expression, row
        assert row["qual"] or row["checked"], row


def test_each_table_has_a_policy_for_each_role_that_has_rights_on_it(ask: Ask) -> None:
    policies = {(row["tablename"], role) for row in ask(_POLICIES) for role in row["roles"]}
    granted = {(row["name"], row["grantee"]) for row in ask(_GRANTS)}
    lacking = {pair for pair in granted - policies if pair[0] in metadata.tables}
    assert lacking == set()


def test_the_tenant_comes_first_in_every_key_and_index(ask: Ask) -> None:
    late = [row for row in ask(_FIRST_COLUMNS) if row["first"] != "tenant_id" and row["name"] not in _ABOVE_TENANTS]
    assert late == []


def test_the_tenant_comes_first_in_every_reference(ask: Ask) -> None:
    references = ask(_REFERENCES)
    assert [row for row in references if {row["first"], row["first_there"]} != {"tenant_id"}] == []
    assert len(references) > 20


def test_nobody_may_empty_a_table_or_hang_triggers_on_it(ask: Ask) -> None:
    grants = ask(_GRANTS)
    assert {row["privilege"] for row in grants} <= {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert "-" not in {row["grantee"] for row in grants}  # nothing to PUBLIC


def test_clear_contacts_are_readable_by_the_revealing_role_alone(ask: Ask) -> None:
    readers: dict[str, set[str]] = {}
    for row in ask(_READERS):
        readers.setdefault(row["column"], set()).add(row["role"])
    # An erasure has to find where else a person's contacts stand; it is entered by one unit of work alone.
    assert readers["value"] == readers["normal"] == {"clientbase_reveal", "clientbase_eraser"}
    reach = {"clientbase_own", "clientbase_team", "clientbase_tenant"}
    assert readers["masked"] == reach | {"clientbase_reveal", "clientbase_eraser"}


def test_the_roles_are_nothing_but_roles(ask: Ask) -> None:
    roles = ask("""
        SELECT rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS more
        FROM pg_roles WHERE rolname IN ('clientbase_own', 'clientbase_team', 'clientbase_tenant', 'clientbase_reveal',
            'clientbase_directory', 'clientbase_operator', 'clientbase_queue',
            'clientbase_keeper', 'clientbase_eraser', 'clientbase_sealer')""")
    assert len(roles) == 10
    assert not any(row["more"] for row in roles)
    among_them = ask("""
        SELECT m.roleid::regrole::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        WHERE r.rolname ~ '^clientbase_(own|team|tenant|reveal|directory|queue|keeper|eraser|sealer)$'
    """)
    assert among_them == []


def test_no_function_runs_with_the_rights_of_its_owner(ask: Ask) -> None:
    assert (
        ask("""SELECT proname FROM pg_proc WHERE prosecdef
        AND pronamespace IN ('public'::regnamespace, 'jobs'::regnamespace)""")
        == []
    )
