"""The lint of the live catalogue: each check answers with what it finds, as sentences; none is what it should be."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from service.db.migrate import SERVICE_ROLES
from service.db.tables import metadata

Check = Callable[[Any, str], Awaitable[list[str]]]
# Their rows are not of one tenant: the registry of tenants, and Alembic's own table, which holds a revision.
ABOVE_TENANTS = {"tenants", "alembic_version"}
# Who reads contacts in clear: the reveal; the erasure, which has to find where else a person's contacts stand; and the
# match of records, which compares them; the checks of quality, and what mends them; and the merge, which brings back.
CLEAR = {
    ("contact_details", "value"),
    ("contact_details", "normal"),
    ("quality_fixes", "images"),
    ("merge_images", "rows"),
}
CLEAR_READERS = {
    "clientbase_reveal",
    "clientbase_merge",
    "clientbase_eraser",
    "clientbase_quality",
    "clientbase_linkage",
    "clientbase_mender",
}
# Policies over more than one tenant: the keeper walks the tenants by their numbers, of which he reads nothing else; the
# sealer chains everybody's trail in one order, and reads the trail alone.
ACROSS_TENANTS = {"tenants.keeper", "tenants.sealer", "audit.sealer", "audit_entries.sealer", "audit_seals.sealer"}
# Functions that run with the rights of their owner: none.
DEFINERS: set[str] = set()
_OURS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
CHECKS: dict[str, Check] = {}


def check(body: Check) -> Check:
    CHECKS[body.__name__] = body
    return body


def finds(name: str, query: str) -> None:
    """A check that is one query of one text column."""

    async def body(connection: Any, login: str) -> list[str]:
        arguments = [login] if "$1" in query else []
        return [row[0] for row in await connection.fetch(query, *arguments)]

    CHECKS[name] = body


async def findings(connection: Any, login: str, only: str | None = None) -> dict[str, list[str]]:
    """What every check (or only that one) finds; those that find nothing are left out."""
    asked = [name for name in CHECKS if only in (None, name)]
    found = {name: await CHECKS[name](connection, login) for name in asked}
    return {name: faults for name, faults in found.items() if faults}


@check
async def tables_without_forced_row_security(connection: Any, _: str) -> list[str]:
    rows = await connection.fetch("""SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS safe
        FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace""")
    return [row["relname"] for row in rows if not row["safe"] and row["relname"] != "alembic_version"]


@check
async def tables_nobody_has_described(connection: Any, _: str) -> list[str]:
    rows = await connection.fetch("""SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
            AND a.attname = 'tenant_id' AND a.attnotnull) AS of_a_tenant
        FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace""")
    known = set(metadata.tables) | {"alembic_version"}
    return [
        row["relname"]
        for row in rows
        if row["relname"] not in known or not (row["of_a_tenant"] or row["relname"] in ABOVE_TENANTS)
    ]


@check
async def policies_that_let_through_too_much(connection: Any, _: str) -> list[str]:
    """Each binds the row to the tenant (or the slug) of the caller first, and everything else only narrows that."""
    rows = await connection.fetch("""SELECT tablename || '.' || policyname AS name, with_check,
            CASE cmd WHEN 'INSERT' THEN with_check ELSE qual END AS qual
        FROM pg_policies WHERE schemaname IN ('public', 'jobs')""")
    wrong = [row for row in rows if not all(map(_bound, filter(None, (row["qual"] or "-", row["with_check"]))))]
    return [row["name"] for row in wrong if row["name"] not in ACROSS_TENANTS]


def _bound(expression: str) -> bool:
    settings = re.sub(r"current_setting\('([a-z.]+)'::text, true\)", r"<\1>", expression)
    first = re.match(r"\(+(tenant_id|slug) = ", settings)
    ours = "<app.tenant>" in settings or "<app.slug>" in settings
    return bool(first) and ours and not re.search(r"\btrue\b", settings) and not _widened(settings)


def _widened(expression: str) -> bool:
    """Whether an OR stands where it opens another way past the tenant: outside of what the AND beside it encloses."""
    depth, inside = 0, expression[1:-1]
    for place, letter in enumerate(inside):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0 and inside.startswith(" OR ", place):
            return True
    return False


finds(
    "policies_that_are_not_the_only_one_of_their_role",
    """SELECT p.tablename || ' ' || r FROM pg_policies p, unnest(p.roles) r WHERE p.schemaname = 'public'
       GROUP BY p.tablename, r HAVING count(*) > 1""",
)
finds(
    "policies_that_are_restrictive_or_of_everybody",
    """SELECT tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'public'
       AND (permissive <> 'PERMISSIVE' OR EXISTS (SELECT FROM unnest(roles) r WHERE r NOT LIKE 'clientbase\\_%'))""",
)
finds(
    "policies_that_evaluate_a_setting_for_each_row",
    """SELECT tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'public'
       AND coalesce(qual, '') || coalesce(with_check, '') ~ '= \\(*current_setting'""",
)
finds(
    "grants_without_a_policy",
    """SELECT DISTINCT c.relname || ' ' || g.grantee::regrole FROM pg_class c
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0,
       LATERAL (SELECT * FROM aclexplode(c.relacl) UNION ALL SELECT * FROM aclexplode(a.attacl)) g
       WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND g.grantee <> c.relowner
         AND c.relname <> 'alembic_version' AND NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'public'
            AND p.tablename = c.relname AND g.grantee::regrole::text = ANY (p.roles::text[]))""",
)
finds(
    "grants_that_row_security_does_not_hold",
    """SELECT c.relname || ' ' || g.privilege_type || ' ' || g.grantee::regrole FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) g
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname IN ('public', 'jobs', 'entry')
         AND g.grantee <> c.relowner
         AND (g.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') OR g.is_grantable OR g.grantee = 0)""",
)
finds(
    "grants_on_what_comes_later",
    "SELECT concat(defaclobjtype, ' ', defaclrole::regrole) FROM pg_default_acl",
)
finds(
    "schemas_in_which_others_may_create",
    f"""SELECT n.nspname || ' ' || g.grantee::regrole FROM pg_namespace n, aclexplode(n.nspacl) g
        WHERE {_OURS} AND g.privilege_type = 'CREATE'
          AND g.grantee NOT IN (n.nspowner, 'pg_database_owner'::regrole)""",
)
finds(
    "keys_and_indexes_without_the_tenant_first",
    """SELECT t.relname || ' ' || i.relname FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
       JOIN pg_class i ON i.oid = x.indexrelid
       WHERE t.relnamespace = 'public'::regnamespace AND t.relname NOT IN ('tenants', 'alembic_version')
         AND (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = x.indkey[0])
             IS DISTINCT FROM 'tenant_id'""",
)
finds(
    "references_without_the_tenant_first",
    """SELECT k.conrelid::regclass || ' ' || k.conname FROM pg_constraint k
       WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND 'tenant_id' <> ANY (ARRAY[
         (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]),
         (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = k.confkey[1])]::text[])""",
)


@check
async def readers_of_contacts_in_clear(connection: Any, login: str) -> list[str]:
    rows = await connection.fetch(
        """SELECT c.relname, a.attname, r.rolname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           CROSS JOIN pg_roles r WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
             AND (r.rolname = ANY ($1::text[]) OR r.rolname LIKE 'clientbase\\_%') AND NOT r.rolsuper
             AND c.relname = ANY ($2::text[]) AND r.oid <> c.relowner
             AND r.rolname !~ '_(owner|test_owner)$'
             AND has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')""",
        [login, *SERVICE_ROLES],
        [table for table, _ in CLEAR],
    )
    wrong = [row for row in rows if tuple(row)[:2] in CLEAR and row["rolname"] not in CLEAR_READERS]
    return [" ".join(row) for row in wrong]


finds(
    "views_with_the_rights_of_their_owner",
    f"""SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS} AND c.relkind = 'v' AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true']
            OR c.reloptions @> ARRAY['security_invoker=on'], false)""",
)
finds(
    "materialised_views_that_are_granted",
    f"""SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        aclexplode(c.relacl) g WHERE {_OURS} AND c.relkind = 'm' AND g.grantee <> c.relowner""",
)


@check
async def functions_with_the_rights_of_their_owner(connection: Any, _: str) -> list[str]:
    """Those that are named, and they find their tables by a path of their own."""
    rows = await connection.fetch(f"""SELECT n.nspname || '.' || p.proname AS name,
            coalesce(array_to_string(p.proconfig, ',') ~ 'search_path=', false) AS pinned
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS} AND p.prosecdef""")
    return [row["name"] for row in rows if row["name"] not in DEFINERS or not row["pinned"]]


finds(
    "functions_of_the_entry_that_everybody_may_call",
    """SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'entry'
       AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) g WHERE g.grantee = 0))""",
)
finds(
    "rules_and_triggers_that_bypass_policies",
    """SELECT c.relname || ' ' || r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'""",
)
finds(
    "things_that_the_login_owns_or_was_granted",
    """SELECT c.relname::text FROM pg_class c, aclexplode(c.relacl) g WHERE g.grantee = $1::text::regrole
       UNION SELECT relname::text FROM pg_class WHERE relowner = $1::text::regrole
       UNION SELECT nspname::text FROM pg_namespace WHERE nspowner = $1::text::regrole
       UNION SELECT proname::text FROM pg_proc WHERE proowner = $1::text::regrole
       UNION SELECT datname::text FROM pg_database WHERE datdba = $1::text::regrole""",
)
finds(
    "roles_that_are_more_than_roles",
    f"""SELECT rolname::text FROM pg_roles WHERE rolname IN ({", ".join(f"'{one}'" for one in SERVICE_ROLES)},
            'clientbase_operator')
        AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolinherit)
        UNION SELECT rolname::text FROM pg_roles WHERE rolname = $1
        AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolinherit)""",
)
finds(
    "roles_that_can_become_others",
    f"""SELECT m.member::regrole || ' ' || m.roleid::regrole FROM pg_auth_members m
        WHERE m.member::regrole::text IN ({", ".join(f"'{one}'" for one in SERVICE_ROLES)})
        OR (m.member = $1::text::regrole
            AND m.roleid::regrole::text NOT IN ({", ".join(f"'{one}'" for one in SERVICE_ROLES)}))""",
)
