"""govern exports"""

revision = "2026_11_22_1930"
down_revision = "2026_11_22_1920"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
