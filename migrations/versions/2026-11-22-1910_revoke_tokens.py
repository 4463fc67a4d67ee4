"""revoke tokens"""

revision = "2026_11_22_1910"
down_revision = "2026_11_22_1800"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
