"""What a seal over an audit row is: the hash of the row, chained to all rows before it of that tenant and month.

A row becomes bytes in one way only: its fields in a fixed order, each as `<length in bytes>:<text>`, one that is
missing as `-`. The reason stands there as its salted hash, so that its words can be erased and the seal still holds.
The same form is written in SQL (service/db/audit.py); a test holds the two equal.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

_ROW = "clientbase audit row 1"
_CHAIN = "clientbase audit chain 1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An audit row as it is sealed; `detail` is the text in which the database keeps the JSON."""

    tenant_id: int
    audit_id: UUID
    at: datetime
    staff_id: UUID
    action: str
    entity: str
    entity_id: UUID | None
    records: int
    outcome: str
    reason_hash: bytes | None
    detail: str
    xid: int


def canonical(entry: Entry) -> bytes:
    """The one form of a row as bytes."""
    micros = (entry.at - _EPOCH) // _MICROSECOND
    fields = (
        _ROW,
        str(entry.tenant_id),
        str(entry.audit_id),
        str(micros),
        str(entry.staff_id),
        entry.action,
        entry.entity,
        None if entry.entity_id is None else str(entry.entity_id),
        str(entry.records),
        entry.outcome,
        None if entry.reason_hash is None else entry.reason_hash.hex(),
        entry.detail,
        str(entry.xid),
    )
    return b"".join(_told(field) for field in fields)


def _told(field: str | None) -> bytes:
    if field is None:
        return b"-"
    text = field.encode()
    return b"%d:%b" % (len(text), text)


def row_hash(entry: Entry) -> bytes:
    """SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(entry)).digest()


def beginning(tenant_id: int, month: date) -> bytes:
    """What the first link of a month's chain hangs on."""
    return hashlib.sha256(f"{_CHAIN} {tenant_id} {month.isoformat()}".encode()).digest()


def link(before: bytes, sealed: bytes) -> bytes:
    """The chain after one more row: SHA-256(before ‖ row hash)."""
    return hashlib.sha256(before + sealed).digest()


def month_of(at: datetime) -> date:
    """The month, in UTC, whose chain a row belongs to."""
    return at.astimezone(UTC).date().replace(day=1)


def hidden(reason: str) -> tuple[bytes, bytes]:
    """A fresh salt, and the hash of the reason under it; without the salt nobody can try reasons out."""
    salt = os.urandom(16)
    return salt, reason_hash(salt, reason)


def reason_hash(salt: bytes, reason: str) -> bytes:
    """SHA-256(salt ‖ reason)."""
    return hashlib.sha256(salt + reason.encode()).digest()


def ledger_hash(ids: Iterable[UUID]) -> str:
    """SHA-256 over the ids that a bulk write has touched, given in rising order, as hexadecimal text."""
    return hashlib.sha256(b"".join(one.bytes for one in ids)).hexdigest()
