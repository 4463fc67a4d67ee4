"""forget choices

Who is chosen for an export is noted for its transaction alone; the reading one is kept, for the audit row in it, so it
takes its notes away itself.
"""

from alembic import op

revision = "2026_11_22_2020"
down_revision = "2026_11_22_2000"
branch_labels = None
depends_on = None

REACH = "clientbase_own, clientbase_team, clientbase_tenant"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("TRUNCATE chosen_customers")
    op.execute(f"GRANT DELETE ON chosen_customers TO {REACH}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"REVOKE DELETE ON chosen_customers FROM {REACH}")
