"""What bounds access: who has seen which contacts in clear, terms of use, and who has accepted them."""

from sqlalchemy import DateTime, Index, Integer, PrimaryKeyConstraint, Table, Text, Uuid

from service.db.tables.base import may, metadata, moment, need, reference, tenant

# A person's first look at a record's contacts in thirty days; looks after it are free until then.
reveals = Table(
    "reveals",
    metadata,
    tenant(),
    need("staff_id", Uuid),
    need("taken_at", DateTime(timezone=True)),
    need("customer_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "staff_id", "taken_at", "customer_id"),
    reference("staff_id", "staff"),
    Index(None, "tenant_id", "taken_at"),
)

terms = Table(
    "terms",
    metadata,
    tenant(),
    need("version", Integer),
    need("text", Text),
    need("sha256", Text),
    need("staff_id", Uuid),
    moment("published_at"),
    PrimaryKeyConstraint("tenant_id", "version"),
    reference("staff_id", "staff"),
)

terms_acceptances = Table(
    "terms_acceptances",
    metadata,
    tenant(),
    need("staff_id", Uuid),
    need("version", Integer),
    need("sha256", Text),
    moment("accepted_at"),
    may("address", Text),
    PrimaryKeyConstraint("tenant_id", "staff_id", "version"),
    reference("staff_id", "staff"),
    reference("version", "terms"),
)
