"""Records that were found to be one: which went into which, what they were before, and where their ids lead."""

from sqlalchemy import ARRAY, DateTime, PrimaryKeyConstraint, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import Index

from service.db.tables.base import may, metadata, moment_of_writing, need, one_of, reference, tenant

# `customer_id` is the record that holds now what was merged into `survivor_id`: another one after a later merge.
merges = Table(
    "merges",
    metadata,
    tenant(),
    need("merge_id", Uuid),
    need("customer_id", Uuid),
    need("survivor_id", Uuid),
    need("merged_ids", ARRAY(Uuid)),
    need("staff_id", Uuid),
    need("state", Text, "'done'"),
    need("request", JSONB),
    need("outcome", JSONB, "'{}'::jsonb"),
    moment_of_writing("created_at"),
    may("undone_by", Uuid),
    may("undone_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "merge_id"),
    reference("customer_id", "customers", cascade=True),
    reference("staff_id", "staff"),
    one_of("state", "state", "done", "undone"),
    Index(None, "tenant_id", "customer_id"),
)

# Rows of one table and record as they were before the merge (or, where it has to be told apart from what came later,
# after it); of rows that only change their owner, the keys. Contacts are in clear.
merge_images = Table(
    "merge_images",
    metadata,
    tenant(),
    need("merge_id", Uuid),
    need("taken", Text),
    need("table_name", Text),
    need("owner_id", Uuid),
    may("keys", ARRAY(Uuid)),
    may("rows", JSONB),
    PrimaryKeyConstraint("tenant_id", "merge_id", "taken", "table_name", "owner_id"),
    reference("merge_id", "merges", cascade=True),
    one_of("taken", "taken", "before", "after"),
)

customer_redirects = Table(
    "customer_redirects",
    metadata,
    tenant(),
    need("old_id", Uuid),
    need("customer_id", Uuid),
    need("merge_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "old_id"),
    reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "customer_id"),
)
