"""The statements of a merge and of its undo, all under the role that merges.

Images never leave the database: rows are kept and brought back by statements, as JSON of whole rows.
"""

from service.db.merging_ways import MOVED, columns
from service.db.statement import Statement, sql

_OF_ALL = "t.tenant_id = :tenant AND t.customer_id = ANY (:ids::uuid[])"
_OTHERS = "t.tenant_id = :tenant AND t.customer_id = ANY (:others::uuid[])"
_KEEP = "INSERT INTO merge_images (tenant_id, merge_id, taken, table_name, owner_id, keys, rows)"


def _image(table: str, whose: str, *, taken: str = "before", owner: str = "t.customer_id") -> Statement:
    """Keep the rows of a table, whole; one image for each owner."""
    return sql(f"""
        {_KEEP} SELECT :tenant, :merge_id::uuid, '{taken}', '{table}', {owner}, NULL, jsonb_agg(to_jsonb(t))
        FROM {table} t WHERE {whose} GROUP BY {owner}
    """)


def imaged(table: str, taken: str = "before") -> str:
    """The rows of the images of a table, as rows."""
    return f"""(SELECT i.owner_id, r.* FROM merge_images i, jsonb_populate_recordset(NULL::{table}, i.rows) r
        WHERE i.tenant_id = :tenant AND i.merge_id = :merge_id AND i.taken = '{taken}' AND i.table_name = '{table}')"""


def _restore(table: str, where: str, **instead: str) -> Statement:
    """Insert rows of an image that are not there."""
    names = columns(table)
    values = ", ".join(instead.get(name, f"b.{name}") for name in names)
    return sql(f"""
        INSERT INTO {table} ({", ".join(names)}) SELECT {values} FROM {imaged(table)} b WHERE {where}
        ON CONFLICT DO NOTHING
    """)


# --- Merging -----------------------------------------------------------------------------------------------------

ADD = sql("""
    INSERT INTO merges (tenant_id, merge_id, customer_id, survivor_id, merged_ids, staff_id, request)
    VALUES (:tenant, :merge_id, :survivor_id, :survivor_id, :others, :staff_id, :request)
""")
KEYS = {
    table: sql(f"""
        {_KEEP} SELECT :tenant, :merge_id::uuid, 'before', '{table}', t.customer_id, 
            array_agg(t.{key} ORDER BY t.{key}), NULL
        FROM {table} t WHERE {_OTHERS} AND t.{key} <> :merge_id::uuid GROUP BY t.customer_id
    """)
    for table, key in MOVED.items()
}
MOVE = {table: sql(f"UPDATE {table} t SET customer_id = :survivor_id WHERE {_OTHERS}") for table in MOVED}
_TOUCHED = "t.tenant_id = :tenant AND ({0} = ANY (:others::uuid[]) OR {1} = ANY (:others::uuid[]))"
_LINKS, _MARKS = _TOUCHED.format("t.customer_id", "t.other_id"), _TOUCHED.format("t.first_id", "t.second_id")
_SHARED_SEGMENTS = """t.segment_id IN (SELECT o.segment_id FROM segment_members o
    WHERE o.tenant_id = :tenant AND o.customer_id = ANY (:others::uuid[]))"""
IMAGES = (
    _image("customers", _OF_ALL),
    _image("canaries", _OF_ALL),
    _image("contact_details", _OTHERS),
    _image("customer_external_ids", _OTHERS),
    _image("ownerships", _OTHERS),
    _image("quality_findings", _OTHERS),
    _image("customer_links", _LINKS, owner=":survivor_id::uuid"),
    _image("never_merge", _MARKS, owner=":survivor_id::uuid"),
    _image("segment_members", f"{_OF_ALL} AND {_SHARED_SEGMENTS}"),
)
MOVE_IDS = sql(f"UPDATE customer_external_ids t SET customer_id = :survivor_id WHERE {_OTHERS}")
MOVE_CONTACTS = sql("""
    UPDATE contact_details t SET customer_id = :survivor_id, is_primary = u.is_primary
    FROM unnest(:details::uuid[], :primaries::boolean[]) AS u (detail_id, is_primary)
    WHERE t.tenant_id = :tenant AND t.customer_id = ANY (:others::uuid[]) AND t.detail_id = u.detail_id
""")
# Which contacts have moved: the others were the same as one that is there.
KEEP_MOVED = sql(f"{_KEEP} VALUES (:tenant, :merge_id, 'after', 'contact_details', :survivor_id, :details, NULL)")
DROP_CANARIES = sql(f"DELETE FROM canaries t WHERE {_OF_ALL}")
DROP_LINKS = sql(f"DELETE FROM customer_links t WHERE {_LINKS}")
DROP_MARKS = sql(f"DELETE FROM never_merge t WHERE {_MARKS}")
_NOW = "CASE WHEN b.{0} = ANY (:others::uuid[]) THEN :survivor_id::uuid ELSE b.{0} END"
_FROM, _TO, _ONE, _TWO = (_NOW.format(name) for name in ("customer_id", "other_id", "first_id", "second_id"))
# What the others were linked with the survivor is now, but not with itself; the rows that this adds are kept.
LINK = sql(f"""
    WITH linked AS (
        INSERT INTO customer_links AS t (tenant_id, customer_id, kind, other_id, staff_id, created_at)
        SELECT :tenant, {_FROM}, b.kind, {_TO}, b.staff_id, b.created_at FROM {imaged("customer_links")} b
        WHERE {_FROM} <> {_TO} ORDER BY b.created_at, b.customer_id, b.other_id
        ON CONFLICT DO NOTHING RETURNING to_jsonb(t) AS row
    )
    {_KEEP} SELECT :tenant, :merge_id::uuid, 'after', 'customer_links', :survivor_id::uuid, NULL, jsonb_agg(row)
    FROM linked HAVING count(*) > 0
""")
MARK = sql(f"""
    WITH marked AS (
        INSERT INTO never_merge AS t (tenant_id, first_id, second_id, staff_id, created_at)
        SELECT :tenant, least({_ONE}, {_TWO}), greatest({_ONE}, {_TWO}), b.staff_id, b.created_at
        FROM {imaged("never_merge")} b WHERE {_ONE} <> {_TWO} ORDER BY b.created_at, b.first_id, b.second_id
        ON CONFLICT DO NOTHING RETURNING to_jsonb(t) AS row
    )
    {_KEEP} SELECT :tenant, :merge_id::uuid, 'after', 'never_merge', :survivor_id::uuid, NULL, jsonb_agg(row)
    FROM marked HAVING count(*) > 0
""")
DROP_MEMBERS = sql(f"DELETE FROM segment_members t USING {imaged('segment_members')} b WHERE {_OF_ALL}"
    " AND t.segment_id = b.segment_id")  # fmt: skip
# In a segment while any of them was in it.
JOIN_SEGMENTS = sql(f"""
    WITH joined AS (
        INSERT INTO segment_members AS t (tenant_id, segment_id, customer_id, entered_at, left_at)
        SELECT :tenant, m.segment_id, :survivor_id::uuid, lower(m.span), upper(m.span)
        FROM (SELECT b.segment_id, unnest(range_agg(tstzrange(b.entered_at, b.left_at))) AS span
              FROM {imaged("segment_members")} b GROUP BY b.segment_id) m
        RETURNING to_jsonb(t) AS row
    )
    {_KEEP} SELECT :tenant, :merge_id::uuid, 'after', 'segment_members', :survivor_id::uuid, NULL, jsonb_agg(row)
    FROM joined HAVING count(*) > 0
""")
# A person whose data may not be processed stays so.
RESTRICT = sql(f"""
    UPDATE customers s SET restricted_at = least(s.restricted_at,
        (SELECT min(t.restricted_at) FROM customers t WHERE {_OTHERS}))
    WHERE s.tenant_id = :tenant AND s.customer_id = :survivor_id
""")
DROP = sql(f"DELETE FROM customers t WHERE {_OTHERS}")
LEAD = sql("""
    INSERT INTO customer_redirects (tenant_id, old_id, customer_id, merge_id)
    SELECT :tenant, id, :survivor_id::uuid, :merge_id::uuid FROM unnest(:others::uuid[]) AS id
""")
KEEP_RESULT = sql(f"""
    {_KEEP} SELECT :tenant, :merge_id::uuid, 'after', 'customers', t.customer_id, NULL, jsonb_build_array(to_jsonb(t))
    FROM customers t WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id
""")
OUTCOME = sql("UPDATE merges SET outcome = :outcome WHERE tenant_id = :tenant AND merge_id = :merge_id")

# --- Undoing -----------------------------------------------------------------------------------------------------

BRING_BACK = _restore("customers", "b.owner_id <> :survivor_id", version="b.version + 1", updated_at="now()")
UNLEAD = sql("DELETE FROM customer_redirects WHERE tenant_id = :tenant AND merge_id = :merge_id")
GIVE_BACK = {
    table: sql(f"""
        WITH kept AS (
            SELECT i.owner_id, unnest(i.keys) AS key FROM merge_images i WHERE i.tenant_id = :tenant
                AND i.merge_id = :merge_id AND i.taken = 'before' AND i.table_name = '{table}'
        ), given AS (
            UPDATE {table} t SET customer_id = k.owner_id FROM kept k
            WHERE t.tenant_id = :tenant AND t.{key} = k.key AND t.customer_id = :survivor_id RETURNING 1
        )
        SELECT (SELECT count(*) FROM kept) - (SELECT count(*) FROM given)
    """)
    for table, key in MOVED.items()
}
# What was given back since for an order of another record goes with the order.
FOLLOW_ORDERS = sql("""
    UPDATE refunds t SET customer_id = o.customer_id FROM orders o
    WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id AND o.tenant_id = :tenant
        AND o.order_id = t.order_id AND o.customer_id = ANY (:others::uuid[])
""")
IDS_BACK = sql(f"""
    UPDATE customer_external_ids t SET customer_id = b.owner_id FROM {imaged("customer_external_ids")} b
    WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id AND t.source = b.source
        AND t.external_id = b.external_id
""")
RESTORE_IDS = _restore("customer_external_ids", "true")
LOST_IDS = sql(f"""
    SELECT b.owner_id AS customer_id, b.source, b.external_id FROM {imaged("customer_external_ids")} b
    WHERE NOT EXISTS (SELECT FROM customer_external_ids t WHERE t.tenant_id = :tenant AND t.source = b.source
        AND t.external_id = b.external_id AND t.customer_id = b.owner_id) ORDER BY b.source, b.external_id
""")
# Those that somebody has taken away from the survivor since; they come back with their records.
MISSED_CONTACTS = sql(f"""
    SELECT b.owner_id AS customer_id, b.kind, b.masked AS value FROM {imaged("contact_details")} b
    JOIN merge_images a ON a.tenant_id = :tenant AND a.merge_id = :merge_id AND a.taken = 'after'
        AND a.table_name = 'contact_details' AND b.detail_id = ANY (a.keys)
    WHERE NOT EXISTS (SELECT FROM contact_details t WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id
        AND t.detail_id = b.detail_id) ORDER BY b.kind, b.detail_id
""")
CONTACTS_BACK = sql(f"""
    UPDATE contact_details t SET customer_id = b.owner_id, is_primary = b.is_primary FROM {imaged("contact_details")} b
    WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id AND t.detail_id = b.detail_id
""")
RESTORE_CONTACTS = _restore("contact_details", "true")
# Where a contact that has gone back was made the primary since, the oldest of its kind is.
LEAD_CONTACTS = sql("""
    UPDATE contact_details t SET is_primary = true
    FROM (SELECT DISTINCT ON (d.kind) d.detail_id FROM contact_details d
          WHERE d.tenant_id = :tenant AND d.customer_id = :survivor_id AND NOT EXISTS (
              SELECT FROM contact_details p WHERE p.tenant_id = :tenant AND p.customer_id = :survivor_id
                  AND p.kind = d.kind AND p.is_primary)
          ORDER BY d.kind, d.created_at, d.detail_id) f
    WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id AND t.detail_id = f.detail_id
""")
_BOTH_THERE = """(SELECT count(*) FROM customers c WHERE c.tenant_id = :tenant AND c.customer_id IN ({0}, {1})) = 2"""
_LINK_ENDS = _BOTH_THERE.format("b.customer_id", "b.other_id")
_MARK_ENDS = _BOTH_THERE.format("b.first_id", "b.second_id")
UNLINK = sql(f"""
    DELETE FROM customer_links t USING {imaged("customer_links", "after")} a WHERE t.tenant_id = :tenant
        AND t.customer_id = a.customer_id AND t.kind = a.kind AND t.other_id = a.other_id
""")
UNMARK = sql(f"""
    DELETE FROM never_merge t USING {imaged("never_merge", "after")} a WHERE t.tenant_id = :tenant
        AND t.first_id = a.first_id AND t.second_id = a.second_id
""")
RESTORE_LINKS = _restore("customer_links", _LINK_ENDS)
RESTORE_MARKS = _restore("never_merge", _MARK_ENDS)
LOST_LINKS = sql(f"SELECT count(*) FROM {imaged('customer_links')} b WHERE NOT {_LINK_ENDS}")
RESTORE_CANARIES = _restore("canaries", "true")
RESTORE_OWNERSHIPS = _restore("ownerships", "true")
RESTORE_FINDINGS = _restore("quality_findings", "true")
# Memberships that the merge left open and that were ended since: they stay ended for the survivor.
ENDED = sql(f"""
    SELECT a.segment_id, t.left_at FROM {imaged("segment_members", "after")} a
    JOIN segment_members t ON t.tenant_id = :tenant AND t.segment_id = a.segment_id AND t.customer_id = a.customer_id
        AND t.entered_at = a.entered_at
    WHERE a.left_at IS NULL AND t.left_at IS NOT NULL
""")
LEAVE = sql(f"""
    DELETE FROM segment_members t USING {imaged("segment_members", "after")} a WHERE t.tenant_id = :tenant
        AND t.segment_id = a.segment_id AND t.customer_id = a.customer_id AND t.entered_at = a.entered_at
""")
RESTORE_MEMBERS = _restore(
    "segment_members",
    "EXISTS (SELECT FROM segments s WHERE s.tenant_id = :tenant AND s.segment_id = b.segment_id)",
    left_at="""CASE WHEN b.owner_id = :survivor_id AND b.left_at IS NULL THEN (
        SELECT greatest(e.left_at, b.entered_at + interval '1 microsecond')
        FROM unnest(:ended::uuid[], :ended_at::timestamptz[]) AS e (segment_id, left_at)
        WHERE e.segment_id = b.segment_id) ELSE b.left_at END""",
)
RESTORE_STATE = sql(f"""
    UPDATE customers t SET status_at = CASE WHEN :status_back::boolean THEN b.status_at ELSE t.status_at END,
        restricted_at = CASE WHEN t.restricted_at IS NOT DISTINCT FROM a.restricted_at THEN b.restricted_at
                        ELSE t.restricted_at END
    FROM {imaged("customers")} b, {imaged("customers", "after")} a
    WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id AND b.owner_id = :survivor_id
""")
# What came to the survivor since the merge, and stays there.
STAYED = sql(" UNION ALL ".join(
    f"""SELECT '{table}' AS what, count(*) FROM {table} t
        JOIN merges m ON m.tenant_id = :tenant AND m.merge_id = :merge_id
        WHERE t.tenant_id = :tenant AND t.customer_id = :survivor_id AND t.created_at > m.created_at"""
    for table in ("contact_details", "consents", "interactions", "notes", "orders", "refunds")
))  # fmt: skip
# The others stand for themselves again: what the survivor's history tells of them is that they were merged, no more.
UNTELL = sql("""
    UPDATE customer_events e SET detail = jsonb_build_object('merge_id', e.detail -> 'merge_id', 'customers',
        (SELECT jsonb_agg(one - 'display_name') FROM jsonb_array_elements(e.detail -> 'customers') AS one))
    WHERE e.tenant_id = :tenant AND e.customer_id = :survivor_id AND e.kind = 'merged'
        AND e.detail ->> 'merge_id' = (:merge_id::uuid)::text
""")
FORGET = sql("DELETE FROM merge_images WHERE tenant_id = :tenant AND merge_id = :merge_id")
UNDONE = sql("""
    UPDATE merges SET state = 'undone', undone_at = now(), undone_by = :staff_id,
        outcome = outcome || jsonb_build_object('undone', :report::jsonb)
    WHERE tenant_id = :tenant AND merge_id = :merge_id
""")
