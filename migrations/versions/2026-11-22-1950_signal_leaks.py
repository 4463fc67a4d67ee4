"""signal leaks"""

revision = "2026_11_22_1950"
down_revision = "2026_11_22_1940"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
