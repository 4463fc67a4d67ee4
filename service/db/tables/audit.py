"""Who did what, the seals over it, and what bulk writes have touched."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import may, metadata, moment, need, one_of, reference, tenant

audit = Table(
    "audit",
    metadata,
    tenant(),
    need("audit_id", Uuid),
    moment("at"),
    need("staff_id", Uuid),
    need("action", Text),
    need("entity", Text),
    may("entity_id", Uuid),
    need("records", Integer, "1"),
    may("reason", Text),
    need("detail", JSONB, "'{}'::jsonb"),
    need("xid", BigInteger, "(pg_current_xact_id()::text)::bigint"),
    need("outcome", Text, "'done'"),
    may("reason_salt", LargeBinary),
    may("reason_hash", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "audit_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    one_of("outcome", "outcome", "done", "refused"),
    CheckConstraint("reason IS NULL OR reason_hash IS NOT NULL", name="reason"),
    Index(None, "tenant_id", "xid", "audit_id"),
    Index(None, "tenant_id", "staff_id", "audit_id"),
    Index(None, "tenant_id", "entity_id", "audit_id"),
    Index(None, "tenant_id", "action", "audit_id"),
    Index("ix_audit_refused", "tenant_id", "audit_id", postgresql_where=text("outcome = 'refused'")),
)

# One for each audit row, chained by tenant and month in the order of transactions; written by the sealer alone.
audit_seals = Table(
    "audit_seals",
    metadata,
    tenant(),
    need("month", Date),
    need("seq", BigInteger),
    need("audit_id", Uuid),
    need("xid", BigInteger),
    need("row_hash", LargeBinary),
    need("chain_hash", LargeBinary),
    moment("sealed_at"),
    PrimaryKeyConstraint("tenant_id", "month", "seq"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    Index("uq_audit_seals_row", "tenant_id", "xid", "audit_id", unique=True),
)

# Which records one audit row of a bulk write speaks of, in chunks of a thousand in the order of their ids.
audit_entries = Table(
    "audit_entries",
    metadata,
    tenant(),
    need("audit_id", Uuid),
    need("first_id", Uuid),
    need("last_id", Uuid),
    need("ids", ARRAY(Uuid)),
    PrimaryKeyConstraint("tenant_id", "audit_id", "first_id"),
    reference("audit_id", "audit"),
    Index(None, "tenant_id", "first_id"),
)
