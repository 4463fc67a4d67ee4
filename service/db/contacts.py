"""Contact details in Postgres: written in sets; what was there before keeps who entered it and when it was checked."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.session import Row, Session
from service.db.statement import sql
from service.domain.customers.model import Contact
from service.domain.customers.ports import Written
from service.domain.ids import new_id

_TYPES = {
    "customer_id": "uuid",
    "detail_id": "uuid",
    "kind": "text",
    "label": "text",
    "is_primary": "boolean",
    "value": "text",
    "normal": "text",
    "masked": "text",
    "lookup": "bytea",
    "verdict": "text",
    "source": "text",
    "author_id": "uuid",
    "verified_at": "timestamptz",
}
_ADD = sql(f"""
    INSERT INTO contact_details (tenant_id, {", ".join(_TYPES)}, created_at)
    SELECT :tenant, {", ".join(f"u.{name}" for name in _TYPES)}, coalesce(u.created_at, now())
    FROM unnest({", ".join(f":{name}::{kind}[]" for name, kind in _TYPES.items())}, :created_at::timestamptz[])
        AS u ({", ".join(_TYPES)}, created_at)
""")
_TAKE_AWAY = sql("""
    DELETE FROM contact_details WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
    RETURNING customer_id, detail_id, kind, masked, lookup, source, author_id, verified_at, created_at
""")
_VERIFY = sql("""
    UPDATE contact_details SET verified_at = now()
    WHERE tenant_id = :tenant AND customer_id = :customer_id
        AND (:all::boolean OR detail_id = ANY (:details::uuid[]))
    RETURNING detail_id, kind, masked
""")
# A contact is the same one while its record, kind and normal form are.
_Key = tuple[UUID, str, bytes]


class PgContacts:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def write(self, written: Sequence[Written], *, fresh: bool) -> dict[UUID, dict[str, Any]]:
        """Give the records the contacts that are named; says, masked, what came and went where some were before."""
        given = [one for one in written if one.contacts is not None]
        if not given:
            return {}
        ids = [one.customer_id for one in given]
        gone = [] if fresh else await self._session.fetch(_TAKE_AWAY, ids=ids)
        before: dict[_Key, Row] = {(row["customer_id"], row["kind"], bytes(row["lookup"])): row for row in gone}
        rows = [
            _row(one, contact, before.get(_key(one, contact)), self._session.principal.staff_id)
            for one in given
            for contact in one.contacts or ()
        ]
        if rows:
            columns: dict[str, object] = {name: [row[name] for row in rows] for name in (*_TYPES, "created_at")}
            await self._session.execute(_ADD, **columns)
        return {} if fresh else _changes(given, before)

    async def verify(self, customer_id: UUID, details: Sequence[UUID] | None) -> list[Mapping[str, Any]]:
        """Date these contacts of the record, or all of them, as found right now; which ones there were."""
        return await self._session.fetch(
            _VERIFY, customer_id=customer_id, all=details is None, details=list(details or ())
        )


def _key(one: Written, contact: Contact) -> _Key:
    return one.customer_id, str(contact.form.kind), contact.lookup


def _row(one: Written, contact: Contact, before: Row | None, author: UUID) -> dict[str, object]:
    form = contact.form
    return {
        "customer_id": one.customer_id,
        "detail_id": before["detail_id"] if before else new_id(),
        "kind": form.kind,
        "label": contact.label,
        "is_primary": contact.is_primary,
        "value": form.value,
        "normal": form.normal,
        "masked": form.masked,
        "lookup": contact.lookup,
        "verdict": form.verdict,
        "source": before["source"] if before else one.source,
        "author_id": before["author_id"] if before else author,
        "verified_at": before["verified_at"] if before else None,
        "created_at": before["created_at"] if before else None,
    }


def _changes(given: Sequence[Written], before: Mapping[_Key, Row]) -> dict[UUID, dict[str, Any]]:
    found: dict[UUID, dict[str, Any]] = {}
    kept: set[_Key] = set()
    for one in given:
        for contact in one.contacts or ():
            key = _key(one, contact)
            kept.add(key)
            if key not in before:
                _note(found, key, "added", contact.form.masked)
    for key, row in before.items():
        if key not in kept:
            _note(found, key, "removed", row["masked"])
    return found


def _note(found: dict[UUID, dict[str, Any]], key: _Key, what: str, masked: str) -> None:
    lists = found.setdefault(key[0], {"added": [], "removed": []})
    lists[what].append({"kind": key[1], "value": masked})
