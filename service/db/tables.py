"""The tables, tenant first in every key; migrations are the truth, a test holds the two equal.

Money is bigint micros (service/domain/money.py). Days (`*_on`) are days in the tenant's time zone.
Text that is compared or ordered by an index is folded at write time and collated "C".
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_KEY = Text(collation="C")
_NOW = text("now()")


def _tenant() -> Column[int]:
    return Column("tenant_id", Integer, nullable=False)


def _need(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text(default) if default is not None else None)


def _may(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _moment(name: str = "created_at") -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=_NOW)


def _reference(columns: str, table: str, key: str | None = None, *, cascade: bool = False) -> ForeignKeyConstraint:
    """A foreign key that always starts with the tenant."""
    return ForeignKeyConstraint(
        ["tenant_id", columns],
        [f"{table}.tenant_id", f"{table}.{key or columns}"],
        ondelete="CASCADE" if cascade else None,
    )


def _one_of(name: str, column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Integer, Identity(always=True), primary_key=True),
    _need("slug", _KEY),
    _need("name", Text),
    _need("time_zone", Text),
    _need("currency", Text),
    _need("policies", JSONB, "'{}'::jsonb"),
    _moment(),
    UniqueConstraint("slug"),
)

staff = Table(
    "staff",
    metadata,
    _tenant(),
    _need("staff_id", Uuid),
    _need("subject", _KEY),
    _need("name", Text),
    _need("kind", Text, "'person'"),
    _need("state", Text, "'active'"),
    _need("scopes", ARRAY(Text)),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "staff_id"),
    UniqueConstraint("tenant_id", "subject"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    _one_of("kind", "kind", "person", "system"),
    _one_of("state", "state", "active", "leaving", "blocked"),
)

teams = Table(
    "teams",
    metadata,
    _tenant(),
    _need("team_id", Uuid),
    _need("name", _KEY),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "team_id"),
    UniqueConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

team_members = Table(
    "team_members",
    metadata,
    _tenant(),
    _need("team_id", Uuid),
    _need("staff_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "team_id", "staff_id"),
    _reference("team_id", "teams", cascade=True),
    _reference("staff_id", "staff", cascade=True),
    Index(None, "tenant_id", "staff_id"),
)

deputies = Table(
    "deputies",
    metadata,
    _tenant(),
    _need("owner_id", Uuid),
    _need("deputy_id", Uuid),
    _need("from_on", Date),
    _may("until_on", Date),
    PrimaryKeyConstraint("tenant_id", "deputy_id", "owner_id", "from_on"),
    _reference("owner_id", "staff", "staff_id", cascade=True),
    _reference("deputy_id", "staff", "staff_id", cascade=True),
)

channels = Table(
    "channels",
    metadata,
    _tenant(),
    _need("channel_id", Uuid),
    _need("code", _KEY),
    _need("name", Text),
    _need("kind", Text),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "channel_id"),
    UniqueConstraint("tenant_id", "code"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    _one_of(
        "kind",
        "kind",
        "calls",
        "mailings",
        "administrative_resource",
        "closed_market",
        "intermediaries",
        "own_outlets",
        "state_orders",
        "online_sales",
        "advertising",
        "indirect",
    ),
)

customers = Table(
    "customers",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("version", Integer, "1"),
    _may("birth_date", Date),
    _may("curator_id", Uuid),
    _may("team_id", Uuid),
    _may("channel_id", Uuid),
    _may("import_id", Uuid),
    _moment(),
    _moment("updated_at"),
    _need("kind", Text),
    _need("status", Text, "'prospect'"),
    _need("display_name", Text),
    _need("sort_name", _KEY),
    _may("family_name", Text),
    _may("given_name", Text),
    _may("patronymic", Text),
    _may("legal_name", Text),
    _may("trade_name", Text),
    _may("gender", Text),
    _may("language", Text),
    _may("country", Text),
    _may("region", Text),
    _may("city", Text),
    _may("postal_code", Text),
    _need("tags", ARRAY(Text), "'{}'"),
    _need("attributes", JSONB, "'{}'::jsonb"),
    _may("legal_form", Text),
    _may("time_zone", Text),
    _need("birth_year_known", Boolean, "true"),
    _need("preferences", ARRAY(Text), "'{}'"),
    _need("provenance", JSONB, "'[]'::jsonb"),
    _may("status_at", DateTime(timezone=True)),
    _may("restricted_at", DateTime(timezone=True)),
    _may("erased_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    _reference("curator_id", "staff", "staff_id"),
    _reference("team_id", "teams"),
    _reference("channel_id", "channels"),
    _one_of("kind", "kind", "person", "organisation"),
    _one_of("status", "status", "prospect", "customer", "lapsed", "archived"),
    _one_of("gender", "gender", "female", "male"),
    Index(None, "tenant_id", "curator_id", "customer_id"),
    Index(None, "tenant_id", "team_id", "customer_id"),
    Index(None, "tenant_id", "sort_name", "customer_id"),
)

external_ids = Table(
    "customer_external_ids",
    metadata,
    _tenant(),
    _need("source", _KEY),
    _need("external_id", _KEY),
    _need("customer_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "source", "external_id"),
    _reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "customer_id"),
)

search_tokens = Table(
    "search_tokens",
    metadata,
    _tenant(),
    _need("token", _KEY),
    _need("customer_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "token", "customer_id"),
    _reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "customer_id"),
)

contact_details = Table(
    "contact_details",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("detail_id", Uuid),
    _need("kind", _KEY),
    _may("label", Text),
    _need("is_primary", Boolean, "false"),
    _need("value", Text),  # closed: only clientbase_reveal may read it
    _need("normal", Text),  # closed likewise
    _need("masked", Text),
    _need("lookup", LargeBinary),
    _need("verdict", Text),
    _need("source", Text),
    _may("verified_at", DateTime(timezone=True)),
    _moment(),
    _may("author_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "customer_id", "detail_id"),
    _reference("customer_id", "customers", cascade=True),
    _one_of("verdict", "verdict", "valid", "possible", "invalid"),
    Index(None, "tenant_id", "lookup"),
)

# What a tenant's own fields are called and which values they take.
attribute_definitions = Table(
    "attribute_definitions",
    metadata,
    _tenant(),
    _need("name", _KEY),
    _need("kind", Text),
    _need("label", Text),
    _need("choices", ARRAY(Text), "'{}'"),
    _need("position", Integer, "0"),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    _one_of("kind", "kind", "text", "number", "date", "boolean", "choice"),
)

customer_links = Table(
    "customer_links",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("kind", _KEY),
    _need("other_id", Uuid),
    _need("staff_id", Uuid),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "kind", "other_id"),
    _reference("customer_id", "customers", cascade=True),
    _reference("other_id", "customers", "customer_id", cascade=True),
    _one_of("kind", "kind", "works_at", "subsidiary_of", "household", "referred_by"),
    Index(None, "tenant_id", "other_id"),
)

# What befell a record, in words for the timeline: changed fields (old and new), status, verification, merges.
customer_events = Table(
    "customer_events",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("event_id", Uuid),
    _moment("at"),
    _need("kind", Text),
    _may("staff_id", Uuid),
    _need("source", Text),
    _need("detail", JSONB, "'{}'::jsonb"),
    PrimaryKeyConstraint("tenant_id", "customer_id", "event_id"),
    _reference("customer_id", "customers", cascade=True),
)

assignments = Table(
    "assignments",
    metadata,
    _tenant(),
    _need("assignment_id", Uuid),
    _need("staff_id", Uuid),
    _need("state", Text),
    _need("request", JSONB),
    _need("outcome", JSONB, "'{}'::jsonb"),
    _need("records", Integer, "0"),
    _moment(),
    _may("undone_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "assignment_id"),
    _reference("staff_id", "staff"),
    _one_of("state", "state", "done", "undone"),
)

# Who answered for a record from when on; the row before says until when.
ownerships = Table(
    "ownerships",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("ownership_id", Uuid),
    _moment("at"),
    _may("curator_id", Uuid),
    _may("team_id", Uuid),
    _may("from_curator_id", Uuid),
    _may("from_team_id", Uuid),
    _need("staff_id", Uuid),
    _may("assignment_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "customer_id", "ownership_id"),
    _reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "assignment_id", postgresql_where=text("assignment_id IS NOT NULL")),
)

notes = Table(
    "notes",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("note_id", Uuid),
    _need("staff_id", Uuid),
    _need("text", Text),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "note_id"),
    _reference("customer_id", "customers", cascade=True),
)

interactions = Table(
    "interactions",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("interaction_id", Uuid),
    _need("staff_id", Uuid),
    _need("kind", Text),
    _need("direction", Text),
    _need("at", DateTime(timezone=True)),
    _may("outcome", Text),
    _may("text", Text),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "interaction_id"),
    _reference("customer_id", "customers", cascade=True),
    _one_of("kind", "kind", "call", "email", "message", "meeting", "letter", "visit", "other"),
    _one_of("direction", "direction", "in", "out"),
)

# Append only: the last row of a purpose and channel counts.
consents = Table(
    "consents",
    metadata,
    _tenant(),
    _need("customer_id", Uuid),
    _need("consent_id", Uuid),
    _need("purpose", _KEY),
    _need("channel", _KEY, "''"),
    _need("given", Boolean),
    _need("at", DateTime(timezone=True)),
    _need("source", Text),
    _may("proof", Text),
    _need("staff_id", Uuid),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "consent_id"),
    _reference("customer_id", "customers", cascade=True),
)

access_requests = Table(
    "access_requests",
    metadata,
    _tenant(),
    _need("request_id", Uuid),
    _need("staff_id", Uuid),
    _need("customer_id", Uuid),
    _need("reason", Text),
    _need("state", Text, "'open'"),
    _moment(),
    _may("decided_by", Uuid),
    _may("decided_at", DateTime(timezone=True)),
    _may("answer", Text),
    PrimaryKeyConstraint("tenant_id", "request_id"),
    _reference("staff_id", "staff"),
    _reference("customer_id", "customers", cascade=True),
    _one_of("state", "state", "open", "granted", "refused"),
    Index(None, "tenant_id", "customer_id"),
)

# The act of an erasure: that it was done, by whom, and how much of what is gone; nothing of the person.
erasures = Table(
    "erasures",
    metadata,
    _tenant(),
    _need("erasure_id", Uuid),
    _need("customer_id", Uuid),
    _need("staff_id", Uuid),
    _moment("at"),
    _need("reason", Text),
    _need("act", JSONB),
    PrimaryKeyConstraint("tenant_id", "erasure_id"),
    _reference("staff_id", "staff"),
    Index(None, "tenant_id", "customer_id"),
)

# How often somebody has looked for an exact contact, by the hour.
contact_probes = Table(
    "contact_probes",
    metadata,
    _tenant(),
    _need("staff_id", Uuid),
    _need("hour", DateTime(timezone=True)),
    _need("used", Integer),
    PrimaryKeyConstraint("tenant_id", "staff_id", "hour"),
    _reference("staff_id", "staff", cascade=True),
)

channel_costs = Table(
    "channel_costs",
    metadata,
    _tenant(),
    _need("channel_id", Uuid),
    _need("cost_id", Uuid),
    _need("from_on", Date),
    _need("until_on", Date),
    _need("amount", BigInteger),
    _need("currency", Text),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "channel_id", "cost_id"),
    _reference("channel_id", "channels", cascade=True),
)

categories = Table(
    "categories",
    metadata,
    _tenant(),
    _need("category_id", Uuid),
    _need("name", _KEY),
    PrimaryKeyConstraint("tenant_id", "category_id"),
    UniqueConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

products = Table(
    "products",
    metadata,
    _tenant(),
    _need("product_id", Uuid),
    _need("sku", _KEY),
    _need("name", Text),
    _may("category_id", Uuid),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "product_id"),
    UniqueConstraint("tenant_id", "sku"),
    _reference("category_id", "categories"),
)

orders = Table(
    "orders",
    metadata,
    _tenant(),
    _need("order_id", Uuid),
    _need("customer_id", Uuid),
    _need("total", BigInteger),
    _need("refunded", BigInteger, "0"),
    _need("ordered_at", DateTime(timezone=True)),
    _moment(),
    _moment("updated_at"),
    _may("import_id", Uuid),
    _need("ordered_on", Date),
    _need("version", Integer, "1"),
    _need("currency", Text),
    _need("status", Text),
    _need("source", _KEY, "''"),
    _may("external_id", _KEY),
    _may("sales_channel", Text),
    PrimaryKeyConstraint("tenant_id", "order_id"),
    UniqueConstraint("tenant_id", "source", "external_id"),
    _reference("customer_id", "customers"),
    _one_of("status", "status", "new", "paid", "completed", "cancelled", "returned"),
    Index(None, "tenant_id", "customer_id", "ordered_on"),
    Index(None, "tenant_id", "ordered_at", "order_id"),
)

order_lines = Table(
    "order_lines",
    metadata,
    _tenant(),
    _need("line_no", Integer),
    _need("order_id", Uuid),
    _need("product_id", Uuid),
    _need("unit_price", BigInteger),
    _need("amount", BigInteger),
    _need("quantity", Numeric),
    PrimaryKeyConstraint("tenant_id", "order_id", "line_no"),
    _reference("order_id", "orders", cascade=True),
    _reference("product_id", "products"),
)

refunds = Table(
    "refunds",
    metadata,
    _tenant(),
    _need("refund_id", Uuid),
    _need("customer_id", Uuid),
    _may("order_id", Uuid),
    _need("amount", BigInteger),
    _need("refunded_at", DateTime(timezone=True)),
    _moment(),
    _may("import_id", Uuid),
    _need("refunded_on", Date),
    _need("currency", Text),
    _need("source", _KEY, "''"),
    _may("external_id", _KEY),
    _may("reason", Text),
    PrimaryKeyConstraint("tenant_id", "refund_id"),
    UniqueConstraint("tenant_id", "source", "external_id"),
    _reference("customer_id", "customers"),
    _reference("order_id", "orders", cascade=True),
    Index(None, "tenant_id", "customer_id", "refunded_on"),
    Index(None, "tenant_id", "order_id"),
)

refund_lines = Table(
    "refund_lines",
    metadata,
    _tenant(),
    _need("line_no", Integer),
    _need("refund_id", Uuid),
    _need("product_id", Uuid),
    _need("unit_price", BigInteger),
    _need("amount", BigInteger),
    _need("quantity", Numeric),
    PrimaryKeyConstraint("tenant_id", "refund_id", "line_no"),
    _reference("refund_id", "refunds", cascade=True),
    _reference("product_id", "products"),
)

purchase_totals = Table(
    "purchase_totals",
    metadata,
    _tenant(),
    _need("orders", Integer),
    _need("customer_id", Uuid),
    _need("revenue", BigInteger),
    _need("refunded", BigInteger),
    _need("refunds", Integer),
    _may("first_on", Date),
    _may("last_on", Date),
    _need("latest_on", Date),
    _may("pending_from", Date),
    _need("currency", Text),
    PrimaryKeyConstraint("tenant_id", "customer_id", "currency"),
    _reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "currency", "latest_on"),
    Index("ix_purchase_totals_pending", "tenant_id", "pending_from", postgresql_where=text("pending_from IS NOT NULL")),
)

files = Table(
    "files",
    metadata,
    _tenant(),
    _need("file_id", Uuid),
    _need("staff_id", Uuid),
    _need("name", Text),
    _need("media_type", Text),
    _need("size", BigInteger),
    _need("sha256", LargeBinary),
    _moment(),
    _may("expires_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "file_id"),
    _reference("staff_id", "staff"),
)

file_parts = Table(
    "file_parts",
    metadata,
    _tenant(),
    _need("file_id", Uuid),
    _need("part_no", Integer),
    _need("content", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "file_id", "part_no"),
    _reference("file_id", "files", cascade=True),
)

jobs = Table(
    "jobs",
    metadata,
    _tenant(),
    _need("job_id", Uuid),
    _need("staff_id", Uuid),
    _need("kind", Text),
    _need("state", Text, "'queued'"),
    _need("epoch", Integer, "0"),
    _need("done", BigInteger, "0"),
    _may("total", BigInteger),
    _need("unit", Text),
    _need("cancel_requested", Boolean, "false"),
    _need("request", JSONB, "'{}'::jsonb"),
    _may("error", JSONB),
    _moment(),
    _may("started_at", DateTime(timezone=True)),
    _may("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "job_id"),
    _reference("staff_id", "staff"),
    _one_of("state", "state", "queued", "running", "done", "failed", "cancelled"),
)

imports = Table(
    "imports",
    metadata,
    _tenant(),
    _need("import_id", Uuid),
    _need("staff_id", Uuid),
    _need("job_id", Uuid),
    _need("file_id", Uuid),
    _need("kind", Text),
    _may("preset", Text),
    _need("source", _KEY),
    _need("mapping", JSONB),
    _need("content_hash", LargeBinary),
    _need("state", Text, "'queued'"),
    _need("watermark", BigInteger, "0"),
    _need("rows_read", BigInteger, "0"),
    _need("rows_applied", BigInteger, "0"),
    _need("rows_rejected", BigInteger, "0"),
    _need("counts", JSONB, "'{}'::jsonb"),
    _need("rejects", JSONB, "'{}'::jsonb"),
    _may("error", JSONB),
    _moment(),
    _may("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "import_id"),
    _reference("staff_id", "staff"),
    _reference("job_id", "jobs"),
    _reference("file_id", "files"),
    _one_of("state", "state", "queued", "running", "done", "failed", "cancelled", "reverted"),
    Index(
        "uq_imports_content",
        "tenant_id",
        "kind",
        "content_hash",
        unique=True,
        postgresql_where=text("state IN ('queued', 'running', 'done')"),
    ),
)

import_rejects = Table(
    "import_rejects",
    metadata,
    _tenant(),
    _need("import_id", Uuid),
    _need("row_no", BigInteger),
    _need("line", BigInteger),
    _may("field", Text),
    _need("code", Text),
    _need("reason", Text),
    _need("cells", ARRAY(Text)),
    PrimaryKeyConstraint("tenant_id", "import_id", "row_no"),
    _reference("import_id", "imports", cascade=True),
)

exports = Table(
    "exports",
    metadata,
    _tenant(),
    _need("export_id", Uuid),
    _need("staff_id", Uuid),
    _need("job_id", Uuid),
    _need("what", Text),
    _need("request", JSONB),
    _need("columns", ARRAY(Text)),
    _need("format", Text),
    _need("purpose", Text),
    _need("state", Text, "'queued'"),
    _may("rows", BigInteger),
    _may("file_id", Uuid),
    _may("error", JSONB),
    _moment(),
    _may("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "export_id"),
    _reference("staff_id", "staff"),
    _reference("job_id", "jobs"),
    _reference("file_id", "files"),
    _one_of("state", "state", "queued", "running", "done", "failed", "cancelled"),
)

# Which records have left with a file, in chunks of a thousand in the order of their ids.
export_records = Table(
    "export_records",
    metadata,
    _tenant(),
    _need("export_id", Uuid),
    _need("first_id", Uuid),
    _need("last_id", Uuid),
    _need("customer_ids", ARRAY(Uuid)),
    PrimaryKeyConstraint("tenant_id", "export_id", "first_id"),
    _reference("export_id", "exports", cascade=True),
)

# The members of a segment while it is being exported: filled and read in one transaction that is never committed.
chosen_customers = Table(
    "chosen_customers",
    metadata,
    _tenant(),
    _need("choice_id", Uuid),
    _need("customer_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "choice_id", "customer_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _tenant(),
    _need("staff_id", Uuid),
    _need("method", Text),
    _need("path", Text),
    _need("key", _KEY),
    _need("body_hash", LargeBinary),
    _need("status", Integer),
    _need("answer", JSONB),
    _moment(),
    PrimaryKeyConstraint("tenant_id", "staff_id", "method", "path", "key"),
    _reference("staff_id", "staff"),
)

changes = Table(
    "changes",
    metadata,
    _tenant(),
    Column("change_id", BigInteger, Identity(always=True), nullable=False),
    _moment("at"),
    _may("customer_id", Uuid),
    _need("entity_id", Uuid),
    _need("entity", Text),
    _need("kind", Text),
    _need("xid", BigInteger, "(pg_current_xact_id()::text)::bigint"),
    PrimaryKeyConstraint("tenant_id", "xid", "change_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

audit = Table(
    "audit",
    metadata,
    _tenant(),
    _need("audit_id", Uuid),
    _moment("at"),
    _need("staff_id", Uuid),
    _need("action", Text),
    _need("entity", Text),
    _may("entity_id", Uuid),
    _need("records", Integer, "1"),
    _may("reason", Text),
    _need("detail", JSONB, "'{}'::jsonb"),
    PrimaryKeyConstraint("tenant_id", "audit_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
