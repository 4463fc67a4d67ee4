"""Snapshots of ABC and XYZ: who was of which class and letter."""

from sqlalchemy import (
    Boolean,
    Date,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service.db.tables.base import may, metadata, moment_of_writing, need, one_of, tenant

# Numbered within the tenant. A dropped one is there for nobody; its classes are taken away in batches.
abc_snapshots = Table(
    "abc_snapshots",
    metadata,
    tenant(),
    need("snapshot_id", Integer),
    need("as_of", Date),
    moment_of_writing("computed_at"),
    need("measure", Text),
    need("borders", ARRAY(SmallInteger)),
    need("currency", Text),
    may("window_days", Integer),
    need("period", Text),
    need("xyz_borders", ARRAY(SmallInteger)),
    need("customers", Integer, "0"),
    need("scheduled", Boolean),
    need("dropped", Boolean, "false"),
    PrimaryKeyConstraint("tenant_id", "snapshot_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    one_of("measure", "measure", "revenue", "orders"),
    one_of("period", "period", "week", "month", "quarter", "year"),
)

# Class 0 is A, letter 1 is X.
abc_classes = Table(
    "abc_classes",
    metadata,
    tenant(),
    need("snapshot_id", Integer),
    need("customer_id", Uuid),
    need("class_no", SmallInteger),
    need("letter_no", SmallInteger),
    PrimaryKeyConstraint("tenant_id", "snapshot_id", "customer_id"),
)
