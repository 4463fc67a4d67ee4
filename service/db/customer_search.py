"""Lists of customers in Postgres: pages, exact and word search."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from service.db.customers import CARD_SQL
from service.db.session import Session
from service.db.statement import Statement, sql

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
_MAX_WORDS = 6


@lru_cache(maxsize=512)
def _page(filters: frozenset[str], words: int, sort: str, after: bool, counting: bool) -> Statement:
    """The SQL of one shape of list; each shape is written once and then only filled."""
    order, later = _ORDERS[sort]
    where = ["c.tenant_id = :tenant", *(FILTERS[name] for name in sorted(filters))]
    where += [
        "EXISTS (SELECT FROM search_tokens s WHERE s.tenant_id = c.tenant_id AND s.customer_id = c.customer_id"
        f" AND s.token >= :word{i} AND s.token < :word{i}_end)"
        for i in range(words)
    ]
    if counting:
        return sql(f"SELECT count(*) FROM customers c WHERE {' AND '.join(where)}")
    if after:
        where.append(later)
    return sql(
        f"{CARD_SQL.replace('c.version', 'c.sort_name, c.version', 1)} WHERE {' AND '.join(where)}"
        f" ORDER BY {order} LIMIT :limit"
    )


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
    ) -> list[Mapping[str, Any]]:
        """One page in a stable order; each word is the beginning of a word of the name."""
        statement = _page(frozenset(filters), len(words[:_MAX_WORDS]), sort, after is not None, counting=False)
        return await self._session.fetch(statement, **filters, **_word_ranges(words), **(after or {}), limit=limit)

    async def count(self, filters: Mapping[str, object], words: Sequence[str]) -> int:
        statement = _page(frozenset(filters), len(words[:_MAX_WORDS]), "created", after=False, counting=True)
        return int(await self._session.fetchval(statement, **filters, **_word_ranges(words)))


def _word_ranges(words: Sequence[str]) -> dict[str, object]:
    """Each word as a range of keys: everything that begins with it."""
    return dict(
        chain.from_iterable(
            ((f"word{i}", word), (f"word{i}_end", word + "\U0010ffff")) for i, word in enumerate(words[:_MAX_WORDS])
        )
    )
