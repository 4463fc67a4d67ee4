"""merge customers

Records that were found to be one: which went into which, and what they were before. Ids of records that are no more lead
to the one that holds what they had. The images hold contacts in clear; the role that merges reads them, and nobody else
but the erasure. What was merged goes with the record that holds it: when that one is deleted, so is all of this.
"""

from alembic import op

revision = "2026_11_23_2060"
down_revision = "2026_11_23_2050"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE merges (
    tenant_id INTEGER NOT NULL,
    merge_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    survivor_id UUID NOT NULL,
    merged_ids UUID[] NOT NULL,
    staff_id UUID NOT NULL,
    state TEXT DEFAULT 'done' NOT NULL,
    request JSONB NOT NULL,
    outcome JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    undone_by UUID,
    undone_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_merges PRIMARY KEY (tenant_id, merge_id),
    CONSTRAINT fk_merges_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT fk_merges_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_merges_state CHECK (state IN ('done', 'undone'))
);
CREATE INDEX ix_merges_tenant_id_customer_id ON merges (tenant_id, customer_id);
CREATE TABLE merge_images (
    tenant_id INTEGER NOT NULL,
    merge_id UUID NOT NULL,
    taken TEXT NOT NULL,
    table_name TEXT NOT NULL,
    owner_id UUID NOT NULL,
    keys UUID[],
    rows JSONB,
    CONSTRAINT pk_merge_images PRIMARY KEY (tenant_id, merge_id, taken, table_name, owner_id),
    CONSTRAINT fk_merge_images_merges_tenant_id_merge_id FOREIGN KEY(tenant_id, merge_id) REFERENCES merges (tenant_id, merge_id) ON DELETE CASCADE,
    CONSTRAINT ck_merge_images_taken CHECK (taken IN ('before', 'after'))
);
CREATE TABLE customer_redirects (
    tenant_id INTEGER NOT NULL,
    old_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    merge_id UUID NOT NULL,
    CONSTRAINT pk_customer_redirects PRIMARY KEY (tenant_id, old_id),
    CONSTRAINT fk_customer_redirects_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX ix_customer_redirects_tenant_id_customer_id ON customer_redirects (tenant_id, customer_id);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
MERGER, ERASER, REVEAL = "clientbase_merge", "clientbase_eraser", "clientbase_reveal"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
WHOLE = f"{IN_TENANT} AND (SELECT current_setting('app.reach', true)) = 'tenant'"
ALL = "SELECT, INSERT, UPDATE, DELETE"
SWAP = "SELECT, INSERT, DELETE"


def move(*columns: str) -> str:
    """Rows that only change their owner: of what they say nothing is read."""
    return f"SELECT (tenant_id, customer_id, {', '.join(columns)}), UPDATE (customer_id)"


# What the merger may do, table by table; how each goes along stands in service/db/merging_ways.py.
MERGED = {
    "customers": f"{SWAP}, UPDATE (restricted_at, status_at)",
    "customer_external_ids": f"{SWAP}, UPDATE (customer_id)",
    "contact_details": f"{SWAP}, UPDATE (customer_id, is_primary)",
    "customer_links": SWAP,
    "customer_events": f"{move('event_id', 'kind', 'detail')}, UPDATE (detail)",
    "ownerships": "SELECT, INSERT",
    "notes": move("note_id", "created_at"),
    "interactions": move("interaction_id", "created_at"),
    "consents": move("consent_id", "created_at"),
    "access_requests": move("request_id"),
    "orders": move("order_id", "created_at"),
    "refunds": move("refund_id", "order_id", "created_at"),
    "segments": "SELECT (tenant_id, segment_id)",
    "segment_members": SWAP,
    "never_merge": SWAP,
    "quality_findings": "SELECT, INSERT",
    "quality_fixes": move("fix_id"),
    "canaries": SWAP,
    "merges": ALL,
    "merge_images": ALL,
    "customer_redirects": ALL,
}


def policy(table: str, role: str, using: str) -> None:
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using})")


def reached(table: str) -> str:
    return f"EXISTS (SELECT FROM customers p WHERE p.tenant_id = {table}.tenant_id AND p.customer_id = {table}.customer_id)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {MERGER} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {MERGER}")
    for table in ("merges", "merge_images", "customer_redirects"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table in ("merges", "customer_redirects"):
        policy(table, TENANT, IN_TENANT)
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND {reached(table)}")
        op.execute(f"GRANT SELECT ON {table} TO {OWN}, {TEAM}, {TENANT}")
    for table, privileges in MERGED.items():
        policy(table, MERGER, IN_TENANT)
        op.execute(f"GRANT {privileges} ON {table} TO {MERGER}")
    # A look at a record's contacts counts for all that were merged into it.
    by_reveal = f"{WHOLE} OR {reached('customer_redirects')}".removeprefix(f"{IN_TENANT} AND ")
    policy("customer_redirects", REVEAL, f"{IN_TENANT} AND ({by_reveal})")
    op.execute(f"GRANT SELECT (tenant_id, old_id, customer_id) ON customer_redirects TO {REVEAL}")
    for table, privileges in (
        ("merges", "SELECT"),
        ("merge_images", "SELECT, DELETE"),
        ("customer_redirects", "SELECT"),
    ):
        policy(table, ERASER, WHOLE)
        op.execute(f"GRANT {privileges} ON {table} TO {ERASER}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("customer_redirects", "merge_images", "merges"):
        op.execute(f"DROP TABLE {table}")
    for table in MERGED.keys() - {"customer_redirects", "merge_images", "merges"}:
        op.execute(f"REVOKE ALL ON {table} FROM {MERGER}")
        op.execute(f"DROP POLICY merge ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {MERGER}")
    # The role stays: other databases of the cluster may use it.
