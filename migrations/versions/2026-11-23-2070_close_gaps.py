"""contact probes of earlier days go, and it is counted how often a token is used from two places at once

Probes count the exact look-ups of an hour, and nobody asks for those of the day before.
"""

from alembic import op

revision = "2026_11_23_2070"
down_revision = "2026_11_23_2060"
branch_labels = None
depends_on = None

KEEPER = "clientbase_keeper"
IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
OLD = f"{IN_TENANT} AND hour < now() - interval '2 days'"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"CREATE POLICY keeper ON contact_probes AS PERMISSIVE FOR ALL TO {KEEPER} USING ({OLD})")
    op.execute(f"GRANT SELECT (tenant_id, staff_id, hour), DELETE ON contact_probes TO {KEEPER}")
    op.execute("ALTER TABLE staff_activity ADD COLUMN crossings INTEGER NOT NULL DEFAULT 0")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE staff_activity DROP COLUMN crossings")
    op.execute(f"REVOKE ALL ON contact_probes FROM {KEEPER}")
    op.execute("DROP POLICY keeper ON contact_probes")
