"""Segments that are kept, and their members as intervals."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import KEY, may, metadata, moment, need, one_of, reference, tenant

# `xid` and `change_id` are the place in `changes` up to which members are computed, `computed_on` the tenant's day for
# which they are; on `next_turn` they change without a change, because days that the rule counts from have moved.
segments = Table(
    "segments",
    metadata,
    tenant(),
    need("segment_id", Uuid),
    need("name", KEY),
    need("description", Text, "''"),
    need("kind", Text),
    may("rule", JSONB),
    may("rule_text", Text),
    need("uses", ARRAY(Uuid), "'{}'"),
    may("source_id", Uuid),
    need("owner_id", Uuid),
    need("version", Integer, "1"),
    need("state", Text),
    may("computed_at", DateTime(timezone=True)),
    need("xid", BigInteger, "0"),
    need("change_id", BigInteger, "0"),
    may("computed_on", Date),
    may("next_turn", Date),
    may("rfm_snapshot", Integer),  # whose scores and classes it was computed by
    may("abc_snapshot", Integer),
    moment(),
    moment("updated_at"),
    PrimaryKeyConstraint("tenant_id", "segment_id"),
    UniqueConstraint("tenant_id", "name"),
    reference("owner_id", "staff", "staff_id"),
    one_of("kind", "kind", "live", "static", "snapshot"),
    one_of("state", "state", "building", "ready", "broken"),
    CheckConstraint("(kind = 'live') = (rule IS NOT NULL AND rule_text IS NOT NULL)", name="ruled"),
)

segment_members = Table(
    "segment_members",
    metadata,
    tenant(),
    need("segment_id", Uuid),
    need("customer_id", Uuid),
    need("entered_at", DateTime(timezone=True)),
    may("left_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "segment_id", "customer_id", "entered_at"),
    reference("segment_id", "segments", cascade=True),
    reference("customer_id", "customers", cascade=True),
    CheckConstraint("left_at > entered_at", name="interval"),
    Index(
        "ix_segment_members_present",
        "tenant_id",
        "segment_id",
        "customer_id",
        unique=True,
        postgresql_where=text("left_at IS NULL"),
    ),
    Index(None, "tenant_id", "customer_id", "segment_id"),
)
