"""read in one trip

A read by key takes longer to enter and leave its transaction than to read. This function enters a role, says who acts
for whom, and runs one prepared statement, all within one statement of the caller: when that ends, however it ends, the
role and the settings end with it. It runs with the rights of who calls it, so it can do nothing that he couldn't.
"""

from alembic import op

revision = "2026_11_22_1710"
down_revision = "2026_11_22_1700"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SCHEMA entry")
    op.execute("""
        CREATE FUNCTION entry.read_as(
            role text, tenant text, subject text, reach text, teams text, owners text, call text
        ) RETURNS text[] LANGUAGE plpgsql STRICT SECURITY INVOKER AS $$
        DECLARE
            answer text[];
        BEGIN
            PERFORM set_config('role', role, true), set_config('app.tenant', tenant, true),
                set_config('app.subject', subject, true), set_config('app.reach', reach, true),
                set_config('app.teams', teams, true), set_config('app.owners', owners, true);
            EXECUTE call INTO answer;
            RETURN answer;
        END $$
    """)
    op.execute("REVOKE ALL ON FUNCTION entry.read_as FROM PUBLIC")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP SCHEMA entry CASCADE")
