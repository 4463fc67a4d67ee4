"""A customer and what hangs on the record: contacts, ids, words, links, history, notes, consents."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from service.db.tables.base import KEY, may, metadata, moment, moment_of_writing, need, one_of, reference, tenant

customers = Table(
    "customers",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("version", Integer, "1"),
    may("birth_date", Date),
    may("curator_id", Uuid),
    may("team_id", Uuid),
    may("channel_id", Uuid),
    may("import_id", Uuid),
    moment(),
    moment("updated_at"),
    need("kind", Text),
    need("status", Text, "'prospect'"),
    need("display_name", Text),
    need("sort_name", KEY),
    may("family_name", Text),
    may("given_name", Text),
    may("patronymic", Text),
    may("legal_name", Text),
    may("trade_name", Text),
    may("gender", Text),
    may("language", Text),
    may("country", Text),
    may("region", Text),
    may("city", Text),
    may("postal_code", Text),
    need("tags", ARRAY(Text), "'{}'"),
    need("attributes", JSONB, "'{}'::jsonb"),
    may("legal_form", Text),
    may("time_zone", Text),
    need("birth_year_known", Boolean, "true"),
    need("preferences", ARRAY(Text), "'{}'"),
    need("provenance", JSONB, "'[]'::jsonb"),
    may("status_at", DateTime(timezone=True)),
    may("restricted_at", DateTime(timezone=True)),
    may("erased_at", DateTime(timezone=True)),
    # Places as rules compare them; the database folds them as `names.fold` does.
    *(Column(f"{place}_folded", KEY, Computed(f"folded({place})")) for place in ("country", "region", "city")),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    reference("curator_id", "staff", "staff_id"),
    reference("team_id", "teams"),
    reference("channel_id", "channels"),
    one_of("kind", "kind", "person", "organisation"),
    one_of("status", "status", "prospect", "customer", "lapsed", "archived"),
    one_of("gender", "gender", "female", "male"),
    Index(None, "tenant_id", "curator_id", "customer_id"),
    Index(None, "tenant_id", "team_id", "customer_id"),
    Index(None, "tenant_id", "sort_name", "customer_id"),
)

external_ids = Table(
    "customer_external_ids",
    metadata,
    tenant(),
    need("source", KEY),
    need("external_id", KEY),
    need("customer_id", Uuid),
    # By the number alone as well: nobody at the counter knows of which system it is.
    PrimaryKeyConstraint("tenant_id", "external_id", "source"),
    reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "customer_id"),
)

search_tokens = Table(
    "search_tokens",
    metadata,
    tenant(),
    need("token", KEY),
    need("customer_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "token", "customer_id"),
    reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "customer_id"),
)

contact_details = Table(
    "contact_details",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("detail_id", Uuid),
    need("kind", KEY),
    may("label", Text),
    need("is_primary", Boolean, "false"),
    need("value", Text),  # closed: only clientbase_reveal may read it
    need("normal", Text),  # closed likewise
    need("masked", Text),
    need("lookup", LargeBinary),
    need("verdict", Text),
    need("source", Text),
    may("verified_at", DateTime(timezone=True)),
    moment(),
    may("author_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "customer_id", "detail_id"),
    reference("customer_id", "customers", cascade=True),
    one_of("verdict", "verdict", "valid", "possible", "invalid"),
    Index(None, "tenant_id", "lookup"),
)

customer_links = Table(
    "customer_links",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("kind", KEY),
    need("other_id", Uuid),
    need("staff_id", Uuid),
    moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "kind", "other_id"),
    reference("customer_id", "customers", cascade=True),
    reference("other_id", "customers", "customer_id", cascade=True),
    one_of("kind", "kind", "works_at", "subsidiary_of", "household", "referred_by"),
    Index(None, "tenant_id", "other_id"),
)

# What befell a record, in words for the timeline: changed fields (old and new), status, verification, merges.
customer_events = Table(
    "customer_events",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("event_id", Uuid),
    moment_of_writing("at"),
    need("kind", Text),
    may("staff_id", Uuid),
    need("source", Text),
    need("detail", JSONB, "'{}'::jsonb"),
    PrimaryKeyConstraint("tenant_id", "customer_id", "event_id"),
    reference("customer_id", "customers", cascade=True),
)

# Who answered for a record from when on; the row before says until when.
ownerships = Table(
    "ownerships",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("ownership_id", Uuid),
    moment_of_writing("at"),
    may("curator_id", Uuid),
    may("team_id", Uuid),
    may("from_curator_id", Uuid),
    may("from_team_id", Uuid),
    need("staff_id", Uuid),
    may("assignment_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "customer_id", "ownership_id"),
    reference("customer_id", "customers", cascade=True),
    Index(None, "tenant_id", "assignment_id", postgresql_where=text("assignment_id IS NOT NULL")),
)

notes = Table(
    "notes",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("note_id", Uuid),
    need("staff_id", Uuid),
    need("text", Text),
    moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "note_id"),
    reference("customer_id", "customers", cascade=True),
)

interactions = Table(
    "interactions",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("interaction_id", Uuid),
    need("staff_id", Uuid),
    need("kind", Text),
    need("direction", Text),
    need("at", DateTime(timezone=True)),
    may("outcome", Text),
    may("text", Text),
    moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "interaction_id"),
    reference("customer_id", "customers", cascade=True),
    one_of("kind", "kind", "call", "email", "message", "meeting", "letter", "visit", "other"),
    one_of("direction", "direction", "in", "out"),
)

# Append only: the last row of a purpose and channel counts.
consents = Table(
    "consents",
    metadata,
    tenant(),
    need("customer_id", Uuid),
    need("consent_id", Uuid),
    need("purpose", KEY),
    need("channel", KEY, "''"),
    need("given", Boolean),
    need("at", DateTime(timezone=True)),
    need("source", Text),
    may("proof", Text),
    need("staff_id", Uuid),
    moment(),
    PrimaryKeyConstraint("tenant_id", "customer_id", "consent_id"),
    reference("customer_id", "customers", cascade=True),
)

access_requests = Table(
    "access_requests",
    metadata,
    tenant(),
    need("request_id", Uuid),
    need("staff_id", Uuid),
    need("customer_id", Uuid),
    need("reason", Text),
    need("state", Text, "'open'"),
    moment(),
    may("decided_by", Uuid),
    may("decided_at", DateTime(timezone=True)),
    may("answer", Text),
    PrimaryKeyConstraint("tenant_id", "request_id"),
    reference("staff_id", "staff"),
    reference("customer_id", "customers", cascade=True),
    one_of("state", "state", "open", "granted", "refused"),
    Index(None, "tenant_id", "customer_id"),
)

# The act of an erasure: that it was done, by whom, and how much of what is gone; nothing of the person.
erasures = Table(
    "erasures",
    metadata,
    tenant(),
    need("erasure_id", Uuid),
    need("customer_id", Uuid),
    need("staff_id", Uuid),
    moment("at"),
    need("reason", Text),
    need("act", JSONB),
    PrimaryKeyConstraint("tenant_id", "erasure_id"),
    reference("staff_id", "staff"),
    Index(None, "tenant_id", "customer_id"),
)
