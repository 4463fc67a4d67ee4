"""signal leaks

Canaries, what each member of the staff did hour by hour, and the signals that come of both. All three are seen by the
role `clientbase_watch` alone: to the roles of a reach a canary is a customer like any other, and nobody can read there
what is known of him. Of records the role sees ids, owners and days, never a name or a contact.
"""

from alembic import op

revision = "2026_11_22_1950"
down_revision = "2026_11_22_1940"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE canaries (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    curator_id UUID,
    planted_by UUID NOT NULL,
    planted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_canaries PRIMARY KEY (tenant_id, customer_id),
    CONSTRAINT fk_canaries_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE TABLE leak_signals (
    tenant_id INTEGER NOT NULL,
    signal_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    staff_id UUID NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    parts JSONB NOT NULL,
    evidence JSONB DEFAULT '{}'::jsonb NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    acknowledged_by UUID,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    note TEXT,
    delivered_at TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_try_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_leak_signals PRIMARY KEY (tenant_id, signal_id),
    CONSTRAINT uq_leak_signals_tenant_id_staff_id_kind_about UNIQUE (tenant_id, staff_id, kind, about),
    CONSTRAINT fk_leak_signals_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_leak_signals_severity CHECK (severity IN ('notice', 'alert')),
    CONSTRAINT ck_leak_signals_state CHECK (state IN ('open', 'acknowledged'))
);
CREATE INDEX ix_leak_signals_undelivered ON leak_signals (tenant_id, next_try_at) WHERE delivered_at IS NULL;
CREATE TABLE staff_activity (
    tenant_id INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    hour TIMESTAMP WITH TIME ZONE NOT NULL,
    cards INTEGER DEFAULT 0 NOT NULL,
    searches INTEGER DEFAULT 0 NOT NULL,
    pages INTEGER DEFAULT 0 NOT NULL,
    reveals INTEGER DEFAULT 0 NOT NULL,
    exported INTEGER DEFAULT 0 NOT NULL,
    reassigned INTEGER DEFAULT 0 NOT NULL,
    sales INTEGER DEFAULT 0 NOT NULL,
    letters BIGINT DEFAULT 0 NOT NULL,
    segments BIGINT DEFAULT 0 NOT NULL,
    seen BIT(4096) DEFAULT B'0'::bit(4096) NOT NULL,
    covered INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_staff_activity PRIMARY KEY (tenant_id, staff_id, hour),
    CONSTRAINT fk_staff_activity_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id) ON DELETE CASCADE
);
CREATE INDEX ix_staff_activity_tenant_id_hour ON staff_activity (tenant_id, hour);
"""
WATCH = "clientbase_watch"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
OWN_TABLES = {
    "canaries": "SELECT, INSERT, DELETE",
    "leak_signals": "SELECT, INSERT, UPDATE (state, acknowledged_by, acknowledged_at, note, delivered_at, attempts, next_try_at)",
    "staff_activity": "SELECT, INSERT, UPDATE, DELETE",
}
SEEN = {
    "tenants": "SELECT (tenant_id, slug, time_zone, policies)",
    "staff": "SELECT (tenant_id, staff_id, name, kind, state)",
    "customers": "SELECT (tenant_id, customer_id, curator_id, erased_at)",
    "orders": "SELECT (tenant_id, customer_id, order_id, ordered_at, status)",
    "reveals": "SELECT",
    "exports": "SELECT (tenant_id, export_id, staff_id, state, rows, finished_at)",
    "export_records": "SELECT (tenant_id, export_id, customer_ids)",
    "assignments": "SELECT (tenant_id, staff_id, records, created_at)",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {WATCH} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {WATCH}")
    for table in OWN_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table, privileges in (OWN_TABLES | SEEN).items():
        op.execute(f"CREATE POLICY watch ON {table} AS PERMISSIVE FOR ALL TO {WATCH} USING ({IN_TENANT})")
        op.execute(f"GRANT {privileges} ON {table} TO {WATCH}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, privileges in SEEN.items():
        op.execute(f"REVOKE {privileges} ON {table} FROM {WATCH}")
        op.execute(f"DROP POLICY watch ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {WATCH}")
    for table in OWN_TABLES:
        op.execute(f"DROP TABLE {table}")
    # The role stays: other databases of the cluster may use it.
