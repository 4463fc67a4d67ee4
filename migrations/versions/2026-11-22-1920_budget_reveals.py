"""budget reveals, and keep terms of use with who has accepted them

A taking says that a person saw the contacts of a record in clear; only the role that reveals writes and reads takings,
those of the whole tenant, for budgets of teams and of the tenant are sums over people. Terms and acceptances can be
added, and never changed or removed.
"""

from alembic import op

revision = "2026_11_22_1920"
down_revision = "2026_11_22_1910"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reveals (
    tenant_id INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    customer_id UUID NOT NULL,
    CONSTRAINT pk_reveals PRIMARY KEY (tenant_id, staff_id, taken_at, customer_id),
    CONSTRAINT fk_reveals_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE INDEX ix_reveals_tenant_id_taken_at ON reveals (tenant_id, taken_at);
CREATE TABLE terms (
    tenant_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    text TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    staff_id UUID NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_terms PRIMARY KEY (tenant_id, version),
    CONSTRAINT fk_terms_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE TABLE terms_acceptances (
    tenant_id INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    version INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    address TEXT,
    CONSTRAINT pk_terms_acceptances PRIMARY KEY (tenant_id, staff_id, version),
    CONSTRAINT fk_terms_acceptances_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_terms_acceptances_terms_tenant_id_version FOREIGN KEY(tenant_id, version) REFERENCES terms (tenant_id, version)
);
"""
OWN, TEAM, TENANT = "clientbase_own", "clientbase_team", "clientbase_tenant"
REACH = (OWN, TEAM, TENANT)
REVEAL, KEEPER, DIRECTORY = "clientbase_reveal", "clientbase_keeper", "clientbase_directory"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
IS_CALLER = "staff_id = (SELECT nullif(current_setting('app.subject', true), '')::uuid)"
OF_SLUG = (
    "tenant_id = (SELECT t.tenant_id FROM tenants t "
    "WHERE t.slug = (SELECT nullif(current_setting('app.slug', true), '')))"
)


def policy(table: str, role: str, using: str, check: str | None = None) -> None:
    written = f"WITH CHECK ({check})" if check else ""
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using}) {written}")


def grant(privileges: str, table: str, *roles: str) -> None:
    op.execute(f"GRANT {privileges} ON {table} TO {', '.join(roles)}")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    for table in ("reveals", "terms", "terms_acceptances"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    protect_reveals()
    protect_terms()


def protect_reveals() -> None:
    policy("reveals", REVEAL, IN_TENANT, f"{IN_TENANT} AND {IS_CALLER}")
    grant("SELECT, INSERT", "reveals", REVEAL)
    policy("reveals", KEEPER, f"{IN_TENANT} AND taken_at < now() - interval '31 days'")
    grant("SELECT (tenant_id, staff_id, taken_at, customer_id), DELETE", "reveals", KEEPER)
    # The budget is the tenant's policy, and that of a team counts its members.
    for table, columns in (("tenants", "SELECT (tenant_id, policies)"), ("team_members", "SELECT")):
        policy(table, REVEAL, IN_TENANT)
        grant(columns, table, REVEAL)


def protect_terms() -> None:
    for role in REACH:
        policy("terms", role, IN_TENANT)
    # Nobody accepts in another's name.
    for role in (OWN, TEAM):
        policy("terms_acceptances", role, f"{IN_TENANT} AND {IS_CALLER}")
    policy("terms_acceptances", TENANT, IN_TENANT, f"{IN_TENANT} AND {IS_CALLER}")
    grant("SELECT", "terms", *REACH)
    grant("INSERT", "terms", TENANT)
    grant("SELECT, INSERT", "terms_acceptances", *REACH)
    for table, columns in (("terms", "tenant_id, version"), ("terms_acceptances", "tenant_id, staff_id, version")):
        policy(table, DIRECTORY, OF_SLUG)
        grant(f"SELECT ({columns})", table, DIRECTORY)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("tenants", "team_members"):
        op.execute(f"REVOKE ALL ON {table} FROM {REVEAL}")
        op.execute(f"DROP POLICY reveal ON {table}")
    op.execute(f"REVOKE SELECT (tenant_id, policies) ON tenants FROM {REVEAL}")
    for table in ("terms_acceptances", "terms", "reveals"):
        op.execute(f"DROP TABLE {table}")
