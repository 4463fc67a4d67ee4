"""Audit, changes and idempotency: written in the transaction that they tell of, or not at all."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from service.db.session import Session
from service.db.statement import sql
from service.db.tables import audit, changes, idempotency_keys
from service.domain.idempotency import KeyReused, Once, StillRunning
from service.domain.ids import new_id


def _filled(*names: str) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}


_AUDIT = sql(
    insert(audit).values(
        tenant_id=bindparam("tenant"),
        **_filled("audit_id", "staff_id", "action", "entity", "entity_id", "records", "reason", "detail"),
    )
)
_CHANGED = sql(
    insert(changes).values(tenant_id=bindparam("tenant"), **_filled("customer_id", "entity_id", "entity", "kind"))
)
_CHANGED_MANY = sql("""
    INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
    SELECT :tenant, u.customer_id, u.entity_id, :entity, :kind
    FROM unnest(:customer_ids::uuid[], :entity_ids::uuid[]) AS u (customer_id, entity_id)
""")
# Nobody makes two looks of one by sending them at once.
_MY_TURN = sql("SELECT pg_advisory_xact_lock(hashtextextended('looks ' || :staff_id::uuid::text, 0))")
_LOOKS = sql("""
    SELECT coalesce(sum(records), 0)::bigint FROM audit
    WHERE tenant_id = :tenant AND staff_id = :staff_id AND action IN ('contacts.reveal', 'privacy.report')
        AND at >= date_trunc('day', now() AT TIME ZONE :zone::text) AT TIME ZONE :zone::text
        AND audit_id >= :floor
""")
_HELD = sql("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_OF_KEY = (
    (idempotency_keys.c.tenant_id == bindparam("tenant"))
    & (idempotency_keys.c.staff_id == bindparam("staff_id"))
    & (idempotency_keys.c.method == bindparam("method"))
    & (idempotency_keys.c.path == bindparam("path"))
    & (idempotency_keys.c.key == bindparam("key"))
)
_RECALL = sql(select(idempotency_keys.c.body_hash, idempotency_keys.c.answer).where(_OF_KEY))
_REMEMBER = sql(
    insert(idempotency_keys).values(
        tenant_id=bindparam("tenant"), **_filled("staff_id", "method", "path", "key", "body_hash", "status", "answer")
    )
)


class PgJournal:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def audit(
        self,
        action: str,
        entity: str,
        entity_id: UUID | None = None,
        *,
        records: int = 1,
        reason: str | None = None,
        **detail: object,
    ) -> None:
        await self._session.execute(
            _AUDIT,
            audit_id=new_id(),
            staff_id=self._session.principal.staff_id,
            action=action,
            entity=entity,
            entity_id=entity_id,
            records=records,
            reason=reason,
            detail=detail,
        )

    async def changed(self, entity: str, kind: str, entity_id: UUID, customer_id: UUID | None) -> None:
        await self._session.execute(_CHANGED, entity=entity, kind=kind, entity_id=entity_id, customer_id=customer_id)

    async def changed_many(
        self, entity: str, kind: str, entity_ids: Sequence[UUID], customer_ids: Sequence[UUID]
    ) -> None:
        """One row for each pair of entity and customer, in one round trip."""
        if entity_ids:
            await self._session.execute(
                _CHANGED_MANY, entity=entity, kind=kind, entity_ids=list(entity_ids), customer_ids=list(customer_ids)
            )

    async def looks_today(self) -> int:
        principal = self._session.principal
        await self._session.execute(_MY_TURN, staff_id=principal.staff_id)
        return int(
            await self._session.fetchval(
                _LOOKS, staff_id=principal.staff_id, zone=principal.time_zone, floor=_an_id_of(days_ago=2)
            )
        )


def _an_id_of(*, days_ago: int) -> UUID:
    """The least id that was made so long ago: ids begin with their milliseconds, and the key is read from there."""
    milliseconds = int(time.time() * 1000) - days_ago * 86_400_000
    return UUID(int=milliseconds << 80)


class PgIdempotency:
    """Keys belong to (tenant, person, method, path); what is kept are ids, and the answer is rebuilt from them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def recall(self, once: Once | None) -> Any | None:
        """The stored answer of the same request; None when it is new. Raises KeyReused, StillRunning."""
        if once is None:
            return None
        principal = self._session.principal
        name = f"{principal.tenant_id}:{principal.staff_id}:{once.method}:{once.path}:{once.key}"
        if not await self._session.fetchval(_HELD, name=name):
            raise StillRunning
        row = await self._session.fetchrow(
            _RECALL, staff_id=principal.staff_id, method=once.method, path=once.path, key=once.key
        )
        if row is None:
            return None
        if bytes(row["body_hash"]) != once.body_hash:
            raise KeyReused
        return row["answer"]

    async def remember(self, once: Once | None, status: int, answer: Any) -> None:
        if once is None:
            return
        await self._session.execute(
            _REMEMBER,
            staff_id=self._session.principal.staff_id,
            method=once.method,
            path=once.path,
            key=once.key,
            body_hash=once.body_hash,
            status=status,
            answer=answer,
        )
