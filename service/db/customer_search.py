"""Lists of customers in Postgres: pages, counts, and search by words, keys and exact contacts.

A search finds its candidates in the index of words first, under the row policies, and then asks for their cards. Whole
words come in the order of the index, newest first; of words that only begin so, the first in the alphabet; so a page
stops the scan, however common the word is. Where it matters how common the words are, a search is planned anew.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson

from service.db.customers import CARD_SQL
from service.db.session import ROLE, Session
from service.db.statement import Statement, sql
from service.domain.access import Reach
from service.domain.customers.search import CANDIDATES, Found, Place, Sought, is_prefix

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
    "lookup": (
        "EXISTS (SELECT FROM contact_details d WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id"
        " AND d.lookup = :lookup::bytea)"
    ),
}
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
    where = _where(filters, words)
    if after:
        where.append(later)
    card = CARD_SQL.replace("c.version", "c.sort_name, c.version", 1)
    return sql(_only(fields, f"{card} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :limit"))


@lru_cache(maxsize=512)
def _count(filters: frozenset[str], words: tuple[bool, ...], *, key: bool, estimate: bool) -> Statement:
    where = " AND ".join(_where(filters, words))
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


def _where(filters: frozenset[str], words: tuple[bool, ...]) -> list[str]:
    where = ["c.tenant_id = :tenant", *(FILTERS[name] for name in sorted(filters))]
    return where + [_has("c", _word(i, "s", prefix=prefix)) for i, prefix in enumerate(words)]


def _word(i: int, alias: str, *, prefix: bool) -> str:
    if prefix:
        return f"{alias}.token >= :word{i} AND {alias}.token < :word{i}_end"
    return f"{alias}.token = :word{i}"


def _has(record: str, token: str) -> str:
    return (
        f"EXISTS (SELECT FROM search_tokens s WHERE s.tenant_id = {record}.tenant_id"
        f" AND s.customer_id = {record}.customer_id AND {token})"
    )


@lru_cache(maxsize=256)
def _whole(filters: frozenset[str], words: int, after: bool) -> Statement:
    """Records that have every word whole, newest first: as the index has them."""
    tables = ["search_tokens t0"]
    where = ["t0.tenant_id = :tenant", "t0.token = :word0"]
    for i in range(1, words):
        tables.append(f"search_tokens t{i}")
        where += [f"t{i}.tenant_id = :tenant", f"t{i}.customer_id = t0.customer_id", f"t{i}.token = :word{i}"]
    _narrow(tables, where, filters, "t0")
    if after:
        where.append("t0.customer_id < :after_id::uuid")
    return sql(
        f"SELECT t0.customer_id FROM {', '.join(tables)} WHERE {' AND '.join(where)}"
        " ORDER BY t0.customer_id DESC LIMIT :limit"
    )


@lru_cache(maxsize=256)
def _begun(filters: frozenset[str], after: bool) -> Statement:
    """Records with a word that begins so, none whole: in the order of those words, each record once."""
    tables = ["search_tokens t0"]
    where = ["t0.tenant_id = :tenant", "t0.token > :word0", "t0.token < :word0_end"]
    _narrow(tables, where, filters, "t0")
    where.append("NOT " + _has("t0", "s.token >= :word0 AND s.token < t0.token"))
    if after:
        where.append("(t0.token, t0.customer_id) > (:after_token, :after_id::uuid)")
    return sql(
        f"SELECT t0.token, t0.customer_id FROM {', '.join(tables)} WHERE {' AND '.join(where)}"
        " ORDER BY t0.token, t0.customer_id LIMIT :limit"
    )


@lru_cache(maxsize=256)
def _mixed(filters: frozenset[str], words: tuple[bool, ...], after: bool, driver: int | None) -> Statement:
    """Records that have all the words, not all of them whole: more whole ones first, then newest first.

    Of a whole tenant only the first ten thousand with the word `driver` are looked at; of a portfolio, all.
    """
    places = ["rank < cardinality(:words::text[])"]
    if after:
        places.append("(rank, customer_id) < (:after_rank::int, :after_id::uuid)")
    if driver is None:
        head, cut = "", "found"
        found = f"SELECT c.tenant_id, c.customer_id FROM customers c WHERE {' AND '.join(_where(filters, words))}"
    else:
        cut = "head"
        head = f"""head AS MATERIALIZED (
            SELECT s.tenant_id, s.customer_id FROM search_tokens s
            WHERE s.tenant_id = :tenant AND {_word(driver, "s", prefix=words[driver])}
            ORDER BY s.token, s.customer_id LIMIT {CANDIDATES + 1}
        ), """
        tables = ["head h"]
        where = [_has("h", _word(i, "s", prefix=prefix)) for i, prefix in enumerate(words) if i != driver]
        _narrow(tables, where, filters, "h")
        found = f"SELECT DISTINCT h.tenant_id, h.customer_id FROM {', '.join(tables)} WHERE {' AND '.join(where)}"
    return sql(f"""
        WITH {head}found AS MATERIALIZED ({found} LIMIT {CANDIDATES + 1}), ranked AS (
            SELECT f.customer_id, (SELECT count(*)::int FROM search_tokens s WHERE s.tenant_id = f.tenant_id
                AND s.customer_id = f.customer_id AND s.token = ANY (:words::text[])) AS rank FROM found f
        )
        SELECT customer_id, rank, (SELECT count(*) FROM {cut}) > {CANDIDATES} AS more FROM ranked
        WHERE {" AND ".join(places)} ORDER BY rank DESC, customer_id DESC LIMIT :limit
    """)


@lru_cache(maxsize=64)
def _known(words: tuple[bool, ...]) -> Statement:
    """Whether there is any record within reach for each word: the number of an order is seldom part of a name."""
    # Asked for in the order of the index, so that no plan reads the table to find the first.
    first = "SELECT s.token FROM search_tokens s WHERE s.tenant_id = :tenant AND {} ORDER BY s.token LIMIT 1"
    each = (f"({first.format(_word(i, 's', prefix=prefix))}) IS NOT NULL" for i, prefix in enumerate(words))
    return sql(f"SELECT {' AND '.join(each)}")


def _narrow(tables: list[str], where: list[str], filters: frozenset[str], record: str) -> None:
    if filters:
        tables.append("customers c")
        where += [f"c.customer_id = {record}.customer_id", *_where(filters, ())]


_BY_KEY = """
    SELECT e.customer_id FROM customer_external_ids e WHERE e.tenant_id = :tenant AND e.external_id = :key
    UNION
    SELECT o.customer_id FROM orders o WHERE o.tenant_id = :tenant AND o.external_id = :key
"""
_COMMON = sql(f"""
    SELECT count(*) > {CANDIDATES} FROM (SELECT FROM search_tokens s
        WHERE s.tenant_id = :tenant AND s.token >= :word0 AND s.token < :word0_end LIMIT {CANDIDATES + 1}) s
""")
_MOST_BY_KEY = 20
# A page of hits needs few records, each looked up to see whether it is within reach; with more memory the planner would
# read the whole portfolio first. The plan for any word is such a plan then, so no word needs one of its own.
_RECORD_BY_RECORD = "SET LOCAL work_mem = '64kB'; SET LOCAL plan_cache_mode = force_generic_plan"


@lru_cache(maxsize=64)
def _by_key(filters: frozenset[str]) -> Statement:
    return sql(_keyed(filters))


def _keyed(filters: frozenset[str]) -> str:
    where = " AND ".join(["k.customer_id = c.customer_id", *_where(filters, ())])
    return (
        f"SELECT c.customer_id FROM ({_BY_KEY}) k, customers c WHERE {where}"
        f" ORDER BY c.customer_id DESC LIMIT {_MOST_BY_KEY}"
    )


@lru_cache(maxsize=64)
def _with_contact(filters: frozenset[str], words: tuple[bool, ...], fields: tuple[str, ...] | None) -> Statement:
    found = "SELECT d.customer_id FROM contact_details d WHERE d.tenant_id = :tenant AND d.lookup = :lookup"
    where = [*_where(filters, words), f"c.customer_id IN ({found})"]
    card = f"{CARD_SQL} WHERE {' AND '.join(where)} ORDER BY c.customer_id DESC LIMIT {_MOST_WITH_CONTACT}"
    return sql(_only(fields, card))


_MOST_WITH_CONTACT = 200
_EXISTING = sql("""
    SELECT c.customer_id, c.kind, c.display_name, array_agg(DISTINCT d.lookup) AS lookups
    FROM contact_details d JOIN customers c ON c.tenant_id = d.tenant_id AND c.customer_id = d.customer_id
    WHERE d.tenant_id = :tenant AND d.lookup = ANY (:lookups::bytea[]) AND c.erased_at IS NULL
    GROUP BY c.customer_id, c.kind, c.display_name ORDER BY c.customer_id LIMIT 10
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
    def __init__(self, session: Session) -> None:
        self._session = session

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
        statement = _page(frozenset(filters), _shape(words), sort, after is not None, fields)
        return await self._session.fetch(statement, **filters, **_word_ranges(words), **(after or {}), limit=limit)

    async def count(self, filters: Mapping[str, object], what: Sought, *, estimate: bool = False) -> int:
        """How many records there are within reach; an estimate is what the planner expects."""
        words, key = what.words, what.key is not None and bool(what.words)
        statement = _count(frozenset(filters), _shape(words), key=key, estimate=estimate)
        async with self._session.planned_anew():
            found = await self._session.fetchval(statement, **filters, **_word_ranges(words), key=what.key)
        return int(orjson.loads(found)[0]["Plan"]["Plan Rows"]) if estimate else int(found)

    async def found(self, filters: Mapping[str, object], what: Sought, *, after: Place | None, limit: int) -> Found:
        """Records by relevance: by key, with every word whole, with words that begin so."""
        if self._session.principal.reach is not Reach.TENANT and not filters:
            await self._session.command(_RECORD_BY_RECORD)
        keyed: list[Any] = []
        if what.key is not None:
            rows = await self._session.fetch(_by_key(frozenset(filters)), **filters, key=what.key)
            keyed = [row["customer_id"] for row in rows]
        places, more = await self._by_words(filters, what.words, after, limit + len(keyed))
        if after is None and len(places) >= limit and not more:
            more = await self._common(what.words)
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
        given = {**filters, **_word_ranges(words), "lookup": lookup}
        return await self._session.fetch(_with_contact(frozenset(filters), _shape(words), fields), **given)

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

    async def _by_words(
        self, filters: Mapping[str, object], words: Sequence[str], after: Place | None, limit: int
    ) -> tuple[list[Place], bool]:
        if not words:
            return [], False
        if len(words) == 1:
            return await self._by_word(filters, words, after, limit), False
        # A word that nobody has is the cheapest to tell, and it spares the planning of the others.
        if not filters and not await self._session.fetchval(_known(_shape(words)), **_word_ranges(words)):
            return [], False
        async with self._planned(words, anew=True):
            places = await self._whole_words(filters, words, after, limit)
            if len(places) >= limit or not any(map(is_prefix, words)):
                return places, False
            rest, more = await self._some_begun(filters, words, after, limit - len(places))
        return [*places, *rest], more

    async def _by_word(
        self, filters: Mapping[str, object], words: Sequence[str], after: Place | None, limit: int
    ) -> list[Place]:
        async with self._planned(words, anew=bool(filters)):
            places = await self._whole_words(filters, words, after, limit)
            if len(places) < limit and is_prefix(words[0]):
                places += await self._only_begun(filters, words, after, limit - len(places))
        return places

    async def _only_begun(
        self, filters: Mapping[str, object], words: Sequence[str], after: Place | None, limit: int
    ) -> list[Place]:
        given: dict[str, object] = {**filters, **_word_ranges(words), "limit": limit}
        begun = after is not None and not after.whole
        if begun and after is not None:
            given |= {"after_id": after.customer_id, "after_token": after.token}
        rows = await self._session.fetch(_begun(frozenset(filters), begun), **given)
        return [Place(whole=False, rank=0, token=row["token"], customer_id=str(row["customer_id"])) for row in rows]

    async def _whole_words(
        self, filters: Mapping[str, object], words: Sequence[str], after: Place | None, limit: int
    ) -> list[Place]:
        if after is not None and not after.whole:
            return []
        later = {} if after is None else {"after_id": after.customer_id}
        exact = {f"word{i}": word for i, word in enumerate(words)}
        statement = _whole(frozenset(filters), len(words), bool(later))
        rows = await self._session.fetch(statement, **filters, **exact, **later, limit=limit)
        return [Place(whole=True, rank=0, token="", customer_id=str(row["customer_id"])) for row in rows]

    async def _some_begun(
        self, filters: Mapping[str, object], words: Sequence[str], after: Place | None, limit: int
    ) -> tuple[list[Place], bool]:
        given: dict[str, object] = {**filters, **_word_ranges(words), "limit": limit, "words": list(words)}
        begun = after is not None and not after.whole
        if begun and after is not None:
            given |= {"after_id": after.customer_id, "after_rank": after.rank}
        # The longest word is most often the rarest.
        everything = self._session.principal.reach is Reach.TENANT
        driver = max(range(len(words)), key=lambda i: len(words[i])) if everything else None
        rows = await self._session.fetch(_mixed(frozenset(filters), _shape(words), begun, driver), **given)
        places = [Place(whole=False, rank=row["rank"], token="", customer_id=str(row["customer_id"])) for row in rows]
        return places, bool(rows) and rows[0]["more"]

    @asynccontextmanager
    async def _planned(self, words: Sequence[str], *, anew: bool) -> AsyncIterator[None]:
        """Plan `anew` for these very words, or take the plan for any."""
        if not anew:
            yield
            return
        memory = "'1MB'" if len(words) == 1 else "DEFAULT"
        # Of a base that is small yet the planner would rather read the whole table.
        room = f"SET LOCAL work_mem = {memory}; SET LOCAL enable_seqscan = off"
        await self._session.command(f"SET LOCAL plan_cache_mode = force_custom_plan; {room}")
        yield
        await self._session.command(
            "SET LOCAL plan_cache_mode = auto; SET LOCAL work_mem = DEFAULT; SET LOCAL enable_seqscan = on"
        )

    async def _common(self, words: Sequence[str]) -> bool:
        """Whether the word stands for more records than a search looks at; not asked within less than the tenant."""
        if len(words) != 1 or self._session.principal.reach is not Reach.TENANT:
            return False
        return bool(await self._session.fetchval(_COMMON, **_word_ranges(words)))


def _shape(words: Sequence[str]) -> tuple[bool, ...]:
    return tuple(is_prefix(word) for word in words)


def _word_ranges(words: Sequence[str]) -> dict[str, object]:
    """Each word as a range of keys: everything that begins with it."""
    return dict(
        chain.from_iterable(((f"word{i}", word), (f"word{i}_end", word + "\U0010ffff")) for i, word in enumerate(words))
    )
