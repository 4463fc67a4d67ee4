"""Takings of contacts in clear, under the role that alone reads them, one caller of a tenant at a time.

The lock is taken before the statement that counts and takes, in an earlier round trip, so that the statement sees what
others have committed. People of a tenant share a lock, for the tenant's ceiling is a sum over all of them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from service.db.session import REVEAL, Row, Session
from service.db.statement import Statement, sql
from service.domain.access import Reach
from service.domain.reveals.budget import FREE_FOR, LENGTH, OWN_COUNTED, OWN_COUNTED_FIRST, Account, Looks
from service.domain.reveals.ports import Taking

_PEOPLE = "staff_id IN (SELECT s.staff_id FROM staff s WHERE s.tenant_id = :tenant AND s.kind = 'person')"
# The looks of each team of the caller within a day.
_TEAMS = f"""
    SELECT m.team_id, count(*) AS looks FROM team_members m
    JOIN reveals r ON r.tenant_id = m.tenant_id AND r.staff_id = m.staff_id
    WHERE m.tenant_id = :tenant AND m.team_id = ANY (:teams::uuid[]) AND m.{_PEOPLE}
        AND r.taken_at > statement_timestamp() - :day::interval
    GROUP BY m.team_id ORDER BY looks DESC LIMIT 1
"""
# What is inserted here is seen by none of the other parts: they count the looks before. A record that others were
# merged into counts as all of them, or fifty records made one could be looked at for the price of one.
_TAKE = sql(f"""
    WITH mine AS MATERIALIZED (
        SELECT customer_id, taken_at FROM reveals
        WHERE tenant_id = :tenant AND staff_id = :staff_id AND taken_at > statement_timestamp() - :month::interval
    ), reached AS MATERIALIZED (
        SELECT customer_id FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
    ), behind AS (
        SELECT customer_id FROM reached UNION SELECT old_id FROM customer_redirects
        WHERE tenant_id = :tenant AND customer_id IN (SELECT customer_id FROM reached)
    ), taken AS (
        INSERT INTO reveals (tenant_id, staff_id, taken_at, customer_id)
        SELECT :tenant, :staff_id, statement_timestamp(), customer_id FROM behind
        WHERE customer_id NOT IN (SELECT customer_id FROM mine) RETURNING customer_id
    )
    SELECT statement_timestamp() AS at, ARRAY(SELECT customer_id FROM reached ORDER BY customer_id) AS reached,
        (SELECT count(*) FROM taken) AS fresh,
        (SELECT policies -> 'reveals' FROM tenants WHERE tenant_id = :tenant) AS chosen,
        CASE WHEN :own THEN (SELECT count(*) FROM (
            SELECT FROM customers WHERE tenant_id = :tenant AND curator_id = ANY (:owners::uuid[]) LIMIT :counted
        ) o) ELSE 0 END AS own,
        (SELECT count(*) FROM mine WHERE taken_at > statement_timestamp() - :hour::interval) AS hour,
        (SELECT count(*) FROM mine WHERE taken_at > statement_timestamp() - :day::interval) AS day,
        (SELECT count(*) FROM mine) AS month,
        CASE WHEN :person THEN (SELECT looks FROM ({_TEAMS}) t) END AS team_day,
        CASE WHEN :person THEN (SELECT count(*) FROM reveals WHERE tenant_id = :tenant
            AND taken_at > statement_timestamp() - :day::interval AND {_PEOPLE}) END AS tenant_day
""")
_OF_TEAM = sql(f"""
    SELECT array_agg(m.staff_id) FROM team_members m WHERE m.tenant_id = :tenant AND m.{_PEOPLE}
        AND m.team_id = (SELECT team_id FROM ({_TEAMS}) t)
""")
_OF_TENANT = sql("SELECT array_agg(staff_id) FROM staff WHERE tenant_id = :tenant AND kind = 'person'")
_TURNS = sql("""
    SELECT taken_at FROM reveals WHERE tenant_id = :tenant AND staff_id = ANY (:people::uuid[])
        AND taken_at > statement_timestamp() - :length::interval
    ORDER BY taken_at OFFSET :skipped::bigint LIMIT 1
""")
_CLEAR = sql("""
    SELECT customer_id, detail_id, kind, label, value, normal, verdict FROM contact_details
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[]) ORDER BY customer_id, kind, detail_id
""")


class PgReveals:
    def __init__(self, session: Session) -> None:
        self._session = session

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self._session.as_role(REVEAL, then=self.queue()):
            yield

    def queue(self) -> str:
        """The command that waits until nobody else takes from the same budgets."""
        principal = self._session.principal
        whose = "" if principal.kind == "person" else f" {principal.staff_id}"
        return f"SELECT pg_advisory_xact_lock(hashtextextended('reveals {principal.tenant_id}{whose}', 0))"

    async def take(self, customer_ids: Sequence[UUID]) -> Taking:
        row = await self._look(customer_ids, OWN_COUNTED_FIRST)
        return Taking(reached=row["reached"], fresh=row["fresh"], looks=_looks(row), at=row["at"])

    async def looks(self) -> Looks:
        async with self._session.as_role(REVEAL):
            return _looks(await self._look([], OWN_COUNTED))

    async def free_at(self, account: Account, more: int) -> datetime | None:
        # So many of the looks before, the oldest first, have to leave the window.
        leaving = account.spent + more - account.limit
        if leaving > account.spent:
            return None
        length = LENGTH[account.window]
        oldest: datetime | None = await self._session.fetchval(
            _TURNS, people=await self._people(account), length=length, skipped=leaving - 1
        )
        return None if oldest is None else oldest + length

    async def clear(self, customer_ids: Sequence[UUID]) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in await self._session.fetch(_CLEAR, ids=list(customer_ids))]

    async def _look(self, customer_ids: Sequence[UUID], counted: int) -> Row:
        principal = self._session.principal
        row = await self._session.fetchrow(
            _TAKE,
            ids=list(customer_ids),
            staff_id=principal.staff_id,
            own=principal.reach is Reach.OWN and principal.kind == "person",
            owners=list(principal.owners),
            counted=counted,
            person=principal.kind == "person",
            teams=list(principal.teams),
            hour=LENGTH["hour"],
            day=LENGTH["day"],
            month=FREE_FOR,
        )
        assert row is not None
        return row

    async def _people(self, account: Account) -> Sequence[UUID]:
        principal = self._session.principal
        if account.holder == "person":
            return [principal.staff_id]
        asked: Statement = _OF_TEAM if account.holder == "team" else _OF_TENANT
        values = {"teams": list(principal.teams), "day": LENGTH["day"]} if account.holder == "team" else {}
        return list(await self._session.fetchval(asked, **values) or ())


def _looks(row: Row) -> Looks:
    return Looks(
        chosen=row["chosen"] or {},
        own=row["own"],
        hour=row["hour"],
        day=row["day"],
        month=row["month"],
        team_day=row["team_day"] or 0,
        tenant_day=row["tenant_day"] or 0,
    )
