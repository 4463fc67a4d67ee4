"""What every table, policy, grant and role must hold to, read from the live catalogue: nothing later can forget it.

For each check there is a defect, planted in a transaction that is rolled back, which it finds.
"""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest

from service.db.migrate import SERVICE_ROLES
from service.db.tables import metadata
from tests.db import lint
from tests.db.lint import findings
from tests.postgres import TestDatabase

_SEES = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
_TO_TENANT = "AS PERMISSIVE FOR ALL TO clientbase_tenant USING"
# The defect: the check that finds it.
_DEFECTS = {
    "ALTER TABLE customers DISABLE ROW LEVEL SECURITY": "tables_without_forced_row_security",
    "ALTER TABLE contact_details NO FORCE ROW LEVEL SECURITY": "tables_without_forced_row_security",
    "CREATE TABLE copies (tenant_id int, name text)": "tables_without_forced_row_security",
    "CREATE TABLE spare (name text)": "tables_nobody_has_described",
    "ALTER POLICY tenant ON orders USING (true)": "policies_that_let_through_too_much",
    f"ALTER POLICY own ON customers USING ({_SEES} OR curator_id IS NULL)": "policies_that_let_through_too_much",
    "ALTER POLICY team ON customers USING (team_id IS NOT NULL)": "policies_that_let_through_too_much",
    "ALTER POLICY tenant ON notes WITH CHECK (true)": "policies_that_let_through_too_much",
    f"CREATE POLICY second ON notes {_TO_TENANT} ({_SEES})": "policies_that_are_not_the_only_one_of_their_role",
    f"DROP POLICY own ON notes; CREATE POLICY own ON notes AS RESTRICTIVE TO clientbase_own USING ({_SEES})": (
        "policies_that_are_restrictive_or_of_everybody"
    ),
    f"DROP POLICY own ON notes; CREATE POLICY own ON notes USING ({_SEES})": (
        "policies_that_are_restrictive_or_of_everybody"
    ),
    "ALTER POLICY tenant ON notes USING (tenant_id = current_setting('app.tenant', true)::int)": (
        "policies_that_evaluate_a_setting_for_each_row"
    ),
    "DROP POLICY own ON notes": "grants_without_a_policy",
    "GRANT SELECT ON customers TO clientbase_keeper; DROP POLICY IF EXISTS keeper ON customers": (
        "grants_without_a_policy"
    ),
    "GRANT TRUNCATE ON audit TO clientbase_tenant": "grants_that_row_security_does_not_hold",
    "GRANT REFERENCES ON customers TO clientbase_own": "grants_that_row_security_does_not_hold",
    "GRANT SELECT ON staff TO PUBLIC": "grants_that_row_security_does_not_hold",
    "GRANT SELECT ON staff TO clientbase_own WITH GRANT OPTION": "grants_that_row_security_does_not_hold",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO clientbase_own": "grants_on_what_comes_later",
    "GRANT CREATE ON SCHEMA public TO clientbase_tenant": "schemas_in_which_others_may_create",
    "CREATE UNIQUE INDEX everywhere ON customers (customer_id)": "keys_and_indexes_without_the_tenant_first",
    "CREATE INDEX by_city ON customers (city, tenant_id)": "keys_and_indexes_without_the_tenant_first",
    "CREATE UNIQUE INDEX all_staff ON staff (staff_id); "
    "ALTER TABLE notes ADD CONSTRAINT loose FOREIGN KEY (staff_id) REFERENCES staff (staff_id)": (
        "references_without_the_tenant_first"
    ),
    "GRANT SELECT (value) ON contact_details TO clientbase_tenant": "readers_of_contacts_in_clear",
    "GRANT SELECT ON contact_details TO clientbase_own": "readers_of_contacts_in_clear",
    "CREATE VIEW everybody AS SELECT display_name FROM customers": "views_with_the_rights_of_their_owner",
    "CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM customers; GRANT SELECT ON sums TO clientbase_own": (
        "materialised_views_that_are_granted"
    ),
    "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM customers'": (
        "functions_with_the_rights_of_their_owner"
    ),
    "ALTER FUNCTION entry.read_as SECURITY DEFINER": "functions_with_the_rights_of_their_owner",
    "GRANT EXECUTE ON FUNCTION entry.read_as TO PUBLIC": "functions_of_the_entry_that_everybody_may_call",
    "CREATE RULE away AS ON DELETE TO customers DO INSTEAD NOTHING": "rules_and_triggers_that_bypass_policies",
    "GRANT SELECT ON customers TO {login}": "things_that_the_login_owns_or_was_granted",
    "GRANT clientbase_operator TO {login}": "roles_that_can_become_others",
    "GRANT clientbase_reveal TO clientbase_own": "roles_that_can_become_others",
    "ALTER ROLE clientbase_own LOGIN": "roles_that_are_more_than_roles",
    "ALTER ROLE clientbase_team INHERIT": "roles_that_are_more_than_roles",
}


def _found(database: TestDatabase, defect: str | None = None, *, superuser: bool = False) -> dict[str, list[str]]:
    """What the lint finds, once the defect is there; nothing of it stays."""
    login = urlsplit(database.service_url).username or ""

    async def once() -> dict[str, list[str]]:
        connection = await asyncpg.connect((superuser and database.superuser_url) or database.owner_url)
        transaction = connection.transaction()
        await transaction.start()
        try:
            if defect:
                await connection.execute(defect.replace("{login}", login))
            return await findings(connection, login, _DEFECTS.get(defect or ""))
        finally:
            await transaction.rollback()
            await connection.close()

    return asyncio.run(once())


def test_the_catalogue_is_without_findings(database: TestDatabase) -> None:
    assert _found(database) == {}


def test_the_lint_has_looked_at_something(database: TestDatabase) -> None:
    assert len(metadata.tables) > 30
    assert len(SERVICE_ROLES) > 8


@pytest.mark.parametrize("defect", _DEFECTS)
def test_a_planted_defect_is_found(database: TestDatabase, defect: str) -> None:
    found = _found(database, defect, superuser="ROLE" in defect.split()[:2] or "clientbase_operator" in defect)
    assert _DEFECTS[defect] in found


def test_every_check_has_a_defect_that_it_finds() -> None:
    assert set(_DEFECTS.values()) == set(lint.CHECKS)


def test_masked_contacts_are_what_the_reach_roles_read(database: TestDatabase) -> None:
    async def readers() -> set[str]:
        connection = await asyncpg.connect(database.owner_url)
        try:
            rows = await connection.fetch("""SELECT r.rolname FROM pg_roles r WHERE r.rolname LIKE 'clientbase\\_%'
                AND NOT r.rolsuper AND has_column_privilege(r.oid, 'contact_details', 'masked', 'SELECT')
                AND r.rolname !~ '_(owner|test_owner)$'""")
            return {row["rolname"] for row in rows}
        finally:
            await connection.close()

    people = {"clientbase_own", "clientbase_team", "clientbase_tenant", "clientbase_reveal", "clientbase_eraser"}
    assert asyncio.run(readers()) >= people
