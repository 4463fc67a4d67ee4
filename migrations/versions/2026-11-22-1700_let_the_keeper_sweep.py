"""let the keeper sweep

A role for what no person asks for: taking away what has had its time. It goes from tenant to tenant by the number of
the last one, and sees no contents: only that a file has expired, which export points to it, and how old a key is.
"""

from alembic import op

revision = "2026_11_22_1700"
down_revision = "2026_11_22_1620"
branch_labels = None
depends_on = None

KEEPER = "clientbase_keeper"
HERE = "(SELECT nullif(current_setting('app.tenant', true), '')::int)"
IN_TENANT = f"tenant_id = {HERE}"
# table: (what the role may do, which rows it sees, what they may become)
POLICIES = {
    "tenants": ("SELECT (tenant_id)", f"tenant_id > {HERE}", None),
    "files": ("SELECT (tenant_id, file_id, expires_at), DELETE", f"{IN_TENANT} AND expires_at < now()", None),
    "exports": (
        "SELECT (tenant_id, export_id, file_id), UPDATE (file_id)",
        IN_TENANT,
        f"{IN_TENANT} AND file_id IS NULL",
    ),
    "idempotency_keys": (
        "SELECT (tenant_id, staff_id, method, path, key, created_at), DELETE",
        f"{IN_TENANT} AND created_at < now() - interval '24 hours'",
        None,
    ),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SELECT pg_advisory_xact_lock(hashtext('clientbase roles'))")
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {KEEPER} NOLOGIN NOINHERIT; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA public TO {KEEPER}")
    for table, (privileges, using, check) in POLICIES.items():
        written = f"WITH CHECK ({check})" if check else ""
        op.execute(f"CREATE POLICY keeper ON {table} AS PERMISSIVE FOR ALL TO {KEEPER} USING ({using}) {written}")
        op.execute(f"GRANT {privileges} ON {table} TO {KEEPER}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in POLICIES:
        op.execute(f"REVOKE ALL ON {table} FROM {KEEPER}")
        op.execute(f"DROP POLICY keeper ON {table}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {KEEPER}")
    # The role stays: other databases of the cluster may use it.
