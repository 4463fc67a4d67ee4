"""keep segments"""

revision = "2026_11_22_1990"
down_revision = "2026_11_22_1980"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
