"""A leak signal out of nothing, for tests that only need one to be there."""

import asyncpg

from service.db.session import without_principal
from service.domain.access import Principal
from service.domain.ids import new_id

_RAISE = """INSERT INTO leak_signals (tenant_id, signal_id, staff_id, kind, severity, about, parts)
    VALUES ($1, $2, $3, 'volume', 'alert', $2::uuid::text, '{"what": "cards", "seen": 412, "usual": 38, "days": 1}')"""


async def a_signal(pool: asyncpg.Pool, principal: Principal) -> str:
    """The id of a new signal about that person."""
    signal_id = new_id()
    opening = f"BEGIN; SET LOCAL ROLE clientbase_watch; SET LOCAL app.tenant = '{principal.tenant_id}'"
    async with without_principal(pool, opening, ending="COMMIT") as connection:
        await connection.execute(_RAISE, principal.tenant_id, signal_id, principal.staff_id)
    return str(signal_id)
