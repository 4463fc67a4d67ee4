"""follow classes"""

revision = "2026_11_23_2080"
down_revision = "2026_11_23_2070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
