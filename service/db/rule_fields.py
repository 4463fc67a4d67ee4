"""How SQL reads the fields of the catalogue, of a record `c`; missing is null, and an empty text or list is missing."""

from collections.abc import Mapping

from service.db.depth import DEPTHS, by_record
from service.domain.rules.fields import MEMBER, OWN, FieldSpec
from service.domain.segmentation.xyz_analysis import LETTERS

_PLACES = ("country", "region", "city")
_TEXTS = ("family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form")
_CODES = ("kind", "status", "gender", "language", "time_zone", "postal_code")
_MOMENTS = ("status_at", "created_at", "updated_at", "restricted_at")
_NAMED_DEPTHS = ", ".join(f"'{name}'" for name in DEPTHS)

_READ: Mapping[str, str] = {
    **{name: f"c.{name}_folded" for name in _PLACES},
    **{name: f"folded(c.{name})" for name in _TEXTS},
    **{name: f"nullif(c.{name}, '')" for name in _CODES},
    **{name: f"c.{name}" for name in _MOMENTS},
    "name": "nullif(c.sort_name, '')",
    "birth_date": "CASE WHEN c.birth_year_known THEN c.birth_date END",
    "tags": "c.tags",
    "preferences": "c.preferences",
    "curator": "c.curator_id",
    "team": "c.team_id",
}
# The latest snapshot of the scheme that rules ask for: one new order moves everybody's cuts, and no segment flickers.
LATEST_RFM = """(SELECT x.snapshot_id FROM rfm_snapshots x
    WHERE x.tenant_id = :tenant AND x.in_rules AND NOT x.dropped ORDER BY x.as_of DESC, x.snapshot_id DESC LIMIT 1)"""
LATEST_ABC = "(SELECT max(x.snapshot_id) FROM abc_snapshots x WHERE x.tenant_id = :tenant AND NOT x.dropped)"
_SCORED = f"""rfm_snapshots p JOIN rfm_scores e ON e.tenant_id = p.tenant_id AND e.snapshot_id = p.snapshot_id
    WHERE p.tenant_id = :tenant AND p.snapshot_id = {LATEST_RFM} AND e.customer_id = c.customer_id"""
_CLASSED = (
    f"abc_classes e WHERE e.tenant_id = :tenant AND e.snapshot_id = {LATEST_ABC} AND e.customer_id = c.customer_id"
)
_NAMED_LETTERS = ", ".join(f"'{letter}'" for letter in LETTERS)
# Values that are rows of other tables: FROM and WHERE of a record `c`, and the value. Read as sets, never row by row.
ROWS: Mapping[str, tuple[str, str]] = {
    "external_ids": (
        "customer_external_ids e WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id",
        "e.source",
    ),
    "contacts": (
        "contact_details e WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id"
        " AND e.verdict <> 'invalid'",
        "e.kind",
    ),
    "channel": ("channels e WHERE e.tenant_id = c.tenant_id AND e.channel_id = c.channel_id", "e.code"),
    "depth": (
        f"({by_record()}) e WHERE e.customer_id = c.customer_id",
        f"(ARRAY[{_NAMED_DEPTHS}])[e.depth + 1]",
    ),
    "rfm.r": (_SCORED, "e.r"),
    "rfm.f": (_SCORED, "e.f"),
    "rfm.m": (_SCORED, "e.m"),
    "rfm.group": (_SCORED, "p.groups[e.group_no]"),
    "abc.class": (_CLASSED, "chr(65 + e.class_no)"),
    "abc.xyz": (_CLASSED, f"(ARRAY[{_NAMED_LETTERS}])[e.letter_no + 1]"),
    "quality.score": (
        "quality_scores e WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id",
        "e.score",
    ),
    MEMBER: (
        "segment_members e WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id AND e.left_at IS NULL",
        "e.segment_id",
    ),
}
# The same of the records `:among`, where going through all of them first would be the greater part of the work.
AMONG_ROWS: Mapping[str, tuple[str, str]] = {
    **ROWS,
    "depth": (f"({by_record('= ANY (:among::uuid[])')}) e WHERE e.customer_id = c.customer_id", ROWS["depth"][1]),
}
# Of the few whom another clause lets through.
FEW = "IN (SELECT w.customer_id FROM few w)"
FEW_ROWS: Mapping[str, tuple[str, str]] = {
    **ROWS,
    "depth": (f"({by_record(FEW)}) e WHERE e.customer_id = c.customer_id", ROWS["depth"][1]),
}
# Of an own field what has another type than its definition is missing: it stands there from before.
_DAY = "^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_MONTH = "make_date(left(@, 4)::int, substr(@, 6, 2)::int, 1)"
_IS_DAY = f"right(@, 2)::int <= extract(day FROM {_MONTH} + interval '1 month' - interval '1 day')"
_OWN = {
    "text": "CASE jsonb_typeof(#) WHEN 'string' THEN folded(@) END",
    "number": "CASE jsonb_typeof(#) WHEN 'number' THEN (#)::numeric END",
    "boolean": "CASE jsonb_typeof(#) WHEN 'boolean' THEN (#)::boolean END",
    "date": f"CASE WHEN jsonb_typeof(#) = 'string' AND @ ~ '{_DAY}' THEN CASE WHEN {_IS_DAY} THEN (@)::date END END",
}


def column(spec: FieldSpec, bound_name: str) -> str:
    """The value of a field as it is compared; the name of an own one is bound as the parameter `bound_name`."""
    if not spec.name.startswith(OWN):
        return _READ[spec.name]
    value = _own(bound_name)
    return _OWN[spec.type].replace("(#)", value).replace("@", f"({value} #>> '{{}}')")


def shown(name: str, bound_name: str) -> str:
    """The value of a field as it was written."""
    if name.startswith(OWN):
        return _own(bound_name)
    return f"c.{name}" if name in (*_PLACES, *_TEXTS) else _READ[name].replace("c.sort_name", "c.display_name")


def _own(bound_name: str) -> str:
    return f"(c.attributes -> :{bound_name}::text)"
