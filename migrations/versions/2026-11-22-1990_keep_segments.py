"""keep segments

Rules that are kept, and who they meant from when to when. Segments are the tenant's; of their members each sees those
whose records he reaches. A membership is an interval: open while the customer is in.
"""

from alembic import op

revision = "2026_11_22_1990"
down_revision = "2026_11_22_1980"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE segments (
    tenant_id INTEGER NOT NULL,
    segment_id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    kind TEXT NOT NULL,
    rule JSONB,
    rule_text TEXT,
    uses UUID[] DEFAULT '{}' NOT NULL,
    source_id UUID,
    owner_id UUID NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    state TEXT NOT NULL,
    computed_at TIMESTAMP WITH TIME ZONE,
    xid BIGINT DEFAULT 0 NOT NULL,
    change_id BIGINT DEFAULT 0 NOT NULL,
    computed_on DATE,
    next_turn DATE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_segments PRIMARY KEY (tenant_id, segment_id),
    CONSTRAINT uq_segments_tenant_id_name UNIQUE (tenant_id, name),
    CONSTRAINT fk_segments_staff_tenant_id_owner_id FOREIGN KEY(tenant_id, owner_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_segments_kind CHECK (kind IN ('live', 'static', 'snapshot')),
    CONSTRAINT ck_segments_state CHECK (state IN ('building', 'ready', 'broken')),
    CONSTRAINT ck_segments_ruled CHECK ((kind = 'live') = (rule IS NOT NULL AND rule_text IS NOT NULL))
);
CREATE TABLE segment_members (
    tenant_id INTEGER NOT NULL,
    segment_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    entered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    left_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_segment_members PRIMARY KEY (tenant_id, segment_id, customer_id, entered_at),
    CONSTRAINT fk_segment_members_segments_tenant_id_segment_id FOREIGN KEY(tenant_id, segment_id) REFERENCES segments (tenant_id, segment_id) ON DELETE CASCADE,
    CONSTRAINT fk_segment_members_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT ck_segment_members_interval CHECK (left_at > entered_at)
);
CREATE UNIQUE INDEX ix_segment_members_present ON segment_members (tenant_id, segment_id, customer_id) WHERE left_at IS NULL;
CREATE INDEX ix_segment_members_tenant_id_customer_id_segment_id ON segment_members (tenant_id, customer_id, segment_id);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
OF_REACH = (
    f"{IN_TENANT} AND EXISTS (SELECT FROM customers p"
    " WHERE p.tenant_id = segment_members.tenant_id AND p.customer_id = segment_members.customer_id)"
)


def policy(table: str, role: str, using: str) -> None:
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using})")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    for table in ("segments", "segment_members"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {OWN}, {TEAM}, {TENANT}")
        policy(table, TENANT, IN_TENANT)
    for role in (OWN, TEAM):
        policy("segments", role, IN_TENANT)
        policy("segment_members", role, OF_REACH)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE segment_members")
    op.execute("DROP TABLE segments")
