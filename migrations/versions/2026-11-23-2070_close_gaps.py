"""close gaps"""

revision = "2026_11_23_2070"
down_revision = "2026_11_23_2060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
