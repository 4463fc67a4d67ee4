"""seal audit

Each audit row knows its transaction, how it ended, and the salted hash of its reason. Seals stand beside the rows, one
for each, chained by tenant and month; one role writes them, and nobody may change or remove one. What a bulk write has
touched is listed in chunks beside its one audit row.
"""

from alembic import op

revision = "2026_11_22_1940"
down_revision = "2026_11_22_1930"
branch_labels = None
depends_on = None

OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
REACH = f"{OWN}, {TEAM}, {TENANT}"
SEALER, ERASER = "clientbase_sealer", "clientbase_eraser"
HERE = "(SELECT nullif(current_setting('app.tenant', true), '')::int)"
IN_TENANT = f"tenant_id = {HERE}"
# The sealer looks once for all tenants (there is no tenant 0) and seals one at a time.
LOOKING = f"({HERE} = 0 OR {IN_TENANT})"
COLUMNS = """
ALTER TABLE audit ADD COLUMN xid BIGINT DEFAULT (pg_current_xact_id()::text)::bigint NOT NULL;
ALTER TABLE audit ADD COLUMN outcome TEXT DEFAULT 'done' NOT NULL;
ALTER TABLE audit ADD COLUMN reason_salt BYTEA;
ALTER TABLE audit ADD COLUMN reason_hash BYTEA;
ALTER TABLE audit NO FORCE ROW LEVEL SECURITY;
UPDATE audit SET reason_salt = uuid_send(gen_random_uuid()) WHERE reason IS NOT NULL;
UPDATE audit SET reason_hash = sha256(reason_salt || convert_to(reason, 'UTF8')) WHERE reason IS NOT NULL;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
ALTER TABLE audit ADD CONSTRAINT ck_audit_outcome CHECK (outcome IN ('done', 'refused'));
ALTER TABLE audit ADD CONSTRAINT ck_audit_reason CHECK (reason IS NULL OR reason_hash IS NOT NULL);
CREATE INDEX ix_audit_tenant_id_xid_audit_id ON audit (tenant_id, xid, audit_id);
CREATE INDEX ix_audit_tenant_id_staff_id_audit_id ON audit (tenant_id, staff_id, audit_id);
CREATE INDEX ix_audit_tenant_id_entity_id_audit_id ON audit (tenant_id, entity_id, audit_id);
CREATE INDEX ix_audit_tenant_id_action_audit_id ON audit (tenant_id, action, audit_id);
CREATE INDEX ix_audit_refused ON audit (tenant_id, audit_id) WHERE outcome = 'refused';
"""
TABLES = """
CREATE TABLE audit_seals (
    tenant_id INTEGER NOT NULL,
    month DATE NOT NULL,
    seq BIGINT NOT NULL,
    audit_id UUID NOT NULL,
    xid BIGINT NOT NULL,
    row_hash BYTEA NOT NULL,
    chain_hash BYTEA NOT NULL,
    sealed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_audit_seals PRIMARY KEY (tenant_id, month, seq),
    CONSTRAINT fk_audit_seals_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
CREATE UNIQUE INDEX uq_audit_seals_row ON audit_seals (tenant_id, xid, audit_id);
CREATE TABLE audit_entries (
    tenant_id INTEGER NOT NULL,
    audit_id UUID NOT NULL,
    first_id UUID NOT NULL,
    last_id UUID NOT NULL,
    ids UUID[] NOT NULL,
    CONSTRAINT pk_audit_entries PRIMARY KEY (tenant_id, audit_id, first_id),
    CONSTRAINT fk_audit_entries_audit_tenant_id_audit_id FOREIGN KEY(tenant_id, audit_id) REFERENCES audit (tenant_id, audit_id)
);
CREATE INDEX ix_audit_entries_tenant_id_first_id ON audit_entries (tenant_id, first_id);
"""


def policy(table: str, role: str, using: str, check: str | None = None) -> None:
    name = role.removeprefix("clientbase_")
    written = f"WITH CHECK ({check})" if check else ""
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using}) {written}")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (COLUMNS + TABLES).split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {SEALER} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {SEALER}")
    for table in ("audit_seals", "audit_entries"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        policy(table, TENANT, IN_TENANT)
    mine = f"{IN_TENANT} AND EXISTS (SELECT FROM audit p WHERE p.tenant_id = audit_entries.tenant_id AND p.audit_id = audit_entries.audit_id)"
    for role in (OWN, TEAM):
        policy("audit_entries", role, mine)
    op.execute(f"GRANT SELECT, INSERT ON audit_entries TO {REACH}")
    op.execute(f"GRANT SELECT ON audit_seals TO {TENANT}")
    for table in ("tenants", "audit", "audit_entries"):
        policy(table, SEALER, LOOKING)
    policy("audit_seals", SEALER, LOOKING, IN_TENANT)
    op.execute(f"GRANT SELECT (tenant_id, slug) ON tenants TO {SEALER}")
    op.execute(f"GRANT SELECT ON audit, audit_entries TO {SEALER}")
    op.execute(f"GRANT SELECT, INSERT ON audit_seals TO {SEALER}")
    # Of a reason that names an erased person the words and the salt go; its hash stays, and so does the seal.
    policy("audit", ERASER, f"{IN_TENANT} AND (SELECT current_setting('app.reach', true)) = 'tenant'")
    op.execute(f"GRANT SELECT, UPDATE (reason, reason_salt) ON audit TO {ERASER}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"REVOKE ALL ON audit FROM {SEALER}, {ERASER}")
    op.execute(f"REVOKE ALL ON tenants FROM {SEALER}")
    for table, role in (("audit", SEALER), ("audit", ERASER), ("tenants", SEALER)):
        op.execute(f"DROP POLICY {role.removeprefix('clientbase_')} ON {table}")
    op.execute("DROP TABLE audit_entries")
    op.execute("DROP TABLE audit_seals")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {SEALER}")
    for index in ("tenant_id_xid_audit_id", "tenant_id_staff_id_audit_id", "tenant_id_entity_id_audit_id"):
        op.execute(f"DROP INDEX ix_audit_{index}")
    op.execute("DROP INDEX ix_audit_tenant_id_action_audit_id")
    op.execute("DROP INDEX ix_audit_refused")
    for constraint in ("ck_audit_reason", "ck_audit_outcome"):
        op.execute(f"ALTER TABLE audit DROP CONSTRAINT {constraint}")
    for column in ("reason_hash", "reason_salt", "outcome", "xid"):
        op.execute(f"ALTER TABLE audit DROP COLUMN {column}")
    # The role stays: other databases of the cluster may use it.
