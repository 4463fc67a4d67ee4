"""find faults

What checks have found, how good each record is, the scans that looked, and each day's numbers. One role reads contacts
in clear to look at them; what is kept of a contact is masked. Scores have no foreign keys, as a million are written at
once and a key would lock a million records; a scan takes away those whose record is gone.
"""

from alembic import op

revision = "2026_11_23_2030"
down_revision = "2026_11_22_2020"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE quality_findings (
    tenant_id INTEGER NOT NULL,
    finding_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    field TEXT COLLATE "C" NOT NULL,
    detail_id UUID,
    cause TEXT NOT NULL,
    severity TEXT NOT NULL,
    confidence REAL NOT NULL,
    proposal JSONB,
    value_hash BYTEA NOT NULL,
    source TEXT NOT NULL,
    import_id UUID,
    author_id UUID,
    found_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    due_on DATE,
    CONSTRAINT pk_quality_findings PRIMARY KEY (tenant_id, finding_id),
    CONSTRAINT uq_quality_findings_place UNIQUE NULLS NOT DISTINCT (tenant_id, customer_id, code, field, detail_id),
    CONSTRAINT fk_quality_findings_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT ck_quality_findings_cause CHECK (cause IN ('false', 'entry', 'transfer', 'stale', 'missing')),
    CONSTRAINT ck_quality_findings_severity CHECK (severity IN ('error', 'warning', 'note')),
    CONSTRAINT ck_quality_findings_state CHECK (state IN ('open', 'dismissed', 'fixed', 'gone'))
);
CREATE INDEX ix_quality_findings_open ON quality_findings (tenant_id, code, customer_id) WHERE state = 'open';
CREATE TABLE quality_scores (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    checked_version INTEGER NOT NULL,
    score SMALLINT NOT NULL,
    fit_call BOOLEAN NOT NULL,
    fit_mail BOOLEAN NOT NULL,
    fit_invoice BOOLEAN NOT NULL,
    fit_deliver BOOLEAN NOT NULL,
    CONSTRAINT pk_quality_scores PRIMARY KEY (tenant_id, customer_id)
);
CREATE TABLE quality_scans (
    tenant_id INTEGER NOT NULL,
    scan_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    job_id UUID NOT NULL,
    scope TEXT NOT NULL,
    watermark UUID,
    examined BIGINT DEFAULT 0 NOT NULL,
    found BIGINT DEFAULT 0 NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_quality_scans PRIMARY KEY (tenant_id, scan_id),
    CONSTRAINT fk_quality_scans_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_quality_scans_jobs_tenant_id_job_id FOREIGN KEY(tenant_id, job_id) REFERENCES jobs (tenant_id, job_id),
    CONSTRAINT ck_quality_scans_scope CHECK (scope IN ('all', 'changed'))
);
CREATE INDEX ix_quality_scans_tenant_id_job_id ON quality_scans (tenant_id, job_id);
CREATE TABLE quality_places (
    tenant_id INTEGER NOT NULL,
    xid BIGINT NOT NULL,
    change_id BIGINT NOT NULL,
    scanned_on DATE,
    CONSTRAINT pk_quality_places PRIMARY KEY (tenant_id),
    CONSTRAINT fk_quality_places_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
CREATE TABLE quality_history (
    tenant_id INTEGER NOT NULL,
    day DATE NOT NULL,
    part INTEGER NOT NULL,
    curator_id UUID,
    team_id UUID,
    records INTEGER NOT NULL,
    score_sum BIGINT NOT NULL,
    fit_call INTEGER NOT NULL,
    fit_mail INTEGER NOT NULL,
    fit_invoice INTEGER NOT NULL,
    fit_deliver INTEGER NOT NULL,
    findings JSONB NOT NULL,
    CONSTRAINT pk_quality_history PRIMARY KEY (tenant_id, day, part)
);
"""
OWN, TEAM, TENANT, REVEAL = "clientbase_own", "clientbase_team", "clientbase_tenant", "clientbase_reveal"
ERASER, QUALITY = "clientbase_eraser", "clientbase_quality"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"
ALL = "SELECT, INSERT, UPDATE, DELETE"
OF_CUSTOMER = ("quality_findings", "quality_scores")
OF_TENANT = ("quality_scans", "quality_places")
# What the checks read, in clear; a person's own reach narrows it here as it does elsewhere.
READ = ("contact_details", "purchase_totals", "interactions")


def once(setting: str) -> str:
    return f"(SELECT coalesce(nullif(current_setting('{setting}', true), ''), '{{}}')::uuid[])::uuid[]"


OWNED, OF_TEAM = f"curator_id = ANY ({once('app.owners')})", f"team_id = ANY ({once('app.teams')})"
REACHED = f"(({OWNED} AND {NAMED_REACH} = 'own') OR ({OF_TEAM} AND {NAMED_REACH} = 'team') OR {NAMED_REACH} = 'tenant')"


def policy(table: str, role: str, using: str, privileges: str) -> None:
    name = role.removeprefix("clientbase_")
    op.execute(f"CREATE POLICY {name} ON {table} AS PERMISSIVE FOR ALL TO {role} USING ({using})")
    op.execute(f"GRANT {privileges} ON {table} TO {role}")


def of_customer(table: str) -> str:
    return f"EXISTS (SELECT FROM customers p WHERE p.tenant_id = {table}.tenant_id AND p.customer_id = {table}.customer_id)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {QUALITY} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {QUALITY}")
    for table in (*OF_CUSTOMER, *OF_TENANT, "quality_history"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        policy(table, TENANT, IN_TENANT, ALL)
    for table in OF_CUSTOMER:
        for role in (OWN, TEAM):
            policy(table, role, f"{IN_TENANT} AND {of_customer(table)}", ALL)
        policy(table, ERASER, f"{IN_TENANT} AND {NAMED_REACH} = 'tenant'", "SELECT, DELETE")
    # What leaves by a rule is found by the role that reads in clear.
    policy(
        "quality_scores",
        REVEAL,
        f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {of_customer('quality_scores')})",
        "SELECT",
    )
    policy("quality_history", OWN, f"{IN_TENANT} AND {OWNED}", "SELECT")
    policy("quality_history", TEAM, f"{IN_TENANT} AND {OF_TEAM}", "SELECT")
    policy("customers", QUALITY, f"{IN_TENANT} AND {REACHED}", "SELECT")
    policy("staff", QUALITY, IN_TENANT, "SELECT (tenant_id, staff_id, state)")
    for table in READ:
        policy(table, QUALITY, f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {of_customer(table)})", "SELECT")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("customers", "staff", *READ):
        op.execute(f"REVOKE ALL ON {table} FROM {QUALITY}")
        op.execute(f"DROP POLICY quality ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {QUALITY}")
    for table in ("quality_history", *OF_TENANT, *OF_CUSTOMER):
        op.execute(f"DROP TABLE {table}")
    # The role stays: other databases of the cluster may use it.
