"""Saved RFM schemes, and snapshots of who scored what."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from service.db.tables.base import KEY, may, metadata, moment, moment_of_writing, need, one_of, tenant

rfm_schemes = Table(
    "rfm_schemes",
    metadata,
    tenant(),
    need("scheme_id", Uuid),
    need("name", KEY),
    need("method", Text),
    need("bins", SmallInteger),
    may("window_days", Integer),
    may("currency", Text),
    need("monetary", Text),
    need("trimmed", Numeric(5, 4)),
    may("thresholds", JSONB),
    may("population", Text),  # a rule as text
    need("groups", JSONB),
    need("in_rules", Boolean, "false"),  # rules ask for the scores of this one
    moment("created_at"),
    moment("updated_at"),
    need("version", Integer, "1"),
    PrimaryKeyConstraint("tenant_id", "scheme_id"),
    UniqueConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    one_of("method", "method", "quantile", "thresholds", "equal_width", "ntile"),
    one_of("monetary", "monetary", "sum", "average"),
    Index("ix_rfm_schemes_in_rules", "tenant_id", unique=True, postgresql_where=text("in_rules")),
)

# Numbered within the tenant. A dropped one is there for nobody; its scores are taken away in batches.
rfm_snapshots = Table(
    "rfm_snapshots",
    metadata,
    tenant(),
    need("snapshot_id", Integer),
    may("scheme_id", Uuid),  # null: the usual scheme
    need("as_of", Date),
    moment_of_writing("computed_at"),
    need("currency", Text),
    need("bins", SmallInteger),
    need("customers", Integer, "0"),
    need("cuts", JSONB),
    need("groups", ARRAY(Text)),  # `group_no` of a score counts from 1
    need("in_rules", Boolean),
    need("scheduled", Boolean),
    need("dropped", Boolean, "false"),
    PrimaryKeyConstraint("tenant_id", "snapshot_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    Index(None, "tenant_id", "as_of"),
)

# The order of the columns leaves no gaps between them.
rfm_scores = Table(
    "rfm_scores",
    metadata,
    tenant(),
    need("snapshot_id", Integer),
    need("revenue", BigInteger),
    need("customer_id", Uuid),
    need("r", SmallInteger),
    need("f", SmallInteger),
    need("m", SmallInteger),
    need("group_no", SmallInteger),
    PrimaryKeyConstraint("tenant_id", "snapshot_id", "customer_id"),
)
