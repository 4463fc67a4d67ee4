"""deepen customers

What makes a record the card of a person's work: own attributes, links, dated history, notes, contacts made, consents, who
answered for it and when, what was erased, which files it left with.

The role `clientbase_eraser` removes the personal data of one person everywhere; it is entered by one unit of work, which
writes the audit row first and the act with it.
"""

from alembic import op

revision = "2026_11_22_1800"
down_revision = "2026_11_22_1710"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE customers ADD COLUMN legal_form TEXT;
ALTER TABLE customers ADD COLUMN time_zone TEXT;
ALTER TABLE customers ADD COLUMN birth_year_known BOOLEAN DEFAULT true NOT NULL;
ALTER TABLE customers ADD COLUMN preferences TEXT[] DEFAULT '{}' NOT NULL;
ALTER TABLE customers ADD COLUMN provenance JSONB DEFAULT '[]'::jsonb NOT NULL;
ALTER TABLE customers ADD COLUMN status_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE customers ADD COLUMN restricted_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE customers ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE contact_details ADD COLUMN author_id UUID;
"""
# What is read of the changes ends below the oldest transaction still running, in the order of their transactions, so
# that one which commits late is not missed; the numbers of the rows can't tell, for they are given before the commit.
# Rows from before get the number of this transaction and stay in their order.
CHANGES = """
ALTER TABLE changes ADD COLUMN xid BIGINT DEFAULT (pg_current_xact_id()::text)::bigint NOT NULL;
ALTER TABLE changes DROP CONSTRAINT pk_changes;
ALTER TABLE changes ADD CONSTRAINT pk_changes PRIMARY KEY (tenant_id, xid, change_id);
"""
# A number is looked for without its system too, which only version 18 can do by an index that begins with the system.
# The primary key of orders is made anew, so that it stays the youngest index and foreign keys are checked along it.
YOUNGEST = """
ALTER TABLE order_lines DROP CONSTRAINT fk_order_lines_orders_tenant_id_order_id;
ALTER TABLE refunds DROP CONSTRAINT fk_refunds_orders_tenant_id_order_id;
ALTER TABLE orders DROP CONSTRAINT pk_orders;
ALTER TABLE orders ADD CONSTRAINT pk_orders PRIMARY KEY (tenant_id, order_id);
ALTER TABLE order_lines ADD CONSTRAINT fk_order_lines_orders_tenant_id_order_id
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, order_id) ON DELETE CASCADE;
ALTER TABLE refunds ADD CONSTRAINT fk_refunds_orders_tenant_id_order_id
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, order_id) ON DELETE CASCADE;
"""
NUMBER_FIRST = (
    """
ALTER TABLE customer_external_ids DROP CONSTRAINT pk_customer_external_ids;
ALTER TABLE customer_external_ids ADD CONSTRAINT pk_customer_external_ids
    PRIMARY KEY (tenant_id, external_id, source);
ALTER TABLE orders DROP CONSTRAINT uq_orders_tenant_id_source_external_id;
ALTER TABLE orders ADD CONSTRAINT uq_orders_tenant_id_external_id_source UNIQUE (tenant_id, external_id, source);
"""
    + YOUNGEST
)
SYSTEM_FIRST = (
    """
ALTER TABLE customer_external_ids DROP CONSTRAINT pk_customer_external_ids;
ALTER TABLE customer_external_ids ADD CONSTRAINT pk_customer_external_ids
    PRIMARY KEY (tenant_id, source, external_id);
ALTER TABLE orders DROP CONSTRAINT uq_orders_tenant_id_external_id_source;
ALTER TABLE orders ADD CONSTRAINT uq_orders_tenant_id_source_external_id UNIQUE (tenant_id, source, external_id);
"""
    + YOUNGEST
)
TABLES = """
CREATE TABLE attribute_definitions (
    tenant_id INTEGER NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    choices TEXT[] DEFAULT '{}' NOT NULL,
    position INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_attribute_definitions PRIMARY KEY (tenant_id, name),
    CONSTRAINT fk_attribute_definitions_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT ck_attribute_definitions_kind CHECK (kind IN ('text', 'number', 'date', 'boolean', 'choice'))
);
CREATE TABLE customer_links (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    other_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_customer_links PRIMARY KEY (tenant_id, customer_id, kind, other_id),
    CONSTRAINT fk_customer_links_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT fk_customer_links_customers_tenant_id_other_id FOREIGN KEY(tenant_id, other_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT ck_customer_links_kind CHECK (kind IN ('works_at', 'subsidiary_of', 'household', 'referred_by'))
);
CREATE INDEX ix_customer_links_tenant_id_other_id ON customer_links (tenant_id, other_id);
CREATE TABLE customer_events (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    event_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    kind TEXT NOT NULL,
    staff_id UUID,
    source TEXT NOT NULL,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_customer_events PRIMARY KEY (tenant_id, customer_id, event_id),
    CONSTRAINT fk_customer_events_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE TABLE assignments (
    tenant_id INTEGER NOT NULL,
    assignment_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    state TEXT NOT NULL,
    request JSONB NOT NULL,
    outcome JSONB DEFAULT '{}'::jsonb NOT NULL,
    records INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_assignments PRIMARY KEY (tenant_id, assignment_id),
    CONSTRAINT fk_assignments_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_assignments_state CHECK (state IN ('done', 'undone'))
);
CREATE TABLE ownerships (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    ownership_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    curator_id UUID,
    team_id UUID,
    from_curator_id UUID,
    from_team_id UUID,
    staff_id UUID NOT NULL,
    assignment_id UUID,
    CONSTRAINT pk_ownerships PRIMARY KEY (tenant_id, customer_id, ownership_id),
    CONSTRAINT fk_ownerships_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX ix_ownerships_tenant_id_assignment_id ON ownerships (tenant_id, assignment_id) WHERE assignment_id IS NOT NULL;
CREATE TABLE notes (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    note_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    text TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_notes PRIMARY KEY (tenant_id, customer_id, note_id),
    CONSTRAINT fk_notes_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE TABLE interactions (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    interaction_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    kind TEXT NOT NULL,
    direction TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT,
    text TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_interactions PRIMARY KEY (tenant_id, customer_id, interaction_id),
    CONSTRAINT fk_interactions_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT ck_interactions_kind CHECK (kind IN ('call', 'email', 'message', 'meeting', 'letter', 'visit', 'other')),
    CONSTRAINT ck_interactions_direction CHECK (direction IN ('in', 'out'))
);
CREATE TABLE consents (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    consent_id UUID NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" DEFAULT '' NOT NULL,
    given BOOLEAN NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    source TEXT NOT NULL,
    proof TEXT,
    staff_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_consents PRIMARY KEY (tenant_id, customer_id, consent_id),
    CONSTRAINT fk_consents_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE TABLE access_requests (
    tenant_id INTEGER NOT NULL,
    request_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    reason TEXT NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    answer TEXT,
    CONSTRAINT pk_access_requests PRIMARY KEY (tenant_id, request_id),
    CONSTRAINT fk_access_requests_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_access_requests_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT ck_access_requests_state CHECK (state IN ('open', 'granted', 'refused'))
);
CREATE INDEX ix_access_requests_tenant_id_customer_id ON access_requests (tenant_id, customer_id);
CREATE TABLE erasures (
    tenant_id INTEGER NOT NULL,
    erasure_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    reason TEXT NOT NULL,
    act JSONB NOT NULL,
    CONSTRAINT pk_erasures PRIMARY KEY (tenant_id, erasure_id),
    CONSTRAINT fk_erasures_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE INDEX ix_erasures_tenant_id_customer_id ON erasures (tenant_id, customer_id);
CREATE TABLE contact_probes (
    tenant_id INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    hour TIMESTAMP WITH TIME ZONE NOT NULL,
    used INTEGER NOT NULL,
    CONSTRAINT pk_contact_probes PRIMARY KEY (tenant_id, staff_id, hour),
    CONSTRAINT fk_contact_probes_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id) ON DELETE CASCADE
);
CREATE TABLE channel_costs (
    tenant_id INTEGER NOT NULL,
    channel_id UUID NOT NULL,
    cost_id UUID NOT NULL,
    from_on DATE NOT NULL,
    until_on DATE NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_channel_costs PRIMARY KEY (tenant_id, channel_id, cost_id),
    CONSTRAINT fk_channel_costs_channels_tenant_id_channel_id FOREIGN KEY(tenant_id, channel_id) REFERENCES channels (tenant_id, channel_id) ON DELETE CASCADE
);
CREATE TABLE export_records (
    tenant_id INTEGER NOT NULL,
    export_id UUID NOT NULL,
    first_id UUID NOT NULL,
    last_id UUID NOT NULL,
    customer_ids UUID[] NOT NULL,
    CONSTRAINT pk_export_records PRIMARY KEY (tenant_id, export_id, first_id),
    CONSTRAINT fk_export_records_exports_tenant_id_export_id FOREIGN KEY(tenant_id, export_id) REFERENCES exports (tenant_id, export_id) ON DELETE CASCADE
);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
REACH = (OWN, TEAM, TENANT)
ERASER = "clientbase_eraser"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
SUBJECT = "(SELECT nullif(current_setting('app.subject', true), '')::uuid)"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"
ALL = "SELECT, INSERT, UPDATE, DELETE"
OF_CUSTOMER = {
    "customer_links": "SELECT, INSERT, DELETE",
    "customer_events": "SELECT, INSERT",
    "ownerships": "SELECT, INSERT",
    "notes": "SELECT, INSERT, DELETE",
    "interactions": "SELECT, INSERT, DELETE",
    "consents": "SELECT, INSERT",
}
OF_TENANT = {"attribute_definitions": "SELECT", "channel_costs": "SELECT"}
OF_MAKER = {"assignments": "SELECT, INSERT, UPDATE", "contact_probes": ALL, "erasures": "SELECT, INSERT"}
ADMINISTERED = ("attribute_definitions", "channel_costs")
# What the eraser may do, table by table: rows go, or lose what tells of a person.
ERASED = {
    "customers": "SELECT, UPDATE",
    "customer_external_ids": "SELECT, DELETE",
    "search_tokens": "SELECT, DELETE",
    "contact_details": "SELECT, DELETE",
    "customer_links": "SELECT, DELETE",
    "customer_events": "SELECT, DELETE",
    "notes": "SELECT, DELETE, UPDATE (text)",
    "interactions": "SELECT, DELETE, UPDATE (outcome, text)",
    "consents": "SELECT, DELETE",
    "access_requests": "SELECT, DELETE",
    "orders": "SELECT, UPDATE",
    "refunds": "SELECT, UPDATE",
    "imports": "SELECT, UPDATE",
    "import_rejects": "SELECT, DELETE",
    "exports": "SELECT, UPDATE",
    "export_records": "SELECT, UPDATE, DELETE",
    "files": "SELECT, DELETE, UPDATE (name, size, sha256)",
    "file_parts": "SELECT, DELETE",
    "jobs": "SELECT, UPDATE",
    "assignments": "SELECT, UPDATE",
    "idempotency_keys": "SELECT, DELETE",
}
CONTACT_COLUMNS = "author_id"


def policy(table: str, role: str, using: str) -> None:
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using})")


def exists(parent: str, key: str, table: str) -> str:
    return f"EXISTS (SELECT FROM {parent} p WHERE p.tenant_id = {table}.tenant_id AND p.{key} = {table}.{key})"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (COLUMNS + CHANGES + NUMBER_FIRST + TABLES).split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {ERASER} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {ERASER}")
    for table in (*OF_CUSTOMER, *OF_TENANT, *OF_MAKER, "access_requests", "export_records"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        policy(table, TENANT, IN_TENANT)
    protect()
    let_the_eraser_in()


def protect() -> None:
    for table, privileges in OF_CUSTOMER.items():
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND {exists('customers', 'customer_id', table)}")
        op.execute(f"GRANT {privileges} ON {table} TO {', '.join(REACH)}")
    for table, privileges in OF_TENANT.items():
        for role in (OWN, TEAM):
            policy(table, role, IN_TENANT)
        op.execute(f"GRANT {privileges} ON {table} TO {', '.join(REACH)}")
    for table in ADMINISTERED:
        op.execute(f"GRANT INSERT, UPDATE, DELETE ON {table} TO {TENANT}")
    for table, privileges in OF_MAKER.items():
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND staff_id = {SUBJECT}")
        op.execute(f"GRANT {privileges} ON {table} TO {', '.join(REACH)}")
    # Who asks does not see the record; who answers for it sees the question.
    asked = f"{IN_TENANT} AND (staff_id = {SUBJECT} OR {exists('customers', 'customer_id', 'access_requests')})"
    for role in (OWN, TEAM):
        policy("access_requests", role, asked)
        policy("export_records", role, f"{IN_TENANT} AND {exists('exports', 'export_id', 'export_records')}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON access_requests TO {', '.join(REACH)}")
    op.execute(f"GRANT SELECT, INSERT ON export_records TO {', '.join(REACH)}")
    op.execute(f"GRANT SELECT ({CONTACT_COLUMNS}) ON contact_details TO {', '.join(REACH)}")


def let_the_eraser_in() -> None:
    for table, privileges in ERASED.items():
        policy(table, ERASER, f"{IN_TENANT} AND {NAMED_REACH} = 'tenant'")
        op.execute(f"GRANT {privileges} ON {table} TO {ERASER}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ERASED:
        op.execute(f"REVOKE ALL ON {table} FROM {ERASER}")
        op.execute(f"DROP POLICY eraser ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {ERASER}")
    for table in ("export_records", "access_requests", *OF_MAKER, *OF_TENANT, *OF_CUSTOMER):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE changes DROP CONSTRAINT pk_changes")
    op.execute("ALTER TABLE changes ADD CONSTRAINT pk_changes PRIMARY KEY (tenant_id, change_id)")
    op.execute("ALTER TABLE changes DROP COLUMN xid")
    op.execute("ALTER TABLE contact_details DROP COLUMN author_id")
    for column in (
        "legal_form",
        "time_zone",
        "birth_year_known",
        "preferences",
        "provenance",
        "status_at",
        "restricted_at",
        "erased_at",
    ):
        op.execute(f"ALTER TABLE customers DROP COLUMN {column}")
    for statement in SYSTEM_FIRST.split(";"):
        if statement.strip():
            op.execute(statement)
    # The role stays: other databases of the cluster may use it.
