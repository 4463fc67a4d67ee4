"""Requests for records of other portfolios.

Who asks sees no more of the record than its mask, which is made from its name by the domain; the name is read here by
the role of the whole tenant, and so is moving a record to somebody whose policies would not let it go there.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.session import ROLE, Session
from service.db.statement import sql
from service.domain.access import Reach
from service.domain.around.ports import Held
from service.domain.customers.model import ExternalId
from service.domain.ids import new_id

Row = Mapping[str, Any]
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_TENANT = ROLE[Reach.TENANT]
_OF = "tenant_id = :tenant AND customer_id = :customer_id"
_BY_EXTERNAL_ID = sql("""
    SELECT customer_id FROM customer_external_ids
    WHERE tenant_id = :tenant AND source = :source AND external_id = :external_id
""")
_HOLD = sql(f"SELECT erased_at IS NOT NULL AS erased FROM customers WHERE {_OF} FOR KEY SHARE")
_NAMES = sql("""
    SELECT customer_id, kind, display_name FROM customers
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
""")
_OPEN_ONE = sql(f"SELECT request_id FROM access_requests WHERE {_OF} AND staff_id = :staff_id AND state = 'open'")
_ADD = sql("""
    INSERT INTO access_requests (tenant_id, request_id, staff_id, customer_id, reason)
    VALUES (:tenant, :request_id, :staff_id, :customer_id, :reason)
""")
_CARD = """
    SELECT r.request_id, r.staff_id, s.name AS staff_name, s.state AS staff_state, r.customer_id, r.reason, r.state,
           r.created_at, r.decided_by, r.decided_at, r.answer,
           c.customer_id IS NOT NULL AS within_reach, c.kind, c.display_name, c.curator_id
    FROM access_requests r
    JOIN staff s ON s.tenant_id = r.tenant_id AND s.staff_id = r.staff_id
    LEFT JOIN customers c ON c.tenant_id = r.tenant_id AND c.customer_id = r.customer_id
    WHERE r.tenant_id = :tenant
"""
_BY_ID = sql(f"{_CARD} AND r.request_id = :request_id")
_LOCKED = sql(f"{_CARD} AND r.request_id = :request_id FOR UPDATE OF r")
_PAGE = sql(f"""{_CARD} AND r.request_id < :before::uuid AND (:state::text IS NULL OR r.state = :state::text)
    AND (:own::boolean IS NULL OR (r.staff_id = :staff_id::uuid) = :own::boolean)
    ORDER BY r.request_id DESC LIMIT :limit""")
_DECIDE = sql("""
    UPDATE access_requests SET state = :state, answer = :answer, decided_by = :staff_id, decided_at = now()
    WHERE tenant_id = :tenant AND request_id = :request_id
""")
_GIVE = sql(f"""
    WITH was AS (SELECT curator_id, team_id FROM customers WHERE {_OF} FOR UPDATE),
    theirs AS (
        SELECT m.team_id FROM team_members m LEFT JOIN was ON was.team_id = m.team_id
        WHERE m.tenant_id = :tenant AND m.staff_id = :to::uuid ORDER BY was.team_id IS NULL, m.team_id LIMIT 1
    ), moved AS (
        UPDATE customers SET curator_id = :to::uuid, team_id = (SELECT team_id FROM theirs), version = version + 1,
            updated_at = now() WHERE {_OF}
    )
    INSERT INTO ownerships (tenant_id, customer_id, ownership_id, curator_id, team_id, from_curator_id, from_team_id,
                            staff_id)
    SELECT :tenant, :customer_id, :ownership_id, :to::uuid, (SELECT team_id FROM theirs), was.curator_id, was.team_id,
           :staff_id FROM was
""")


class PgAccessRequests:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def by_external_id(self, external_id: ExternalId) -> UUID | None:
        async with self._session.as_role(_TENANT):
            found: UUID | None = await self._session.fetchval(
                _BY_EXTERNAL_ID, source=external_id.source, external_id=external_id.external_id
            )
        return found

    async def hold(self, customer_id: UUID) -> Held | None:
        async with self._session.as_role(_TENANT):
            row = await self._session.fetchrow(_HOLD, customer_id=customer_id)
        return None if row is None else Held(customer_id=customer_id, erased=row["erased"])

    async def open_one(self, customer_id: UUID) -> UUID | None:
        staff_id = self._session.principal.staff_id
        found: UUID | None = await self._session.fetchval(_OPEN_ONE, customer_id=customer_id, staff_id=staff_id)
        return found

    async def add(self, request_id: UUID, customer_id: UUID, reason: str) -> None:
        staff_id = self._session.principal.staff_id
        await self._session.execute(
            _ADD, request_id=request_id, staff_id=staff_id, customer_id=customer_id, reason=reason
        )

    async def card(self, request_id: UUID, *, lock: bool = False) -> Row | None:
        row = await self._session.fetchrow(_LOCKED if lock else _BY_ID, request_id=request_id)
        return None if row is None else (await self._named([row]))[0]

    async def page(self, *, own: bool | None, state: str | None, before: UUID | None, limit: int) -> Sequence[Row]:
        rows = await self._session.fetch(
            _PAGE,
            own=own,
            state=state,
            before=before or _AFTER_ALL,
            staff_id=self._session.principal.staff_id,
            limit=limit,
        )
        return await self._named(rows)

    async def decide(self, request_id: UUID, state: str, answer: str | None) -> None:
        staff_id = self._session.principal.staff_id
        await self._session.execute(_DECIDE, request_id=request_id, state=state, answer=answer, staff_id=staff_id)

    async def give(self, customer_id: UUID, staff_id: UUID) -> None:
        async with self._session.as_role(_TENANT):
            await self._session.execute(
                _GIVE,
                customer_id=customer_id,
                ownership_id=new_id(),
                to=staff_id,
                staff_id=self._session.principal.staff_id,
            )

    async def _named(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, those of records out of reach with kind and name."""
        foreign = [row["customer_id"] for row in rows if not row["within_reach"]]
        names: dict[UUID, Row] = {}
        if foreign:
            async with self._session.as_role(_TENANT):
                names = {row["customer_id"]: row for row in await self._session.fetch(_NAMES, ids=foreign)}
        return [dict(row) | dict(names.get(row["customer_id"], {})) for row in rows]
