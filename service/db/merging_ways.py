"""How each table goes along when records become one. A test walks the live catalogue: no table may be missing here.

Rows that stand for themselves (a note, an order) change their owner, and their keys are kept. Rows that two records may
both have (a contact, a link, a membership) are kept whole, as an image, and made one of. What is computed
from all this is made anew. What tells of the past stays where it was, under the id that the record had then.
"""

from collections.abc import Mapping

from service.db.tables import metadata

# By their keys: rows that only change their owner. Merges and redirects of an earlier time go along like notes.
MOVED: Mapping[str, str] = {
    "access_requests": "request_id",
    "consents": "consent_id",
    "customer_events": "event_id",
    "customer_redirects": "old_id",
    "interactions": "interaction_id",
    "merges": "merge_id",
    "notes": "note_id",
    "orders": "order_id",
    "quality_fixes": "fix_id",
    "refunds": "refund_id",
}
# Kept as they are, row by row, and brought back by an undo: how they become one stands in service/db/merging.py. Who
# answered for the others is no history of the survivor, so `ownerships` only come back.
IMAGED = (
    "customers",
    "canaries",
    "contact_details",
    "customer_external_ids",
    "customer_links",
    "never_merge",
    "ownerships",
    "quality_findings",
    "segment_members",
)
# Computed from the rest, at once or when the change is noticed.
MADE_ANEW = (
    "duplicate_members",
    "duplicate_pairs",
    "linkage_keys",
    "linkage_records",
    "purchase_totals",
    "quality_scores",
    "search_tokens",
)
# What was known or done at a time, by the ids of that time.
STAYING: Mapping[str, str] = {
    "abc_classes": "a snapshot tells what was known then",
    "audit_entries": "the trail is sealed",
    "changes": "who reads them has read them",
    "chosen_customers": "filled and read in one transaction",
    "erasures": "an erased record is never merged",
    "reveals": "who has looked at what, and what of his budget is used",
    "rfm_scores": "a snapshot tells what was known then",
}


def columns(table: str) -> tuple[str, ...]:
    """The columns that can be written: the database makes the others of them."""
    return tuple(column.name for column in metadata.tables[table].columns if column.computed is None)
