"""mend faults"""

revision = "2026_11_23_2040"
down_revision = "2026_11_23_2030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
