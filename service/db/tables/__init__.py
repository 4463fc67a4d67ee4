"""The tables, tenant first in every key; migrations are the truth, a test holds the two equal.

Money is bigint micros (service/domain/money.py). Days (`*_on`) are days in the tenant's time zone.
Text that is compared or ordered by an index is folded at write time and collated "C".
"""

from service.db.tables.abc import abc_classes, abc_snapshots
from service.db.tables.access import reveals, terms, terms_acceptances
from service.db.tables.audit import audit, audit_entries, audit_seals
from service.db.tables.base import metadata
from service.db.tables.duplicates import (
    duplicate_members,
    duplicate_pairs,
    linkage_keys,
    linkage_models,
    linkage_progress,
    linkage_records,
    never_merge,
)
from service.db.tables.leaks import canaries, leak_signals, staff_activity
from service.db.tables.leaving import export_approvals, export_links
from service.db.tables.mending import quality_fixes
from service.db.tables.merges import customer_redirects, merge_images, merges
from service.db.tables.people import (
    assignments,
    attribute_definitions,
    channel_costs,
    channels,
    contact_probes,
    deputies,
    staff,
    team_members,
    teams,
    tenants,
)
from service.db.tables.purchases import (
    categories,
    order_lines,
    orders,
    products,
    purchase_totals,
    refund_lines,
    refunds,
)
from service.db.tables.quality import (
    quality_findings,
    quality_history,
    quality_places,
    quality_scans,
    quality_scores,
)
from service.db.tables.records import (
    access_requests,
    consents,
    contact_details,
    customer_events,
    customer_links,
    customers,
    erasures,
    external_ids,
    interactions,
    notes,
    ownerships,
    search_tokens,
)
from service.db.tables.rfm import rfm_schemes, rfm_scores, rfm_snapshots
from service.db.tables.segments import segment_members, segments
from service.db.tables.tokens import token_revocations
from service.db.tables.work import (
    changes,
    chosen_customers,
    export_records,
    exports,
    file_parts,
    files,
    idempotency_keys,
    import_rejects,
    imports,
    jobs,
)

__all__ = [
    "abc_classes",
    "abc_snapshots",
    "access_requests",
    "assignments",
    "attribute_definitions",
    "audit",
    "audit_entries",
    "audit_seals",
    "canaries",
    "categories",
    "changes",
    "channel_costs",
    "channels",
    "chosen_customers",
    "consents",
    "contact_details",
    "contact_probes",
    "customer_events",
    "customer_links",
    "customer_redirects",
    "customers",
    "deputies",
    "duplicate_members",
    "duplicate_pairs",
    "erasures",
    "export_approvals",
    "export_links",
    "export_records",
    "exports",
    "external_ids",
    "file_parts",
    "files",
    "idempotency_keys",
    "import_rejects",
    "imports",
    "interactions",
    "jobs",
    "leak_signals",
    "linkage_keys",
    "linkage_models",
    "linkage_progress",
    "linkage_records",
    "merge_images",
    "merges",
    "metadata",
    "never_merge",
    "notes",
    "order_lines",
    "orders",
    "ownerships",
    "products",
    "purchase_totals",
    "quality_findings",
    "quality_fixes",
    "quality_history",
    "quality_places",
    "quality_scans",
    "quality_scores",
    "refund_lines",
    "refunds",
    "reveals",
    "rfm_schemes",
    "rfm_scores",
    "rfm_snapshots",
    "search_tokens",
    "segment_members",
    "segments",
    "staff",
    "staff_activity",
    "team_members",
    "teams",
    "tenants",
    "terms",
    "terms_acceptances",
    "token_revocations",
]
