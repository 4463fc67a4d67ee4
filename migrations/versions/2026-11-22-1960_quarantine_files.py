"""quarantine files

A file that the virus scanner could not judge waits, unread: its import is `quarantined`, and what its rows are may not be
known yet. Each file that comes from outside says what the scanner found, and when.
"""

from alembic import op

revision = "2026_11_22_1960"
down_revision = "2026_11_22_1950"
branch_labels = None
depends_on = None

BEFORE = "'queued', 'running', 'done', 'failed', 'cancelled', 'reverted'"
UNREAD = "'quarantined', 'failed', 'cancelled'"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE files ADD COLUMN verdict TEXT, ADD COLUMN scanned_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        "ALTER TABLE files ADD CONSTRAINT ck_files_verdict"
        " CHECK (verdict IN ('unscanned', 'waiting', 'clean', 'infected', 'given-up'))"
    )
    op.execute("ALTER TABLE imports ALTER COLUMN kind DROP NOT NULL")
    op.execute("ALTER TABLE imports DROP CONSTRAINT ck_imports_state")
    op.execute(f"ALTER TABLE imports ADD CONSTRAINT ck_imports_state CHECK (state IN ('quarantined', {BEFORE}))")
    op.execute(f"ALTER TABLE imports ADD CONSTRAINT ck_imports_read CHECK (kind IS NOT NULL OR state IN ({UNREAD}))")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # The owner too sees no row while row security is forced.
    op.execute("ALTER TABLE imports NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE imports SET state = 'failed', finished_at = now() WHERE state = 'quarantined'")
    op.execute("UPDATE imports SET kind = 'orders' WHERE kind IS NULL")
    op.execute("ALTER TABLE imports FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE imports DROP CONSTRAINT ck_imports_read")
    op.execute("ALTER TABLE imports DROP CONSTRAINT ck_imports_state")
    op.execute(f"ALTER TABLE imports ADD CONSTRAINT ck_imports_state CHECK (state IN ({BEFORE}))")
    op.execute("ALTER TABLE imports ALTER COLUMN kind SET NOT NULL")
    op.execute("ALTER TABLE files DROP CONSTRAINT ck_files_verdict")
    op.execute("ALTER TABLE files DROP COLUMN scanned_at, DROP COLUMN verdict")
