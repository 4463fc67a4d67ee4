"""govern exports

Who agreed to an export, by which link its file was fetched, and by which key its cells were marked (a value to know the
key by, never the key). A person can't agree to what he has asked for: the policy on approvals holds that too.
"""

from alembic import op

revision = "2026_11_22_1930"
down_revision = "2026_11_22_1920"
branch_labels = None
depends_on = None

# A job is queued once everybody has agreed; till then there is none.
COLUMNS = """
ALTER TABLE exports ALTER COLUMN job_id DROP NOT NULL;
ALTER TABLE exports ADD COLUMN kind TEXT DEFAULT 'plain' NOT NULL;
ALTER TABLE exports ADD COLUMN asked_rows BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE exports ADD COLUMN asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;
ALTER TABLE exports ADD COLUMN round INTEGER DEFAULT 1 NOT NULL;
ALTER TABLE exports ADD COLUMN needs INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE exports ADD COLUMN fetches INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE exports ADD COLUMN mark BYTEA;
ALTER TABLE exports ADD CONSTRAINT ck_exports_kind CHECK (kind IN ('plain', 'migration'));
ALTER TABLE exports DROP CONSTRAINT ck_exports_state;
"""
STATES = "'queued', 'running', 'done', 'failed', 'cancelled'"
TABLES = """
CREATE TABLE export_approvals (
    tenant_id INTEGER NOT NULL,
    export_id UUID NOT NULL,
    round INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    rows BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_export_approvals PRIMARY KEY (tenant_id, export_id, round, staff_id),
    CONSTRAINT fk_export_approvals_exports_tenant_id_export_id FOREIGN KEY(tenant_id, export_id) REFERENCES exports (tenant_id, export_id) ON DELETE CASCADE,
    CONSTRAINT fk_export_approvals_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE TABLE export_links (
    tenant_id INTEGER NOT NULL,
    token_hash BYTEA NOT NULL,
    export_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_export_links PRIMARY KEY (tenant_id, token_hash),
    CONSTRAINT fk_export_links_exports_tenant_id_export_id FOREIGN KEY(tenant_id, export_id) REFERENCES exports (tenant_id, export_id) ON DELETE CASCADE,
    CONSTRAINT fk_export_links_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE INDEX ix_exports_tenant_id_asked_at ON exports (tenant_id, asked_at) WHERE state = 'awaiting_approval';
CREATE INDEX ix_exports_tenant_id_staff_id ON exports (tenant_id, staff_id);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
REACH = (OWN, TEAM, TENANT)
OPERATOR = "clientbase_operator"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
SUBJECT = "(SELECT nullif(current_setting('app.subject', true), '')::uuid)"
NEW = ("export_approvals", "export_links")


def policy(table: str, role: str, using: str, check: str | None = None) -> None:
    name = role.removeprefix("clientbase_")
    written = f"WITH CHECK ({check})" if check else ""
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using}) {written}")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (COLUMNS + TABLES).split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(
        "ALTER TABLE exports ADD CONSTRAINT ck_exports_state CHECK"
        f" (state IN ({STATES}, 'awaiting_approval', 'rejected'))"
    )
    for table in NEW:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    of_export = "e.tenant_id = export_approvals.tenant_id AND e.export_id = export_approvals.export_id"
    for role in (OWN, TEAM):
        policy("export_approvals", role, f"{IN_TENANT} AND EXISTS (SELECT FROM exports e WHERE {of_export})")
    another = f"EXISTS (SELECT FROM exports e WHERE {of_export} AND e.staff_id <> {SUBJECT})"
    policy("export_approvals", TENANT, IN_TENANT, f"{IN_TENANT} AND staff_id = {SUBJECT} AND {another}")
    op.execute(f"GRANT SELECT ON export_approvals TO {', '.join(REACH)}")
    op.execute(f"GRANT INSERT ON export_approvals TO {TENANT}")
    for role in REACH:
        policy("export_links", role, f"{IN_TENANT} AND staff_id = {SUBJECT}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (used_at) ON export_links TO {', '.join(REACH)}")
    # The operator traces a leaked file: which exports there are and who asked for them, nothing of what they hold.
    policy("exports", OPERATOR, IN_TENANT)
    seen = "tenant_id, export_id, staff_id, purpose, rows, state, created_at, finished_at, mark"
    op.execute(f"GRANT SELECT ({seen}) ON exports TO {OPERATOR}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"REVOKE ALL ON exports FROM {OPERATOR}")
    op.execute(
        "REVOKE SELECT (tenant_id, export_id, staff_id, purpose, rows, state, created_at, finished_at, mark)"
        f" ON exports FROM {OPERATOR}"
    )
    op.execute("DROP POLICY operator ON exports")
    for table in NEW:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP INDEX ix_exports_tenant_id_asked_at")
    op.execute("DROP INDEX ix_exports_tenant_id_staff_id")
    op.execute("DELETE FROM exports WHERE job_id IS NULL")
    op.execute("UPDATE exports SET state = 'cancelled' WHERE state IN ('awaiting_approval', 'rejected')")
    op.execute("ALTER TABLE exports DROP CONSTRAINT ck_exports_state")
    op.execute(f"ALTER TABLE exports ADD CONSTRAINT ck_exports_state CHECK (state IN ({STATES}))")
    for column in ("kind", "asked_rows", "asked_at", "round", "needs", "fetches", "mark"):
        op.execute(f"ALTER TABLE exports DROP COLUMN {column}")
    op.execute("ALTER TABLE exports ALTER COLUMN job_id SET NOT NULL")
