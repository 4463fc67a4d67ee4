"""How a file leaves: who agreed to it, and the links by which it was fetched."""

from sqlalchemy import BigInteger, DateTime, Integer, LargeBinary, PrimaryKeyConstraint, Table, Uuid

from service.db.tables.base import may, metadata, moment, need, reference, tenant

export_approvals = Table(
    "export_approvals",
    metadata,
    tenant(),
    need("export_id", Uuid),
    need("round", Integer),
    need("staff_id", Uuid),
    need("rows", BigInteger),
    moment(),
    PrimaryKeyConstraint("tenant_id", "export_id", "round", "staff_id"),
    reference("export_id", "exports", cascade=True),
    reference("staff_id", "staff"),
)

# A link is known by the hash of its token alone.
export_links = Table(
    "export_links",
    metadata,
    tenant(),
    need("token_hash", LargeBinary),
    need("export_id", Uuid),
    need("staff_id", Uuid),
    moment(),
    need("expires_at", DateTime(timezone=True)),
    may("used_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "token_hash"),
    reference("export_id", "exports", cascade=True),
    reference("staff_id", "staff"),
)
