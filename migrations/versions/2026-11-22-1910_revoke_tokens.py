"""revoke tokens

A token taken back before its time, by its id, or all tokens of a person that were issued until then. A person takes back
his own; those of others an administrator, who always reaches the whole tenant. Rows whose tokens have expired go.
"""

from alembic import op

revision = "2026_11_22_1910"
down_revision = "2026_11_22_1800"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE token_revocations (
    tenant_id INTEGER NOT NULL,
    revocation_id UUID NOT NULL,
    token_id TEXT COLLATE "C",
    owner_id UUID,
    issued_before TIMESTAMP WITH TIME ZONE,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT NOT NULL,
    staff_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_token_revocations PRIMARY KEY (tenant_id, revocation_id),
    CONSTRAINT fk_token_revocations_staff_tenant_id_owner_id FOREIGN KEY(tenant_id, owner_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_token_revocations_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_token_revocations_named CHECK (token_id IS NOT NULL OR owner_id IS NOT NULL)
);
CREATE INDEX ix_token_revocations_tenant_id_token_id ON token_revocations (tenant_id, token_id);
CREATE INDEX ix_token_revocations_tenant_id_owner_id ON token_revocations (tenant_id, owner_id);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
REACH = (OWN, TEAM, TENANT)
DIRECTORY = "clientbase_directory"
KEEPER = "clientbase_keeper"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
SUBJECT = "(SELECT nullif(current_setting('app.subject', true), '')::uuid)"
OF_SLUG = (
    "tenant_id = (SELECT t.tenant_id FROM tenants t WHERE t.slug = "
    "(SELECT nullif(current_setting('app.slug', true), '')))"
)
# Append only for those who act; the directory sees what a token is compared with, and no reasons.
POLICIES = {
    OWN: ("SELECT, INSERT", f"{IN_TENANT} AND staff_id = {SUBJECT} AND owner_id = {SUBJECT}"),
    TEAM: ("SELECT, INSERT", f"{IN_TENANT} AND staff_id = {SUBJECT} AND owner_id = {SUBJECT}"),
    TENANT: ("SELECT, INSERT", IN_TENANT),
    DIRECTORY: ("SELECT (tenant_id, token_id, owner_id, issued_before, until)", OF_SLUG),
    KEEPER: ("SELECT (tenant_id, revocation_id, until), DELETE", f"{IN_TENANT} AND until < now()"),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLE.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("ALTER TABLE token_revocations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE token_revocations FORCE ROW LEVEL SECURITY")
    for role, (privileges, using) in POLICIES.items():
        name = role.removeprefix("clientbase_")
        op.execute(f"CREATE POLICY {name} ON token_revocations AS PERMISSIVE FOR ALL TO {role} USING ({using})")
        op.execute(f"GRANT {privileges} ON token_revocations TO {role}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE token_revocations")
