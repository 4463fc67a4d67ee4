"""budget reveals"""

revision = "2026_11_22_1920"
down_revision = "2026_11_22_1910"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
