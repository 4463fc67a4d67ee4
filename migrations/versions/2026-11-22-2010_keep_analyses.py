"""keep analyses"""

revision = "2026_11_22_2010"
down_revision = "2026_11_22_2000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
