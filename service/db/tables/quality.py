"""What checks have found, how good each record is, the scans that looked, and each day's numbers."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import KEY, may, metadata, moment, need, one_of, reference, tenant

quality_findings = Table(
    "quality_findings",
    metadata,
    tenant(),
    need("finding_id", Uuid),
    need("customer_id", Uuid),
    need("code", KEY),
    need("field", KEY),
    may("detail_id", Uuid),  # of a contact
    need("cause", Text),
    need("severity", Text),
    need("confidence", REAL),
    may("proposal", JSONB),  # contacts in it are masked
    need("value_hash", LargeBinary),  # what was dismissed stays so while the value is the same
    need("source", Text),
    may("import_id", Uuid),
    may("author_id", Uuid),  # who set the value
    moment("found_at"),
    need("state", Text, "'open'"),
    may("decided_by", Uuid),
    may("decided_at", DateTime(timezone=True)),
    may("due_on", Date),
    PrimaryKeyConstraint("tenant_id", "finding_id"),
    UniqueConstraint(
        "tenant_id", "customer_id", "code", "field", "detail_id",
        name="uq_quality_findings_place", postgresql_nulls_not_distinct=True,
    ),
    reference("customer_id", "customers", cascade=True),
    one_of("cause", "cause", "false", "entry", "transfer", "stale", "missing"),
    one_of("severity", "severity", "error", "warning", "note"),
    one_of("state", "state", "open", "dismissed", "fixed", "gone"),
    Index("ix_quality_findings_open", "tenant_id", "code", "customer_id", postgresql_where=text("state = 'open'")),
)  # fmt: skip

# Without foreign keys: a scan takes away those whose record is gone.
quality_scores = Table(
    "quality_scores",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    moment("checked_at"),
    need("checked_version", Integer),
    need("score", SmallInteger),
    *(need(f"fit_{purpose}", Boolean) for purpose in ("call", "mail", "invoice", "deliver")),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    Index(None, "tenant_id", "checked_at", postgresql_using="brin"),
)

quality_scans = Table(
    "quality_scans",
    metadata,
    tenant(),
    need("scan_id", Uuid),
    need("staff_id", Uuid),
    need("job_id", Uuid),
    need("scope", Text),
    may("watermark", Uuid),  # the last customer that was examined
    need("examined", BigInteger, "0"),
    need("found", BigInteger, "0"),
    moment("started_at"),
    may("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "scan_id"),
    reference("staff_id", "staff"),
    reference("job_id", "jobs"),
    one_of("scope", "scope", "all", "changed"),
    Index(None, "tenant_id", "job_id"),
)

# Up to where in the changes records have been examined, and on which day the whole base was last asked for.
quality_places = Table(
    "quality_places",
    metadata,
    tenant(),
    need("xid", BigInteger),
    need("change_id", BigInteger),
    may("scanned_on", Date),
    PrimaryKeyConstraint("tenant_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

# Each day's numbers, one part for each portfolio, so that everybody sees the trend of what he reaches.
quality_history = Table(
    "quality_history",
    metadata,
    tenant(),
    need("day", Date),
    need("part", Integer),
    may("curator_id", Uuid),
    may("team_id", Uuid),
    need("records", Integer),
    need("score_sum", BigInteger),
    *(need(f"fit_{purpose}", Integer) for purpose in ("call", "mail", "invoice", "deliver")),
    need("findings", JSONB),  # open ones by cause
    PrimaryKeyConstraint("tenant_id", "day", "part"),
)
