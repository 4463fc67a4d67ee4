"""Tokens that were taken back before their time."""

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from service.db.tables.base import KEY, may, metadata, moment, need, reference, tenant

token_revocations = Table(
    "token_revocations",
    metadata,
    tenant(),
    need("revocation_id", Uuid),
    may("token_id", KEY),
    may("owner_id", Uuid),
    may("issued_before", DateTime(timezone=True)),
    need("until", DateTime(timezone=True)),
    need("reason", Text),
    need("staff_id", Uuid),
    moment(),
    PrimaryKeyConstraint("tenant_id", "revocation_id"),
    reference("owner_id", "staff", "staff_id"),
    reference("staff_id", "staff"),
    CheckConstraint("token_id IS NOT NULL OR owner_id IS NOT NULL", name="named"),
    Index(None, "tenant_id", "token_id"),
    Index(None, "tenant_id", "owner_id"),
)
