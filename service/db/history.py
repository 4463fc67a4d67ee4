"""The dated history of records: events, and who answered for them; written in sets, beside the write they tell of."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.customers.history import Event
from service.domain.customers.ports import Written
from service.domain.ids import new_id

_EVENTS = sql("""
    INSERT INTO customer_events (tenant_id, customer_id, event_id, kind, staff_id, source, detail)
    SELECT :tenant, u.customer_id, u.event_id, u.kind, :staff_id::uuid, u.source, u.detail
    FROM unnest(:customer_ids::uuid[], :event_ids::uuid[], :kinds::text[], :sources::text[], :details::jsonb[])
        AS u (customer_id, event_id, kind, source, detail)
""")
_OWNERSHIPS = sql("""
    INSERT INTO ownerships (tenant_id, customer_id, ownership_id, curator_id, team_id, from_curator_id, from_team_id,
                            staff_id)
    SELECT :tenant, u.customer_id, u.ownership_id, u.curator_id, u.team_id, u.from_curator_id, u.from_team_id,
           :staff_id::uuid
    FROM unnest(:customer_ids::uuid[], :ownership_ids::uuid[], :curators::uuid[], :teams::uuid[],
                :from_curators::uuid[], :from_teams::uuid[])
        AS u (customer_id, ownership_id, curator_id, team_id, from_curator_id, from_team_id)
""")
# Status and curator have histories of their own; of those the last entry counts.
_SOURCES = sql("""
    SELECT to_jsonb(c) AS record, c.provenance, c.import_id, c.created_at,
        (SELECT json_build_object('source', e.source, 'set_at', e.at) FROM customer_events e
         WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id AND e.kind = 'status'
         ORDER BY e.at DESC, e.event_id DESC LIMIT 1)::jsonb AS status,
        (SELECT json_build_object('staff_id', o.staff_id, 'set_at', o.at) FROM ownerships o
         WHERE o.tenant_id = c.tenant_id AND o.customer_id = c.customer_id
         ORDER BY o.at DESC, o.ownership_id DESC LIMIT 1)::jsonb AS owner,
        coalesce((SELECT json_agg(json_build_object('detail_id', d.detail_id, 'kind', d.kind, 'value', d.masked,
             'source', d.source, 'author_id', d.author_id, 'set_at', d.created_at, 'verified_at', d.verified_at)
             ORDER BY d.kind, d.detail_id)
         FROM contact_details d WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id), '[]') AS contacts
    FROM customers c WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id
""")
_VERIFIED = sql("""
    UPDATE customers SET provenance = :provenance, version = version + 1, updated_at = now()
    WHERE tenant_id = :tenant AND customer_id = :customer_id
""")


class PgHistory:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def tell(self, written: Sequence[Written], contacts: Mapping[UUID, Mapping[str, Any]]) -> None:
        """The events of these writes, and who answered before where that has changed."""
        found = [(one, event) for one in written for event in _events(one, contacts.get(one.customer_id))]
        if found:
            await self._session.execute(
                _EVENTS,
                staff_id=self._session.principal.staff_id,
                customer_ids=[one.customer_id for one, _ in found],
                event_ids=[new_id() for _ in found],
                kinds=[event.kind for _, event in found],
                sources=[one.source for one, _ in found],
                details=[event.detail for _, event in found],
            )
        changed = [(one, one.moved) for one in written if one.moved is not None]
        if changed:
            await self._session.execute(
                _OWNERSHIPS,
                staff_id=self._session.principal.staff_id,
                customer_ids=[one.customer_id for one, _ in changed],
                ownership_ids=[new_id() for _ in changed],
                curators=[one.record.curator_id for one, _ in changed],
                teams=[one.record.team_id for one, _ in changed],
                from_curators=[before.from_curator_id for _, before in changed],
                from_teams=[before.from_team_id for _, before in changed],
            )

    async def event(self, customer_id: UUID, event: Event, source: str) -> None:
        """One event of a record."""
        await self._session.execute(
            _EVENTS,
            staff_id=self._session.principal.staff_id,
            customer_ids=[customer_id],
            event_ids=[new_id()],
            kinds=[event.kind],
            sources=[source],
            details=[event.detail],
        )

    async def sources(self, customer_id: UUID) -> Mapping[str, Any] | None:
        """What is kept on where a record's values come from; contacts as JSON that the database has written."""
        return await self._session.fetchrow(_SOURCES, customer_id=customer_id)

    async def verified(self, customer_id: UUID, provenance: Sequence[Mapping[str, Any]]) -> None:
        """Keep the provenance of a record whose values were found right."""
        await self._session.execute(_VERIFIED, customer_id=customer_id, provenance=provenance)


def _events(one: Written, contacts: Mapping[str, Any] | None) -> Sequence[Event]:
    """Contacts that came or went belong to the change of the record, if it has one."""
    if contacts is None:
        return one.events
    updated = next((event for event in one.events if event.kind == "updated"), Event(kind="updated", detail={}))
    others = [event for event in one.events if event is not updated]
    return [Event(kind="updated", detail={**updated.detail, "contacts": contacts}), *others]
