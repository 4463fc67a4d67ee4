"""A tenant and who works there: staff, teams, deputies, channels and what they cost, own fields, hand-overs."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import KEY, may, metadata, moment, need, one_of, reference, tenant

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Integer, Identity(always=True), primary_key=True),
    need("slug", KEY),
    need("name", Text),
    need("time_zone", Text),
    need("currency", Text),
    need("policies", JSONB, "'{}'::jsonb"),
    moment(),
    UniqueConstraint("slug"),
)

staff = Table(
    "staff",
    metadata,
    tenant(),
    need("staff_id", Uuid),
    need("subject", KEY),
    need("name", Text),
    need("kind", Text, "'person'"),
    need("state", Text, "'active'"),
    need("scopes", ARRAY(Text)),
    moment(),
    PrimaryKeyConstraint("tenant_id", "staff_id"),
    UniqueConstraint("tenant_id", "subject"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    one_of("kind", "kind", "person", "system"),
    one_of("state", "state", "active", "leaving", "blocked"),
)

teams = Table(
    "teams",
    metadata,
    tenant(),
    need("team_id", Uuid),
    need("name", KEY),
    moment(),
    PrimaryKeyConstraint("tenant_id", "team_id"),
    UniqueConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

team_members = Table(
    "team_members",
    metadata,
    tenant(),
    need("team_id", Uuid),
    need("staff_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "team_id", "staff_id"),
    reference("team_id", "teams", cascade=True),
    reference("staff_id", "staff", cascade=True),
    Index(None, "tenant_id", "staff_id"),
)

deputies = Table(
    "deputies",
    metadata,
    tenant(),
    need("owner_id", Uuid),
    need("deputy_id", Uuid),
    need("from_on", Date),
    may("until_on", Date),
    PrimaryKeyConstraint("tenant_id", "deputy_id", "owner_id", "from_on"),
    reference("owner_id", "staff", "staff_id", cascade=True),
    reference("deputy_id", "staff", "staff_id", cascade=True),
)

channels = Table(
    "channels",
    metadata,
    tenant(),
    need("channel_id", Uuid),
    need("code", KEY),
    need("name", Text),
    need("kind", Text),
    moment(),
    PrimaryKeyConstraint("tenant_id", "channel_id"),
    UniqueConstraint("tenant_id", "code"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    one_of(
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

channel_costs = Table(
    "channel_costs",
    metadata,
    tenant(),
    need("channel_id", Uuid),
    need("cost_id", Uuid),
    need("from_on", Date),
    need("until_on", Date),
    need("amount", BigInteger),
    need("currency", Text),
    moment(),
    PrimaryKeyConstraint("tenant_id", "channel_id", "cost_id"),
    reference("channel_id", "channels", cascade=True),
)

# What a tenant's own fields are called and which values they take.
attribute_definitions = Table(
    "attribute_definitions",
    metadata,
    tenant(),
    need("name", KEY),
    need("kind", Text),
    need("label", Text),
    need("choices", ARRAY(Text), "'{}'"),
    need("position", Integer, "0"),
    moment(),
    PrimaryKeyConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    one_of("kind", "kind", "text", "number", "date", "boolean", "choice"),
)

# How often somebody has looked for an exact contact, by the hour.
contact_probes = Table(
    "contact_probes",
    metadata,
    tenant(),
    need("staff_id", Uuid),
    need("hour", DateTime(timezone=True)),
    need("used", Integer),
    PrimaryKeyConstraint("tenant_id", "staff_id", "hour"),
    reference("staff_id", "staff", cascade=True),
)

assignments = Table(
    "assignments",
    metadata,
    tenant(),
    need("assignment_id", Uuid),
    need("staff_id", Uuid),
    need("state", Text),
    need("request", JSONB),
    need("outcome", JSONB, "'{}'::jsonb"),
    need("records", Integer, "0"),
    moment(),
    may("undone_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "assignment_id"),
    reference("staff_id", "staff"),
    one_of("state", "state", "done", "undone"),
)
