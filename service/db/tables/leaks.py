"""What guards the base from those who work with it: canaries, what was done hour by hour, and the signals."""

from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.dialects.postgresql import BIT, JSONB

from service.db.tables.base import KEY, may, metadata, moment, moment_of_writing, need, one_of, reference, tenant

# Records that nobody has a reason to look at in clear. Only the role that watches can tell them from the others.
canaries = Table(
    "canaries",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    may("curator_id", Uuid),  # whose portfolio it was planted in; null for nobody's
    need("planted_by", Uuid),
    moment("planted_at"),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    reference("customer_id", "customers", cascade=True),
)

# `about` is what a signal of that kind is raised for once: a day, a reveal, an export.
leak_signals = Table(
    "leak_signals",
    metadata,
    tenant(),
    need("signal_id", Uuid),
    moment_of_writing("at"),
    need("staff_id", Uuid),
    need("kind", Text),
    need("severity", Text),
    need("about", KEY),
    need("parts", JSONB),
    need("evidence", JSONB, "'{}'::jsonb"),
    need("state", Text, "'open'"),
    may("acknowledged_by", Uuid),
    may("acknowledged_at", DateTime(timezone=True)),
    may("note", Text),
    may("delivered_at", DateTime(timezone=True)),
    need("attempts", Integer, "0"),
    moment("next_try_at"),
    PrimaryKeyConstraint("tenant_id", "signal_id"),
    UniqueConstraint("tenant_id", "staff_id", "kind", "about"),
    reference("staff_id", "staff"),
    one_of("severity", "severity", "notice", "alert"),
    one_of("state", "state", "open", "acknowledged"),
    Index("ix_leak_signals_undelivered", "tenant_id", "next_try_at", postgresql_where=text("delivered_at IS NULL")),
)

# An id sets one bit of `seen` by its last twelve; the bits of hours and processes are joined by OR, so that a record
# which was seen twice counts once. `letters` and `segments` have a bit for each first letter and each slice that was
# asked for. `covered` is how many records had been seen in clear in the thirty days before.
staff_activity = Table(
    "staff_activity",
    metadata,
    tenant(),
    need("staff_id", Uuid),
    need("hour", DateTime(timezone=True)),
    need("cards", Integer, "0"),
    need("searches", Integer, "0"),
    need("pages", Integer, "0"),
    need("reveals", Integer, "0"),
    need("exported", Integer, "0"),
    need("reassigned", Integer, "0"),
    need("sales", Integer, "0"),
    need("letters", BigInteger, "0"),
    need("segments", BigInteger, "0"),
    need("seen", BIT(4096), "B'0'::bit(4096)"),
    need("covered", Integer, "0"),
    need("crossings", Integer, "0"),
    PrimaryKeyConstraint("tenant_id", "staff_id", "hour"),
    reference("staff_id", "staff", cascade=True),
    Index(None, "tenant_id", "hour"),
)
