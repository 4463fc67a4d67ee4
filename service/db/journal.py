"""Audit, changes and idempotency: written in the transaction that they tell of, or not at all."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import bindparam, insert, select

from service.db.session import Session
from service.db.statement import Statement, sql
from service.db.tables import audit, changes, idempotency_keys
from service.domain.audit.chain import hidden, ledger_hash
from service.domain.audit.errors import AuditUnwritable
from service.domain.audit.refusals import Refusal
from service.domain.errors import DomainError, UnstorableText
from service.domain.idempotency import KeyReused, Once, StillRunning
from service.domain.ids import new_id


def _filled(*names: str) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}


_AUDIT = sql(
    insert(audit).values(
        tenant_id=bindparam("tenant"),
        **_filled("audit_id", "staff_id", "action", "entity", "entity_id", "records", "outcome", "detail"),
        **_filled("reason", "reason_salt", "reason_hash"),
    )
)
_ENTRIES = sql("""
    INSERT INTO audit_entries (tenant_id, audit_id, first_id, last_id, ids)
    SELECT :tenant, :audit_id::uuid, (array_agg(id ORDER BY n))[1], (array_agg(id ORDER BY n DESC))[1],
        array_agg(id ORDER BY n)
    FROM unnest(:ids::uuid[]) WITH ORDINALITY AS u (id, n) GROUP BY (n - 1) / 1000
""")
# Whoever can't write the trail in this time shows nothing and changes nothing; the answer is there within 2.5 seconds.
_PATIENCE_S = 1.5
_CHANGED = sql(
    insert(changes).values(tenant_id=bindparam("tenant"), **_filled("customer_id", "entity_id", "entity", "kind"))
)
_CHANGED_MANY = sql("""
    INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
    SELECT :tenant, u.customer_id, u.entity_id, :entity, :kind
    FROM unnest(:customer_ids::uuid[], :entity_ids::uuid[]) AS u (customer_id, entity_id)
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
        touched: Sequence[UUID] = (),
        **detail: object,
    ) -> None:
        ids = sorted(set(touched), key=_number)
        if ids:
            detail["ledger"] = ledger_hash(ids)
        audit_id = await self._write(
            action=action, entity=entity, entity_id=entity_id, records=records, reason=reason, detail=detail
        )
        if ids:
            await self._insert(_ENTRIES, audit_id=audit_id, ids=ids)

    async def refused(self, refusal: Refusal, times: int) -> None:
        """What the principal was refused, so many times within a moment."""
        await self._write(
            action=refusal.operation,
            entity="refusal",
            entity_id=refusal.entity_id,
            records=times,
            outcome="refused",
            detail={"code": refusal.code, "status": refusal.status},
        )

    async def _write(self, *, reason: str | None = None, outcome: str = "done", **row: object) -> UUID:
        audit_id = new_id()
        salt, digest = hidden(reason) if reason is not None else (None, None)
        await self._insert(
            _AUDIT,
            audit_id=audit_id,
            staff_id=self._session.principal.staff_id,
            reason=reason,
            reason_salt=salt,
            reason_hash=digest,
            outcome=outcome,
            **row,
        )
        return audit_id

    async def _insert(self, statement: Statement, **values: object) -> None:
        try:
            await self._session.execute_within(_PATIENCE_S, statement, **values)
        except UnstorableText:
            raise
        except (DomainError, asyncpg.PostgresError) as error:
            # A right that was taken away, a trigger, a full disk: whatever it is, it is no fault of the request.
            raise AuditUnwritable from error

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


def _number(one: UUID) -> int:
    # Numbers compare many times as fast as ids do.
    return one.int


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
