"""follow classes

Snapshots of ABC and XYZ: of which class and letter each customer was on a day. As with the scores of RFM, classes have
no foreign keys: a million are written at once, and what is dropped is taken away in batches. A live segment knows the
snapshots that it was computed by, so that in a new one only those are asked again whose scores or classes are others;
whose quality was examined since is found by an index that costs a scan nothing. Schemes have versions, so that nobody overwrites what he has not seen.
"""

from alembic import op

revision = "2026_11_23_2080"
down_revision = "2026_11_23_2070"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE abc_snapshots (
    tenant_id INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    as_of DATE NOT NULL,
    computed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    measure TEXT NOT NULL,
    borders SMALLINT[] NOT NULL,
    currency TEXT NOT NULL,
    window_days INTEGER,
    period TEXT NOT NULL,
    xyz_borders SMALLINT[] NOT NULL,
    customers INTEGER DEFAULT 0 NOT NULL,
    scheduled BOOLEAN NOT NULL,
    dropped BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_abc_snapshots PRIMARY KEY (tenant_id, snapshot_id),
    CONSTRAINT fk_abc_snapshots_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT ck_abc_snapshots_measure CHECK (measure IN ('revenue', 'orders')),
    CONSTRAINT ck_abc_snapshots_period CHECK (period IN ('week', 'month', 'quarter', 'year'))
);
CREATE TABLE abc_classes (
    tenant_id INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    class_no SMALLINT NOT NULL,
    letter_no SMALLINT NOT NULL,
    CONSTRAINT pk_abc_classes PRIMARY KEY (tenant_id, snapshot_id, customer_id)
);
ALTER TABLE rfm_schemes ADD COLUMN version INTEGER DEFAULT 1 NOT NULL;
ALTER TABLE segments ADD COLUMN rfm_snapshot INTEGER, ADD COLUMN abc_snapshot INTEGER;
CREATE INDEX ix_quality_scores_tenant_id_checked_at ON quality_scores USING brin (tenant_id, checked_at);
"""
NARROW, TENANT, REVEAL = ("own", "team"), "tenant", "reveal"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"
SEEN = (
    "EXISTS (SELECT FROM customers p WHERE p.tenant_id = abc_classes.tenant_id"
    " AND p.customer_id = abc_classes.customer_id)"
)


def policy(table: str, role: str, using: str) -> None:
    op.execute(f"CREATE POLICY {role} ON {table} AS PERMISSIVE FOR ALL TO clientbase_{role} USING ({using})")
    op.execute(f"GRANT SELECT ON {table} TO clientbase_{role}")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    for table in ("abc_snapshots", "abc_classes"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    # What leaves by a rule is found by the role that reads in clear.
    for role in (*NARROW, TENANT, REVEAL):
        policy("abc_snapshots", role, IN_TENANT)
    for role in NARROW:
        policy("abc_classes", role, f"{IN_TENANT} AND {SEEN}")
    policy("abc_classes", TENANT, IN_TENANT)
    policy("abc_classes", REVEAL, f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {SEEN})")
    op.execute("GRANT INSERT, UPDATE, DELETE ON abc_snapshots TO clientbase_tenant")
    op.execute("GRANT INSERT, DELETE ON abc_classes TO clientbase_tenant")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP INDEX ix_quality_scores_tenant_id_checked_at")
    op.execute("ALTER TABLE rfm_schemes DROP COLUMN version")
    op.execute("ALTER TABLE segments DROP COLUMN rfm_snapshot, DROP COLUMN abc_snapshot")
    for table in ("abc_classes", "abc_snapshots"):
        op.execute(f"DROP TABLE {table}")
