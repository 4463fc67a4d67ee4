"""keep schemes

Saved RFM schemes, and snapshots of who scored what. A snapshot is numbered within its tenant, so that a row of scores
stays small (64 bytes, and 40 in its index). Scores have no foreign keys: a million are written at once, they are read
only together with their snapshot and the customer, and what is dropped is taken away in batches.
"""

from alembic import op

revision = "2026_11_22_2000"
down_revision = "2026_11_22_1990"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE rfm_schemes (
    tenant_id INTEGER NOT NULL,
    scheme_id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    method TEXT NOT NULL,
    bins SMALLINT NOT NULL,
    window_days INTEGER,
    currency TEXT,
    monetary TEXT NOT NULL,
    trimmed NUMERIC(5, 4) NOT NULL,
    thresholds JSONB,
    population TEXT,
    groups JSONB NOT NULL,
    in_rules BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_rfm_schemes PRIMARY KEY (tenant_id, scheme_id),
    CONSTRAINT uq_rfm_schemes_tenant_id_name UNIQUE (tenant_id, name),
    CONSTRAINT fk_rfm_schemes_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT ck_rfm_schemes_method CHECK (method IN ('quantile', 'thresholds', 'equal_width', 'ntile')),
    CONSTRAINT ck_rfm_schemes_monetary CHECK (monetary IN ('sum', 'average'))
);
CREATE UNIQUE INDEX ix_rfm_schemes_in_rules ON rfm_schemes (tenant_id) WHERE in_rules;
CREATE TABLE rfm_snapshots (
    tenant_id INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    scheme_id UUID,
    as_of DATE NOT NULL,
    computed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    currency TEXT NOT NULL,
    bins SMALLINT NOT NULL,
    customers INTEGER DEFAULT 0 NOT NULL,
    cuts JSONB NOT NULL,
    groups TEXT[] NOT NULL,
    in_rules BOOLEAN NOT NULL,
    scheduled BOOLEAN NOT NULL,
    dropped BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_rfm_snapshots PRIMARY KEY (tenant_id, snapshot_id),
    CONSTRAINT fk_rfm_snapshots_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
CREATE INDEX ix_rfm_snapshots_tenant_id_as_of ON rfm_snapshots (tenant_id, as_of);
CREATE TABLE rfm_scores (
    tenant_id INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    revenue BIGINT NOT NULL,
    customer_id UUID NOT NULL,
    r SMALLINT NOT NULL,
    f SMALLINT NOT NULL,
    m SMALLINT NOT NULL,
    group_no SMALLINT NOT NULL,
    CONSTRAINT pk_rfm_scores PRIMARY KEY (tenant_id, snapshot_id, customer_id)
);
"""
NARROW, TENANT, REVEAL = ("own", "team"), "tenant", "reveal"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"
SEEN = "EXISTS (SELECT FROM customers p WHERE p.tenant_id = rfm_scores.tenant_id AND p.customer_id = rfm_scores.customer_id)"
OF_TENANT = {"rfm_schemes": "INSERT, UPDATE, DELETE", "rfm_snapshots": "INSERT, UPDATE, DELETE"}


def _policy(table: str, role: str, using: str) -> None:
    op.execute(f"CREATE POLICY {role} ON {table} AS PERMISSIVE FOR ALL TO clientbase_{role} USING ({using})")
    op.execute(f"GRANT SELECT ON {table} TO clientbase_{role}")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    for table in (*OF_TENANT, "rfm_scores"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table, privileges in OF_TENANT.items():
        for role in (*NARROW, TENANT):
            _policy(table, role, IN_TENANT)
        op.execute(f"GRANT {privileges} ON {table} TO clientbase_tenant")
    # What leaves by a rule is found by the role that reads in clear.
    _policy("rfm_snapshots", REVEAL, IN_TENANT)
    for role in NARROW:
        _policy("rfm_scores", role, f"{IN_TENANT} AND {SEEN}")
    _policy("rfm_scores", TENANT, IN_TENANT)
    _policy("rfm_scores", REVEAL, f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {SEEN})")
    op.execute("GRANT INSERT, DELETE ON rfm_scores TO clientbase_tenant")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("rfm_scores", *OF_TENANT):
        op.execute(f"DROP TABLE {table}")
