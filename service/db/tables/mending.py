"""What fixes have done to records, and what was there before."""

from sqlalchemy import REAL, Boolean, DateTime, Index, PrimaryKeyConstraint, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import KEY, may, metadata, moment, need, reference, tenant

# `changes` is for people, contacts masked; `images` is what an undo needs, closed: clientbase_mender alone reads it.
quality_fixes = Table(
    "quality_fixes",
    metadata,
    tenant(),
    need("fix_id", Uuid),
    need("run_id", Uuid),
    need("customer_id", Uuid),
    need("finding_id", Uuid),
    need("code", KEY),
    need("field", KEY),
    may("detail_id", Uuid),
    need("confidence", REAL),
    need("automatic", Boolean),
    need("changes", JSONB),
    need("images", JSONB),
    need("staff_id", Uuid),
    moment("fixed_at"),
    may("undone_at", DateTime(timezone=True)),
    may("undone_by", Uuid),
    PrimaryKeyConstraint("tenant_id", "fix_id"),
    reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "customer_id"),
    Index("ix_quality_fixes_tenant_id_run_id_fix_id", "tenant_id", "run_id", "fix_id"),
)
