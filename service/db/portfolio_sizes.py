"""Who answers for few records, as it was at most a minute ago.

A search among few begins at the records, one among many at the words: a manager of 300 records in a base of a million
waited 300 ms for a common name, since 80 000 records of others had it too, and each was shown to the row policy first.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.access import Reach

FEW = 2_000
_FRESH_S = 60.0
_REMEMBERED = 10_000
_ARE_FEW = sql("""
    SELECT count(*) <= :few FROM (SELECT FROM customers c WHERE c.tenant_id = :tenant LIMIT :few::int + 1) x
""")
_Portfolio = tuple[int, Reach, tuple[UUID, ...]]


class PortfolioSizes:
    def __init__(self, few: int = FEW, clock: Callable[[], float] = time.monotonic) -> None:
        self._few = few
        self._clock = clock
        self._known: OrderedDict[_Portfolio, tuple[float, bool]] = OrderedDict()

    async def are_few(self, session: Session) -> bool:
        """Whether the caller's own or team's records are few; never of a whole tenant."""
        principal = session.principal
        if principal.reach is Reach.TENANT:
            return False
        key = (
            principal.tenant_id,
            principal.reach,
            principal.owners if principal.reach is Reach.OWN else principal.teams,
        )
        known = self._known.get(key)
        if known is None or self._clock() - known[0] > _FRESH_S:
            known = self._known[key] = (self._clock(), await self._ask(session))
            self._known.move_to_end(key)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known[1]

    async def _ask(self, session: Session) -> bool:
        # A portfolio is a small part of the table, whatever the planner makes of it.
        await session.command("SET LOCAL enable_seqscan = off")
        few = bool(await session.fetchval(_ARE_FEW, few=self._few))
        await session.command("SET LOCAL enable_seqscan = on")
        return few
