"""mend faults

What fixes have done to records, with what was there before, so that each can be undone. The images hold contacts in
clear: only the role that mends reads them, within the reach of who asks, and the erasure takes them away.
"""

from alembic import op

revision = "2026_11_23_2040"
down_revision = "2026_11_23_2030"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE quality_fixes (
    tenant_id INTEGER NOT NULL,
    fix_id UUID NOT NULL,
    run_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    finding_id UUID NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    field TEXT COLLATE "C" NOT NULL,
    detail_id UUID,
    confidence REAL NOT NULL,
    automatic BOOLEAN NOT NULL,
    changes JSONB NOT NULL,
    images JSONB NOT NULL,
    staff_id UUID NOT NULL,
    fixed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    undone_by UUID,
    CONSTRAINT pk_quality_fixes PRIMARY KEY (tenant_id, fix_id),
    CONSTRAINT fk_quality_fixes_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX ix_quality_fixes_tenant_id_customer_id ON quality_fixes (tenant_id, customer_id);
CREATE INDEX ix_quality_fixes_tenant_id_run_id_fix_id ON quality_fixes (tenant_id, run_id, fix_id);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
MENDER, ERASER = "clientbase_mender", "clientbase_eraser"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
OWNERS = "(SELECT coalesce(nullif(current_setting('app.owners', true), ''), '{}')::uuid[])::uuid[]"
TEAMS = "(SELECT coalesce(nullif(current_setting('app.teams', true), ''), '{}')::uuid[])::uuid[]"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"
REACHED = (
    f"((curator_id = ANY ({OWNERS}) AND {NAMED_REACH} = 'own') OR (team_id = ANY ({TEAMS}) AND {NAMED_REACH} = 'team')"
    f" OR {NAMED_REACH} = 'tenant')"
)
# The images are left out.
SHOWN = (
    "tenant_id, fix_id, run_id, customer_id, finding_id, code, field, detail_id, confidence, automatic, changes, staff_id,"
    " fixed_at, undone_at, undone_by"
)
MENDED = {
    "customers": "SELECT (tenant_id, customer_id, curator_id, team_id)",
    "contact_details": (
        "SELECT, INSERT, DELETE, UPDATE (value, normal, masked, lookup, verdict, is_primary, source, author_id,"
        " verified_at, created_at)"
    ),
    "quality_fixes": "SELECT, INSERT, UPDATE (undone_at, undone_by)",
}


def policy(table: str, role: str, using: str) -> None:
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using})")


def exists(table: str) -> str:
    return f"EXISTS (SELECT FROM customers p WHERE p.tenant_id = {table}.tenant_id AND p.customer_id = {table}.customer_id)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    # Roles belong to the whole cluster: another database may be making them at this moment.
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {MENDER} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {MENDER}")
    op.execute("ALTER TABLE quality_fixes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE quality_fixes FORCE ROW LEVEL SECURITY")
    for role in (OWN, TEAM):
        policy("quality_fixes", role, f"{IN_TENANT} AND {exists('quality_fixes')}")
    policy("quality_fixes", TENANT, IN_TENANT)
    op.execute(f"GRANT SELECT ({SHOWN}) ON quality_fixes TO {OWN}, {TEAM}, {TENANT}")
    policy("customers", MENDER, f"{IN_TENANT} AND {REACHED}")
    for table in ("contact_details", "quality_fixes"):
        policy(table, MENDER, f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {exists(table)})")
    for table, privileges in MENDED.items():
        op.execute(f"GRANT {privileges} ON {table} TO {MENDER}")
    policy("quality_fixes", ERASER, f"{IN_TENANT} AND {NAMED_REACH} = 'tenant'")
    op.execute(f"GRANT SELECT (tenant_id, customer_id), DELETE ON quality_fixes TO {ERASER}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE quality_fixes")
    for table in ("customers", "contact_details"):
        op.execute(f"REVOKE ALL ON {table} FROM {MENDER}")
        op.execute(f"DROP POLICY mender ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {MENDER}")
    # The role stays: other databases of the cluster may use it.
