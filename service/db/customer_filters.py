"""What a list of customers can be narrowed by: fields of the record, and words of its name."""

from collections.abc import Mapping, Sequence
from itertools import chain

from service.domain.customers.search import is_prefix

# An own field is asked for as `name:value`; a number is compared as such, however it is written.
_OWN = "(c.attributes -> split_part(:attribute, ':', 1))"
_WANTED = "substr(:attribute, strpos(:attribute, ':') + 1)"
_EQUAL_NUMBER = f"""CASE WHEN {_WANTED} ~ '^-?[0-9]{{1,30}}([.][0-9]{{1,30}})?$'
    THEN {_OWN}::numeric = ({_WANTED})::numeric ELSE false END"""
FILTERS: Mapping[str, str] = {
    "status": "c.status = :status",
    "kind": "c.kind = :kind",
    "curator_id": "c.curator_id = :curator_id::uuid",
    "team_id": "c.team_id = :team_id::uuid",
    "city": "c.city = :city",
    "region": "c.region = :region",
    "channel": (
        "c.channel_id = (SELECT h.channel_id FROM channels h WHERE h.tenant_id = :tenant AND h.code = :channel)"
    ),
    "tag": ":tag = ANY (c.tags)",
    "attribute": f"CASE jsonb_typeof({_OWN}) WHEN 'number' THEN {_EQUAL_NUMBER} ELSE {_OWN} #>> '{{}}' = {_WANTED} END",
    "segment_id": (
        "EXISTS (SELECT FROM segment_members g WHERE g.tenant_id = c.tenant_id AND g.customer_id = c.customer_id"
        " AND g.segment_id = :segment_id::uuid AND g.left_at IS NULL)"
    ),
    "lookup": (
        "EXISTS (SELECT FROM contact_details d WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id"
        " AND d.lookup = :lookup::bytea)"
    ),
}


def conditions(filters: frozenset[str], words: tuple[bool, ...]) -> list[str]:
    where = ["c.tenant_id = :tenant", *(FILTERS[name] for name in sorted(filters))]
    return where + [has("c", word(i, "s", prefix=prefix)) for i, prefix in enumerate(words)]


def word(i: int, alias: str, *, prefix: bool) -> str:
    if prefix:
        return f"{alias}.token >= :word{i} AND {alias}.token < :word{i}_end"
    return f"{alias}.token = :word{i}"


def has(record: str, token: str) -> str:
    return (
        f"EXISTS (SELECT FROM search_tokens s WHERE s.tenant_id = {record}.tenant_id"
        f" AND s.customer_id = {record}.customer_id AND {token})"
    )


def shape(words: Sequence[str]) -> tuple[bool, ...]:
    return tuple(is_prefix(word) for word in words)


def word_ranges(words: Sequence[str]) -> dict[str, object]:
    """Each word as a range of keys: everything that begins with it."""
    return dict(
        chain.from_iterable(((f"word{i}", word), (f"word{i}_end", word + "\U0010ffff")) for i, word in enumerate(words))
    )
