"""quarantine files"""

revision = "2026_11_22_1960"
down_revision = "2026_11_22_1950"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
