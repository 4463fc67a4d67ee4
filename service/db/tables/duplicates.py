"""Which records are alike: keys, pairs and clusters, what was learnt of the base, and who is never to be merged."""

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import may, metadata, moment, need, reference, tenant

# What is computed has no foreign keys, which would lock records that are written meanwhile.
linkage_keys = Table(
    "linkage_keys",
    metadata,
    tenant(),
    need("key", BigInteger),
    need("customer_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "key", "customer_id"),
)

# Which keys a record has: cheaper than a second index on them.
linkage_records = Table(
    "linkage_records",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("keys", ARRAY(BigInteger)),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
)

# `waterfall` says by how much each comparison speaks for or against, and holds no value of the records.
duplicate_pairs = Table(
    "duplicate_pairs",
    metadata,
    tenant(),
    need("first_id", Uuid),
    need("second_id", Uuid),
    need("weight", REAL),
    need("probability", REAL),
    need("waterfall", JSONB),
    moment("found_at"),
    PrimaryKeyConstraint("tenant_id", "first_id", "second_id"),
    CheckConstraint("first_id < second_id", name="ordered"),
    Index(None, "tenant_id", "second_id"),
)

duplicate_members = Table(
    "duplicate_members",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("cluster_id", Uuid),
    moment("joined_at"),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    Index(None, "tenant_id", "cluster_id", "customer_id"),
)

never_merge = Table(
    "never_merge",
    metadata,
    tenant(),
    need("first_id", Uuid),
    need("second_id", Uuid),
    need("staff_id", Uuid),
    moment(),
    PrimaryKeyConstraint("tenant_id", "first_id", "second_id"),
    reference("first_id", "customers", "customer_id", cascade=True),
    reference("second_id", "customers", "customer_id", cascade=True),
    reference("staff_id", "staff"),
    CheckConstraint("first_id < second_id", name="ordered"),
    Index(None, "tenant_id", "second_id"),
)

# What was learnt of a base: how telling agreements are, and which values are common, by their keyed hashes.
linkage_models = Table(
    "linkage_models",
    metadata,
    tenant(),
    need("version", Integer, "1"),
    need("model", JSONB),
    need("records", BigInteger),
    moment("learnt_at"),
    PrimaryKeyConstraint("tenant_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

# The place in `changes` up to which records are matched, and when the whole base last was.
linkage_progress = Table(
    "linkage_progress",
    metadata,
    tenant(),
    need("xid", BigInteger, "0"),
    need("change_id", BigInteger, "0"),
    may("matched_at", DateTime(timezone=True)),
    may("scanned_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
