"""Records by the words of their names.

Among many, candidates come from the index of words, under the row policies: whole words in the order of the index,
newest first; of words that only begin so, the first in the alphabet; so a page stops the scan, however common the word
is. Where it matters how common the words are, a search is planned anew. Among few, each record is asked for the words.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache

from service.db.customer_filters import conditions, has, shape, word, word_ranges
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.access import Reach
from service.domain.customers.search import CANDIDATES, Place, is_prefix

_COMMON = sql(f"""
    SELECT count(*) > {CANDIDATES} FROM (SELECT FROM search_tokens s
        WHERE s.tenant_id = :tenant AND s.token >= :word0 AND s.token < :word0_end
        ORDER BY s.token LIMIT {CANDIDATES + 1}) s
""")
# A page of hits needs few records, each looked up to see whether it is within reach; with more memory the planner would
# read the whole portfolio first. The plan for any word is such a plan then, so no word needs one of its own.
_RECORD_BY_RECORD = "SET LOCAL work_mem = '64kB'; SET LOCAL plan_cache_mode = force_generic_plan"
_OF_FEW = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off"


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
    where.append("NOT " + has("t0", "s.token >= :word0 AND s.token < t0.token"))
    if after:
        where.append("(t0.token, t0.customer_id) > (:after_token, :after_id::uuid)")
    return sql(
        f"SELECT t0.token, t0.customer_id FROM {', '.join(tables)} WHERE {' AND '.join(where)}"
        " ORDER BY t0.token, t0.customer_id LIMIT :limit"
    )


@lru_cache(maxsize=256)
def _mixed(filters: frozenset[str], words: tuple[bool, ...], after: bool, driver: int | None, few: bool) -> Statement:
    """Records that have all the words, not all of them whole: more whole ones first, then newest first.

    Of a whole tenant only the first ten thousand with the word `driver` are looked at; of a portfolio, all.
    """
    places = ["rank < cardinality(:words::text[])"]
    if after:
        places.append("(rank, customer_id) < (:after_rank::int, :after_id::uuid)")
    if driver is None:
        (head, found), cut = _of_portfolio(filters, words, few), "found"
    else:
        (head, found), cut = _driven(filters, words, driver), "head"
    return sql(f"""
        WITH {head}found AS MATERIALIZED ({found} LIMIT {CANDIDATES + 1}), ranked AS (
            SELECT f.customer_id, (SELECT count(*)::int FROM search_tokens s WHERE s.tenant_id = :tenant
                AND s.customer_id = f.customer_id AND s.token = ANY (:words::text[])) AS rank FROM found f
        )
        SELECT customer_id, rank, (SELECT count(*) FROM {cut}) > {CANDIDATES} AS more FROM ranked
        WHERE {" AND ".join(places)} ORDER BY rank DESC, customer_id DESC LIMIT :limit
    """)


def _driven(filters: frozenset[str], words: tuple[bool, ...], driver: int) -> tuple[str, str]:
    head = f"""head AS MATERIALIZED (
        SELECT s.tenant_id, s.customer_id FROM search_tokens s
        WHERE s.tenant_id = :tenant AND {word(driver, "s", prefix=words[driver])}
        ORDER BY s.token, s.customer_id LIMIT {CANDIDATES + 1}
    ), """
    tables = ["head h"]
    where = [has("h", word(i, "s", prefix=prefix)) for i, prefix in enumerate(words) if i != driver]
    _narrow(tables, where, filters, "h")
    return head, f"SELECT DISTINCT h.customer_id FROM {', '.join(tables)} WHERE {' AND '.join(where)}"


def _of_portfolio(filters: frozenset[str], words: tuple[bool, ...], few: bool) -> tuple[str, str]:
    if not few:
        return "", f"SELECT c.customer_id FROM customers c WHERE {' AND '.join(conditions(filters, words))}"
    each = (_has_one_by_one(word(i, "s", prefix=prefix)) for i, prefix in enumerate(words))
    return f"{_mine(filters)}, ", f"SELECT m.customer_id FROM mine m WHERE {' AND '.join(each)}"


def _mine(filters: frozenset[str]) -> str:
    """The few records within reach; apart, since a page of them would be looked for all over the table."""
    records = f"SELECT c.customer_id FROM customers c WHERE {' AND '.join(conditions(filters, ()))}"
    return f"mine AS MATERIALIZED ({records})"


def _has_one_by_one(token: str) -> str:
    return (
        "EXISTS (SELECT FROM search_tokens s WHERE s.tenant_id = :tenant"
        f" AND s.customer_id = m.customer_id AND {token} OFFSET 0)"
    )


@lru_cache(maxsize=256)
def _whole_of_few(filters: frozenset[str], words: int, after: bool) -> Statement:
    """What `_whole` finds, in its order."""
    where = [_has_one_by_one(f"s.token = :word{i}") for i in range(words)]
    if after:
        where.append("m.customer_id < :after_id::uuid")
    return sql(
        f"WITH {_mine(filters)} SELECT m.customer_id FROM mine m WHERE {' AND '.join(where)}"
        " ORDER BY m.customer_id DESC LIMIT :limit"
    )


@lru_cache(maxsize=256)
def _begun_of_few(filters: frozenset[str], after: bool) -> Statement:
    """What `_begun` finds, in its order."""
    later = " AND (t.token, m.customer_id) > (:after_token, :after_id::uuid)" if after else ""
    return sql(f"""
        WITH {_mine(filters)} SELECT t.token, m.customer_id FROM mine m CROSS JOIN LATERAL (
            SELECT s.token FROM search_tokens s
            WHERE s.tenant_id = :tenant AND s.customer_id = m.customer_id AND {word(0, "s", prefix=True)}
            ORDER BY s.token LIMIT 1
        ) t
        WHERE t.token > :word0{later} ORDER BY t.token, m.customer_id LIMIT :limit
    """)


@lru_cache(maxsize=64)
def _known(words: tuple[bool, ...]) -> Statement:
    """Whether there is any record within reach for each word: the number of an order is seldom part of a name."""
    # Asked for in the order of the index, so that no plan reads the table to find the first.
    first = "SELECT s.token FROM search_tokens s WHERE s.tenant_id = :tenant AND {} ORDER BY s.token LIMIT 1"
    each = (f"({first.format(word(i, 's', prefix=prefix))}) IS NOT NULL" for i, prefix in enumerate(words))
    return sql(f"SELECT {' AND '.join(each)}")


def _narrow(tables: list[str], where: list[str], filters: frozenset[str], record: str) -> None:
    if filters:
        tables.append("customers c")
        where += [f"c.customer_id = {record}.customer_id", *conditions(filters, ())]


class WordSearch:
    """One search by words; `few` = the caller's portfolio is small, so that each of its records can be asked."""

    def __init__(self, session: Session, filters: Mapping[str, object], *, few: bool) -> None:
        self._session = session
        self._filters = filters
        self._shape = frozenset(filters)
        self._few = few
        self._everything = session.principal.reach is Reach.TENANT

    async def prepare(self) -> None:
        """How the statements of the search are planned, those by key too."""
        if self._few:
            await self._session.command(_OF_FEW)
        elif not self._everything and not self._filters:
            await self._session.command(_RECORD_BY_RECORD)

    async def places(self, words: Sequence[str], after: Place | None, limit: int) -> tuple[list[Place], bool]:
        """The records with these words, and whether there are more than were looked at."""
        if not words:
            return [], False
        if len(words) > 1:
            return await self._with_all(words, after, limit)
        async with self._planned(words, anew=bool(self._filters)):
            places = await self._whole_words(words, after, limit)
            if len(places) < limit and is_prefix(words[0]):
                places += await self._only_begun(words, after, limit - len(places))
        return places, after is None and len(places) >= limit and await self._common(words)

    async def _with_all(self, words: Sequence[str], after: Place | None, limit: int) -> tuple[list[Place], bool]:
        # A word that nobody has is the cheapest to tell, and it spares the planning of the others.
        asked = not self._few and not self._filters
        if asked and not await self._session.fetchval(_known(shape(words)), **word_ranges(words)):
            return [], False
        async with self._planned(words, anew=True):
            places = await self._whole_words(words, after, limit)
            if len(places) >= limit or not any(map(is_prefix, words)):
                return places, False
            rest, more = await self._some_begun(words, after, limit - len(places))
        return [*places, *rest], more

    async def _whole_words(self, words: Sequence[str], after: Place | None, limit: int) -> list[Place]:
        if after is not None and not after.whole:
            return []
        later = {} if after is None else {"after_id": after.customer_id}
        exact = {f"word{i}": word for i, word in enumerate(words)}
        statement = (_whole_of_few if self._few else _whole)(self._shape, len(words), bool(later))
        rows = await self._session.fetch(statement, **self._filters, **exact, **later, limit=limit)
        return [Place(whole=True, rank=0, token="", customer_id=str(row["customer_id"])) for row in rows]

    async def _only_begun(self, words: Sequence[str], after: Place | None, limit: int) -> list[Place]:
        given: dict[str, object] = {**self._filters, **word_ranges(words), "limit": limit}
        begun = after is not None and not after.whole
        if begun and after is not None:
            given |= {"after_id": after.customer_id, "after_token": after.token}
        rows = await self._session.fetch((_begun_of_few if self._few else _begun)(self._shape, begun), **given)
        return [Place(whole=False, rank=0, token=row["token"], customer_id=str(row["customer_id"])) for row in rows]

    async def _some_begun(self, words: Sequence[str], after: Place | None, limit: int) -> tuple[list[Place], bool]:
        given: dict[str, object] = {**self._filters, **word_ranges(words), "limit": limit, "words": list(words)}
        begun = after is not None and not after.whole
        if begun and after is not None:
            given |= {"after_id": after.customer_id, "after_rank": after.rank}
        # The longest word is most often the rarest.
        driver = max(range(len(words)), key=lambda i: len(words[i])) if self._everything else None
        rows = await self._session.fetch(_mixed(self._shape, shape(words), begun, driver, self._few), **given)
        places = [Place(whole=False, rank=row["rank"], token="", customer_id=str(row["customer_id"])) for row in rows]
        return places, bool(rows) and rows[0]["more"]

    @asynccontextmanager
    async def _planned(self, words: Sequence[str], *, anew: bool) -> AsyncIterator[None]:
        """Plan `anew` for these very words, or take the plan for any; few records have one plan for all words."""
        if self._few or not anew:
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
        return self._everything and bool(await self._session.fetchval(_COMMON, **word_ranges(words)))
