"""Lists of customers in Postgres: pages, counts, and search by words, keys and exact contacts."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from service.db.customer_filters import conditions, shape, word_ranges
from service.db.customers import CARD_SQL
from service.db.portfolio_sizes import PortfolioSizes
from service.db.session import ROLE, Session
from service.db.statement import Statement, sql
from service.db.word_search import WordSearch
from service.domain.access import Reach
from service.domain.customers.search import Found, Place, Sought

_ORDERS = {
    "-created": ("c.customer_id DESC", "c.customer_id < :after_id::uuid"),
    "created": ("c.customer_id", "c.customer_id > :after_id::uuid"),
    "name": ("c.sort_name, c.customer_id", "(c.sort_name, c.customer_id) > (:after_name::text, :after_id::uuid)"),
    "-name": (
        "c.sort_name DESC, c.customer_id DESC",
        "(c.sort_name, c.customer_id) < (:after_name::text, :after_id::uuid)",
    ),
}


@lru_cache(maxsize=512)
def _page(
    filters: frozenset[str], words: tuple[bool, ...], sort: str, after: bool, fields: tuple[str, ...] | None
) -> Statement:
    """The SQL of one shape of list; each shape is written once and then only filled."""
    order, later = _ORDERS[sort]
    where = conditions(filters, words)
    if after:
        where.append(later)
    card = CARD_SQL.replace("c.version", "c.sort_name, c.version", 1)
    return sql(_only(fields, f"{card} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :limit"))


@lru_cache(maxsize=512)
def _count(filters: frozenset[str], words: tuple[bool, ...], *, key: bool, estimate: bool) -> Statement:
    where = " AND ".join(conditions(filters, words))
    if estimate:
        return sql(f"EXPLAIN (FORMAT JSON) SELECT FROM customers c WHERE {where}")
    if key:
        found = f"SELECT c.customer_id FROM customers c WHERE {where}"
        return sql(f"SELECT count(*) FROM ({found} UNION ({_keyed(filters)})) x")
    return sql(f"SELECT count(*) FROM customers c WHERE {where}")


@lru_cache(maxsize=64)
def _cards(fields: tuple[str, ...] | None) -> Statement:
    return sql(_only(fields, f"{CARD_SQL} WHERE c.tenant_id = :tenant AND c.customer_id = ANY (:ids::uuid[])"))


def _only(fields: tuple[str, ...] | None, card: str) -> str:
    """The card, or those of its fields; the database leaves out what nobody asks for."""
    return card if fields is None else f"SELECT {', '.join(f'x.{name}' for name in fields)} FROM ({card}) x"


_BY_KEY = """
    SELECT e.customer_id FROM customer_external_ids e WHERE e.tenant_id = :tenant AND e.external_id = :key
    UNION
    SELECT o.customer_id FROM orders o WHERE o.tenant_id = :tenant AND o.external_id = :key
"""
_MOST_BY_KEY = 20


@lru_cache(maxsize=64)
def _by_key(filters: frozenset[str]) -> Statement:
    return sql(_keyed(filters))


def _keyed(filters: frozenset[str]) -> str:
    where = " AND ".join(["k.customer_id = c.customer_id", *conditions(filters, ())])
    return (
        f"SELECT c.customer_id FROM ({_BY_KEY}) k, customers c WHERE {where}"
        f" ORDER BY c.customer_id DESC LIMIT {_MOST_BY_KEY}"
    )


@lru_cache(maxsize=64)
def _with_contact(filters: frozenset[str], words: tuple[bool, ...], fields: tuple[str, ...] | None) -> Statement:
    found = "SELECT d.customer_id FROM contact_details d WHERE d.tenant_id = :tenant AND d.lookup = :lookup"
    # As an array: a join would gather the few ids in a hash table first, which takes as long as the card.
    where = [*conditions(filters, words), f"c.customer_id = ANY (ARRAY({found}))"]
    card = f"{CARD_SQL} WHERE {' AND '.join(where)} ORDER BY c.customer_id DESC LIMIT {_MOST_WITH_CONTACT}"
    return sql(_only(fields, card))


_MOST_WITH_CONTACT = 200
_EXISTING = sql("""
    SELECT c.customer_id, c.kind, c.display_name, array_agg(DISTINCT d.lookup) AS lookups
    FROM contact_details d JOIN customers c ON c.tenant_id = d.tenant_id AND c.customer_id = d.customer_id
    WHERE d.tenant_id = :tenant AND d.lookup = ANY (:lookups::bytea[]) AND c.erased_at IS NULL
    GROUP BY c.customer_id, c.kind, c.display_name ORDER BY c.customer_id LIMIT 10
""")
# Rising, so that two records with the same contacts can't wait for each other crosswise.
_HOLD = sql("""
    SELECT pg_advisory_xact_lock(hashtextextended('contact ' || :tenant::int::text || ' ' || u.lookup, 0))
    FROM (SELECT DISTINCT encode(l, 'hex') AS lookup FROM unnest(:lookups::bytea[]) AS l ORDER BY 1) AS u
""")
_WITHIN_REACH = sql("SELECT customer_id FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
_POLICIES = sql("SELECT policies FROM tenants WHERE tenant_id = :tenant")
_PROBES_USED = sql("""
    SELECT used FROM contact_probes
    WHERE tenant_id = :tenant AND staff_id = :staff_id AND hour = date_trunc('hour', now())
""")
_USE_PROBE = sql("""
    INSERT INTO contact_probes AS p (tenant_id, staff_id, hour, used)
    VALUES (:tenant, :staff_id, date_trunc('hour', now()), 1)
    ON CONFLICT (tenant_id, staff_id, hour) DO UPDATE SET used = p.used + 1 WHERE p.used < :limit
    RETURNING used
""")


class PgCustomerSearch:
    def __init__(self, session: Session, sizes: PortfolioSizes) -> None:
        self._session = session
        self._sizes = sizes

    async def page(
        self,
        filters: Mapping[str, object],
        words: Sequence[str],
        *,
        sort: str,
        after: Mapping[str, object] | None,
        limit: int,
        fields: tuple[str, ...] | None = None,
    ) -> list[Mapping[str, Any]]:
        """One page in a stable order; each word is the beginning of a word of the name."""
        statement = _page(frozenset(filters), shape(words), sort, after is not None, fields)
        return await self._session.fetch(statement, **filters, **word_ranges(words), **(after or {}), limit=limit)

    async def count(self, filters: Mapping[str, object], what: Sought, *, estimate: bool = False) -> int:
        """How many records there are within reach; an estimate is what the planner expects."""
        words, key = what.words, what.key is not None and bool(what.words)
        statement = _count(frozenset(filters), shape(words), key=key, estimate=estimate)
        async with self._session.planned_anew():
            found = await self._session.fetchval(statement, **filters, **word_ranges(words), key=what.key)
        return int(orjson.loads(found)[0]["Plan"]["Plan Rows"]) if estimate else int(found)

    async def found(self, filters: Mapping[str, object], what: Sought, *, after: Place | None, limit: int) -> Found:
        """Records by relevance: by key, with every word whole, with words that begin so."""
        words = WordSearch(self._session, filters, few=await self._sizes.are_few(self._session))
        await words.prepare()
        keyed: list[Any] = []
        if what.key is not None:
            rows = await self._session.fetch(_by_key(frozenset(filters)), **filters, key=what.key)
            keyed = [row["customer_id"] for row in rows]
        places, more = await words.places(what.words, after, limit + len(keyed))
        first = [Place(whole=True, rank=0, token="", customer_id=str(one)) for one in keyed] if after is None else []
        known = {str(one) for one in keyed}
        return Found(places=[*first, *(one for one in places if one.customer_id not in known)][:limit], more=more)

    async def cards(self, ids: Sequence[str], fields: tuple[str, ...] | None) -> list[Mapping[str, Any]]:
        """The cards of these records, in this order."""
        rows = await self._session.fetch(_cards(fields), ids=list(ids)) if ids else []
        by_id = {row["customer_id"]: row for row in rows}
        return [by_id[one] for one in ids if one in by_id]

    async def with_contact(
        self,
        lookup: bytes,
        filters: Mapping[str, object],
        words: Sequence[str],
        fields: tuple[str, ...] | None = None,
    ) -> list[Mapping[str, Any]]:
        """The cards of the records within reach that have a contact of this keyed hash, newest first."""
        given = {**filters, **word_ranges(words), "lookup": lookup}
        return await self._session.fetch(_with_contact(frozenset(filters), shape(words), fields), **given)

    async def hold(self, lookups: Sequence[bytes]) -> None:
        """Let nobody else who asks for it give a record one of these contacts until this transaction ends."""
        await self._session.execute(_HOLD, lookups=list(lookups))

    async def existing(self, lookups: Sequence[bytes]) -> list[Mapping[str, Any]]:
        """Records anywhere in the tenant that have one of these keyed hashes: the one look beyond the reach."""
        async with self._session.as_role(ROLE[Reach.TENANT]):
            rows = await self._session.fetch(_EXISTING, lookups=list(lookups))
        if not rows:
            return []
        ids = [row["customer_id"] for row in rows]
        seen = {row["customer_id"] for row in await self._session.fetch(_WITHIN_REACH, ids=ids)}
        return [{**row, "within_reach": row["customer_id"] in seen} for row in rows]

    async def policies(self) -> Mapping[str, Any]:
        """What the tenant has decided for itself."""
        policies: Mapping[str, Any] = await self._session.fetchval(_POLICIES)
        return policies

    async def probes_used(self) -> int:
        """The caller's exact look-ups within this hour."""
        return int(await self._session.fetchval(_PROBES_USED, staff_id=self._session.principal.staff_id) or 0)

    async def use_probe(self, limit: int) -> bool:
        """Count one exact look-up; False when the hour's limit is reached."""
        if limit < 1:
            return False
        staff_id = self._session.principal.staff_id
        return await self._session.fetchval(_USE_PROBE, staff_id=staff_id, limit=limit) is not None
