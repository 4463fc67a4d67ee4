"""find duplicates

Records are found alike by keyed hashes of what they have in common, compared by a role of its own that reads names and
contacts in clear and writes nothing but what it has found. People see pairs and clusters of which they reach the
records; a mark says of two records that they are not the same, whatever they have in common.

What is computed has no foreign keys: they would lock the records that are written meanwhile, and check ten hashes for
each. Who looks for a pair joins the records; what is left of a deleted one goes with the next round.
"""

from alembic import op

revision = "2026_11_23_2050"
down_revision = "2026_11_23_2040"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE linkage_keys (
    tenant_id INTEGER NOT NULL,
    key BIGINT NOT NULL,
    customer_id UUID NOT NULL,
    CONSTRAINT pk_linkage_keys PRIMARY KEY (tenant_id, key, customer_id)
);
CREATE TABLE linkage_records (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    keys BIGINT[] NOT NULL,
    CONSTRAINT pk_linkage_records PRIMARY KEY (tenant_id, customer_id)
);
CREATE TABLE duplicate_pairs (
    tenant_id INTEGER NOT NULL,
    first_id UUID NOT NULL,
    second_id UUID NOT NULL,
    weight REAL NOT NULL,
    probability REAL NOT NULL,
    waterfall JSONB NOT NULL,
    found_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_duplicate_pairs PRIMARY KEY (tenant_id, first_id, second_id),
    CONSTRAINT ck_duplicate_pairs_ordered CHECK (first_id < second_id)
);
CREATE INDEX ix_duplicate_pairs_tenant_id_second_id ON duplicate_pairs (tenant_id, second_id);
CREATE TABLE duplicate_members (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    cluster_id UUID NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_duplicate_members PRIMARY KEY (tenant_id, customer_id)
);
CREATE INDEX ix_duplicate_members_tenant_id_cluster_id_customer_id ON duplicate_members (tenant_id, cluster_id, customer_id);
CREATE TABLE never_merge (
    tenant_id INTEGER NOT NULL,
    first_id UUID NOT NULL,
    second_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_never_merge PRIMARY KEY (tenant_id, first_id, second_id),
    CONSTRAINT fk_never_merge_customers_tenant_id_first_id FOREIGN KEY(tenant_id, first_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT fk_never_merge_customers_tenant_id_second_id FOREIGN KEY(tenant_id, second_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT fk_never_merge_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_never_merge_ordered CHECK (first_id < second_id)
);
CREATE INDEX ix_never_merge_tenant_id_second_id ON never_merge (tenant_id, second_id);
CREATE TABLE linkage_models (
    tenant_id INTEGER NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    model JSONB NOT NULL,
    records BIGINT NOT NULL,
    learnt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_linkage_models PRIMARY KEY (tenant_id),
    CONSTRAINT fk_linkage_models_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
CREATE TABLE linkage_progress (
    tenant_id INTEGER NOT NULL,
    xid BIGINT DEFAULT 0 NOT NULL,
    change_id BIGINT DEFAULT 0 NOT NULL,
    matched_at TIMESTAMP WITH TIME ZONE,
    scanned_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_linkage_progress PRIMARY KEY (tenant_id),
    CONSTRAINT fk_linkage_progress_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
LINKAGE, ERASER = "clientbase_linkage", "clientbase_eraser"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
CREATED = (
    "linkage_keys",
    "linkage_records",
    "linkage_models",
    "linkage_progress",
    "duplicate_pairs",
    "duplicate_members",
    "never_merge",
)
# What the role of the match sees of records; it can change none.
READ = {
    "tenants": "tenant_id",
    "customers": (
        "tenant_id, customer_id, kind, family_name, given_name, patronymic, legal_name, trade_name, legal_form, "
        "birth_date, birth_year_known, gender, country, region, city, postal_code, erased_at"
    ),
    "contact_details": "tenant_id, customer_id, kind, normal, verdict",
    "changes": "tenant_id, customer_id, entity, kind, xid, change_id",
}
# Of which columns a record must be in reach for the row to be there.
OF_RECORDS = {
    "duplicate_pairs": ("first_id", "second_id"),
    "duplicate_members": ("customer_id",),
    "never_merge": ("first_id", "second_id"),
}
SHOWN = {"duplicate_pairs": "SELECT", "duplicate_members": "SELECT", "never_merge": "SELECT, INSERT, DELETE"}
ERASED = ("linkage_keys", "linkage_records", *OF_RECORDS)


def policy(table: str, role: str, using: str) -> None:
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using})")


def within(table: str) -> str:
    records = (
        f"EXISTS (SELECT FROM customers p WHERE p.tenant_id = {table}.tenant_id AND p.customer_id = {table}.{column})"
        for column in OF_RECORDS[table]
    )
    return " AND ".join((IN_TENANT, *records))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {LINKAGE} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {LINKAGE}")
    for table in CREATED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {LINKAGE}")
        policy(table, LINKAGE, IN_TENANT)
    for table, columns in READ.items():
        op.execute(f"GRANT SELECT ({columns}) ON {table} TO {LINKAGE}")
        policy(table, LINKAGE, IN_TENANT)
    for table, privileges in SHOWN.items():
        op.execute(f"GRANT {privileges} ON {table} TO {OWN}, {TEAM}, {TENANT}")
        policy(table, TENANT, IN_TENANT)
        for role in (OWN, TEAM):
            policy(table, role, within(table))
    for table in ERASED:
        op.execute(f"GRANT SELECT, DELETE ON {table} TO {ERASER}")
        policy(table, ERASER, IN_TENANT)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in CREATED:
        op.execute(f"DROP TABLE {table}")
    for table, columns in READ.items():
        op.execute(f"REVOKE SELECT ({columns}) ON {table} FROM {LINKAGE}")
        op.execute(f"DROP POLICY linkage ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {LINKAGE}")
    # The role stays: other databases of the cluster may use it.
