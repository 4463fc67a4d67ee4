"""create roles, column grants and row policies

One role per reach, one permissive policy per role and table. Curator and team stand only in `customers`;
a child row is reached when its parent is, and the parent's own policy decides that. Settings are wrapped in
(SELECT …) so that a scan evaluates them once. A connection with nothing set sees nothing.
"""

from alembic import op

revision = "2026_11_22_1610"
down_revision = "2026_11_22_1600"
branch_labels = None
depends_on = None

OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
REACH = (OWN, TEAM, TENANT)
REVEAL = "clientbase_reveal"  # reads contact details in clear, within the reach named by app.reach
DIRECTORY = "clientbase_directory"  # finds the tenant and the staff row behind a verified token
OPERATOR = "clientbase_operator"  # creates tenants and their first staff; never granted to the service's login
QUEUE = "clientbase_queue"  # runs the job queue
ROLES = (*REACH, REVEAL, DIRECTORY, OPERATOR, QUEUE)

IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
OWNERS = "(SELECT coalesce(nullif(current_setting('app.owners', true), ''), '{}'))::uuid[]"
TEAMS = "(SELECT coalesce(nullif(current_setting('app.teams', true), ''), '{}'))::uuid[]"
SUBJECT = "(SELECT nullif(current_setting('app.subject', true), '')::uuid)"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"
SLUG = "(SELECT nullif(current_setting('app.slug', true), ''))"

# A manager may write for himself and for those he stands in for; nobody's records belong to nobody's portfolio.
CUSTOMERS = {
    OWN: f"curator_id = ANY ({OWNERS})",
    TEAM: f"team_id = ANY ({TEAMS})",
    TENANT: "",
    REVEAL: (
        f"((curator_id = ANY ({OWNERS}) AND {NAMED_REACH} = 'own') OR (team_id = ANY ({TEAMS}) AND {NAMED_REACH} = 'team')"
        f" OR {NAMED_REACH} = 'tenant')"
    ),
}
ALL = "SELECT, INSERT, UPDATE, DELETE"
# table: (grants, parent table and its key, or None for "of the whole tenant", or the column that names its maker)
OF_CUSTOMER = {
    "customer_external_ids": ALL,
    "search_tokens": "SELECT, INSERT, DELETE",
    "contact_details": "INSERT, DELETE",
    "orders": ALL,
    "refunds": ALL,
    "purchase_totals": ALL,
}
OF_PARENT = {
    "order_lines": ("orders", "order_id", "SELECT, INSERT, DELETE"),
    "refund_lines": ("refunds", "refund_id", "SELECT, INSERT, DELETE"),
    "import_rejects": ("imports", "import_id", "SELECT, INSERT"),
    "file_parts": ("files", "file_id", "SELECT, INSERT, DELETE"),
}
OF_TENANT = {
    "staff": "SELECT",
    "teams": "SELECT",
    "team_members": "SELECT",
    "deputies": "SELECT",
    "channels": "SELECT",
    "products": "SELECT, INSERT, UPDATE",
    "categories": "SELECT, INSERT",
    "chosen_customers": "SELECT, INSERT",
}
OF_MAKER = {
    "jobs": "SELECT, INSERT, UPDATE",
    "imports": "SELECT, INSERT, UPDATE",
    "exports": "SELECT, INSERT, UPDATE",
    "files": "SELECT, INSERT, UPDATE, DELETE",
    "idempotency_keys": "SELECT, INSERT, DELETE",
}
# Tables of the whole tenant that an administrator (always of tenant reach) may write.
ADMINISTERED = ("staff", "teams", "team_members", "deputies", "channels")
CONTACT_COLUMNS = "tenant_id, customer_id, detail_id, kind, label, is_primary, masked, lookup, verdict, source, verified_at, created_at"
TABLES = ("customers", "changes", "audit", "tenants", *OF_CUSTOMER, *OF_PARENT, *OF_TENANT, *OF_MAKER)


def policy(table: str, role: str, using: str, check: str | None = None, command: str = "ALL") -> None:
    name = role.removeprefix("clientbase_")
    using_clause = f"USING ({using})" if command != "INSERT" else ""
    check_clause = f"WITH CHECK ({check})" if check else ""
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR {command} TO {role} {using_clause} {check_clause}")


def grant(privileges: str, table: str, *roles: str) -> None:
    op.execute(f"GRANT {privileges} ON {table} TO {', '.join(roles)}")


def exists(parent: str, key: str, table: str) -> str:
    return f"EXISTS (SELECT FROM {parent} p WHERE p.tenant_id = {table}.tenant_id AND p.{key} = {table}.{key})"


def revealed(table: str) -> str:
    # With the whole tenant in reach there is nothing to look up; an export of everything asked a million times.
    return f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {exists('customers', 'customer_id', table)})"


def create_roles() -> None:
    # Roles belong to the whole cluster: another database may be making them at this moment.
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    for role in ROLES:
        op.execute(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN NOINHERIT; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")


def protect_customers() -> None:
    for role, reach in CUSTOMERS.items():
        policy("customers", role, f"{IN_TENANT} AND {reach}" if reach else IN_TENANT)
    grant(ALL, "customers", *REACH)
    grant("SELECT", "customers", REVEAL)
    for table, privileges in OF_CUSTOMER.items():
        seen = exists("customers", "customer_id", table)
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND {seen}")
        policy(table, TENANT, IN_TENANT)
        grant(privileges, table, *REACH)
    grant(f"SELECT ({CONTACT_COLUMNS}), UPDATE (label, is_primary, verified_at)", "contact_details", *REACH)
    policy("contact_details", REVEAL, revealed("contact_details"))
    grant("SELECT", "contact_details", REVEAL)
    for table in ("customer_external_ids", "purchase_totals"):
        policy(table, REVEAL, revealed(table))
        grant("SELECT", table, REVEAL)
    for table in ("staff", "teams", "channels", "chosen_customers"):
        policy(table, REVEAL, IN_TENANT)
        grant("SELECT", table, REVEAL)


def protect_the_rest() -> None:
    for table, (parent, key, privileges) in OF_PARENT.items():
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND {exists(parent, key, table)}")
        policy(table, TENANT, IN_TENANT)
        grant(privileges, table, *REACH)
    for table, privileges in OF_TENANT.items():
        for role in REACH:
            policy(table, role, IN_TENANT)
        grant(privileges, table, *REACH)
    for table in ADMINISTERED:
        grant("INSERT, UPDATE, DELETE", table, TENANT)
        policy(table, OPERATOR, IN_TENANT)
        grant("SELECT, INSERT", table, OPERATOR)
    for table, privileges in OF_MAKER.items():
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND staff_id = {SUBJECT}")
        policy(table, TENANT, IN_TENANT)
        grant(privileges, table, *REACH)


def protect_journals() -> None:
    for role in (OWN, TEAM):
        policy("changes", role, f"{IN_TENANT} AND {exists('customers', 'customer_id', 'changes')}", IN_TENANT)
        policy("audit", role, f"{IN_TENANT} AND staff_id = {SUBJECT}")
    policy("changes", TENANT, IN_TENANT)
    policy("audit", TENANT, IN_TENANT)
    # Append only: nobody may change or remove what was written.
    grant("SELECT, INSERT", "changes", *REACH)
    grant("SELECT, INSERT", "audit", *REACH)
    policy("audit", REVEAL, f"{IN_TENANT} AND staff_id = {SUBJECT}")
    grant("INSERT", "audit", REVEAL)


def protect_the_directory() -> None:
    for role in REACH:
        policy("tenants", role, IN_TENANT)
    grant("SELECT", "tenants", *REACH)
    grant("UPDATE (name, time_zone, currency, policies)", "tenants", TENANT)
    policy("tenants", DIRECTORY, f"slug = {SLUG}")
    policy("tenants", OPERATOR, f"slug = {SLUG}")
    grant("SELECT", "tenants", DIRECTORY)
    grant("SELECT, INSERT", "tenants", OPERATOR)
    for table in ("staff", "team_members", "deputies"):
        policy(table, DIRECTORY, f"tenant_id = (SELECT t.tenant_id FROM tenants t WHERE t.slug = {SLUG})")
        grant("SELECT", table, DIRECTORY)
    # Readiness compares the schema's revision with the one that the service needs.
    grant("SELECT", "alembic_version", DIRECTORY)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    create_roles()
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    protect_customers()
    protect_the_rest()
    protect_journals()
    protect_the_directory()


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in TABLES:
        op.execute(f"REVOKE ALL ON {table} FROM {', '.join(ROLES)}")
        for role in ROLES:
            op.execute(f"DROP POLICY IF EXISTS {role.removeprefix('clientbase_')} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"REVOKE ALL ON alembic_version FROM {DIRECTORY}")
    # The roles stay: other databases of the cluster may use them.
