"""`search.*`: a search as the service does it, under the row policies, against the best SQL by hand without any.

A manager with a twentieth of a million people and the head of the whole tenant ask in turn. The mix is published here:
common and rare names, two words, beginnings of words, the Latin spelling of a Cyrillic name, a key of the shop, the
number of an order; then phones and addresses, each by its keyed hash. The reference knows whose portfolio it is and
finds the same rows, cards included. What is timed is the search inside an open transaction, on either side.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from uuid import UUID

import asyncpg

from benchmarks.acting import Acting, acting
from benchmarks.base import SLUG, subject
from benchmarks.databases import Server
from benchmarks.measure import Row, Sides
from benchmarks.search_base import LOOKUP_KEY, email, phone, searched
from service.db.customers import CARD_SQL
from service.db.directory import PgDirectory
from service.db.statement import sql
from service.domain.access import Principal, Scope
from service.domain.customers.search import sought
from service.domain.customers.service import LookupKey

# How often each is asked in one round of the mix.
MIX: Mapping[str, int] = {
    "мария": 2,  # a common given name
    "иванова": 2,  # a common family name
    "ива": 1,  # the beginning of thousands of words
    "бавогуде": 3,  # rare names
    "давогу": 2,  # the beginning of a rare one
    "жанна": 2,
    "бавогуде мария": 2,  # two words, one rare
    "иванова мария": 1,  # two words, both common
    "ivanov": 2,  # Latin for Cyrillic
    "petr": 1,
    "C-4703": 3,  # a key of the shop
    "O-815": 3,  # the number of an order
}
_PHONES = tuple(phone(number) for number in range(3, 1_003, 50))
_EMAILS = tuple(email(number) for number in range(3, 1_003, 50))
_LIMIT = 21
_CARDS = sql(f"{CARD_SQL} WHERE c.tenant_id = :tenant AND c.customer_id = ANY (:ids::uuid[])").text
_OWN = "c.curator_id = $3 AND"
_END = "\U0010ffff"

# The ids that were found, and the seconds that it took.
_MORE = f"""SELECT count(*) > 10000 FROM (SELECT FROM search_tokens
    WHERE tenant_id = $1 AND token >= $2 AND token < $2 || '{_END}' LIMIT 10001) s"""

Ask = Callable[[str], Awaitable[tuple[list[str], float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _By:
    """What one reach asks by: the service, and the SQL by hand."""

    ours: Ask
    reference: Ask


@contextmanager
def _search(server: Server, scale: float, *, what: Literal["name", "contact"]) -> Iterator[Sides]:
    database = searched(server, max(20_000, int(1_000_000 * scale)))
    scopes = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))
    asked = tuple(q for q, times in MIX.items() for _ in range(times)) if what == "name" else (*_PHONES, *_EMAILS)
    with acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*scopes, "reach:tenant")) as head:
        directory = PgDirectory(head.container.pool)
        manager = head.run(directory.by_subject(SLUG, subject("own", 3), (*scopes, "reach:own")))
        sides = [_by(head, principal, what) for principal in (head.principal, manager)]
        head.run(_agree(sides, asked))
        with head.apart_from_servers():
            yield Sides(
                ours=lambda: head.run(_timed([by.ours for by in sides], asked)),
                reference=lambda: head.run(_timed([by.reference for by in sides], asked)),
            )


ROWS = (
    Row(name="search.by_name", goal=0.7, unit="s", opened=partial(_search, what="name")),
    Row(name="search.by_phone", goal=0.7, unit="s", opened=partial(_search, what="contact")),
)


async def _timed(asks: Sequence[Ask], asked: Sequence[str]) -> float:
    """Seconds of the median question."""
    took = [(await ask(q))[1] for ask in asks for q in asked]
    return sorted(took)[len(took) // 2]


async def _agree(sides: Sequence[_By], asked: Sequence[str]) -> None:
    for by in sides:
        for q in dict.fromkeys(asked):
            (ours, _), (reference, _) = await by.ours(q), await by.reference(q)
            if sorted(ours) != sorted(reference):
                raise RuntimeError(f"{q!r}: the sides find differently:\n{ours}\n{reference}")


def _by(head: Acting, principal: Principal, what: str) -> _By:
    own = principal.staff_id if principal.reach == "own" else None
    key = LookupKey(LOOKUP_KEY.encode())
    uow = head.container.services.uow

    async def by_name(q: str) -> tuple[list[str], float]:
        async with uow.begin(principal) as tx:
            started = time.perf_counter()
            found = await tx.search.found({}, sought(q), after=None, limit=_LIMIT)
            cards = await tx.search.cards([place.customer_id for place in found.places], None)
            return _ids(cards), time.perf_counter() - started

    async def by_contact(q: str) -> tuple[list[str], float]:
        async with uow.begin(principal) as tx:
            started = time.perf_counter()
            cards = await tx.search.with_contact(key.of(_kind(q), q), {}, ())
            return _ids(cards), time.perf_counter() - started

    async def name_by_hand(q: str) -> tuple[list[str], float]:
        async with head.onlooker.transaction():
            started = time.perf_counter()
            found = await _name_by_hand(head.onlooker, q, own)
            return found, time.perf_counter() - started

    async def contact_by_hand(q: str) -> tuple[list[str], float]:
        text = f"""{CARD_SQL} JOIN contact_details t ON t.tenant_id = c.tenant_id AND t.customer_id = c.customer_id
            WHERE {_OWN if own else ""} t.tenant_id = $1 AND t.lookup = $2 ORDER BY c.customer_id DESC LIMIT {_LIMIT}"""
        async with head.onlooker.transaction():
            started = time.perf_counter()
            found = await _fetched(head.onlooker, text, key.of(_kind(q), q), own)
            return [str(one) for one in found], time.perf_counter() - started

    if what == "name":
        return _By(ours=by_name, reference=name_by_hand)
    return _By(ours=by_contact, reference=contact_by_hand)


def _kind(q: str) -> str:
    return "email" if "@" in q else "phone"


async def _name_by_hand(connection: asyncpg.Connection, q: str, own: UUID | None) -> list[str]:
    """Three statements that a good hand would write: by key, by whole words, by words that begin so."""
    what, mine = sought(q), _OWN if own else ""
    found: list[UUID] = []
    if what.key is not None:
        keyed = f"""SELECT c.customer_id FROM (SELECT e.customer_id FROM customer_external_ids e
                WHERE e.tenant_id = $1 AND e.external_id = $2
            UNION SELECT o.customer_id FROM orders o WHERE o.tenant_id = $1 AND o.external_id = $2) k
            JOIN customers c ON c.tenant_id = $1 AND c.customer_id = k.customer_id WHERE {mine} true"""
        found += await _fetched(connection, keyed, what.key, own)
    found += [one for one in await _by_words(connection, what.words, own, mine) if one not in found]
    if own is None and len(found) >= _LIMIT and len(what.words) == 1:
        # The answer says whether more than ten thousand records match.
        await connection.fetchval(_MORE, 1, what.words[0])
    return await _cards(connection, found[:_LIMIT])


async def _by_words(
    connection: asyncpg.Connection, words: Sequence[str], own: UUID | None, mine: str
) -> Sequence[UUID]:
    joined = "".join(
        f" JOIN search_tokens t{i} ON t{i}.tenant_id = $1 AND t{i}.customer_id = t0.customer_id AND t{i}.token = $2[{i + 1}]"
        for i in range(1, len(words))
    ).replace("$2[", "($2::text[])[")
    whole = f"""SELECT c.customer_id FROM search_tokens t0{joined}
        JOIN customers c ON c.tenant_id = $1 AND c.customer_id = t0.customer_id
        WHERE {mine} t0.tenant_id = $1 AND t0.token = ($2::text[])[1] ORDER BY t0.customer_id DESC LIMIT {_LIMIT}"""
    found = await _fetched(connection, whole, list(words), own)
    if len(found) >= _LIMIT or max(map(len, words)) < 3:
        return found
    others = "".join(
        f""" AND EXISTS (SELECT FROM search_tokens s WHERE s.tenant_id = $1 AND s.customer_id = c.customer_id
            AND s.token >= ($2::text[])[{i + 1}] AND s.token < ($2::text[])[{i + 1}] || '{_END}')"""
        for i in range(1, len(words))
    )
    begun = f"""SELECT c.customer_id, t0.token FROM search_tokens t0
        JOIN customers c ON c.tenant_id = $1 AND c.customer_id = t0.customer_id
        WHERE {mine} t0.tenant_id = $1 AND t0.token >= ($2::text[])[1] AND t0.token < ($2::text[])[1] || '{_END}'{others}
        ORDER BY t0.token, c.customer_id LIMIT {_LIMIT * 4}"""
    more = await _fetched(connection, begun, list(words), own)
    return list(dict.fromkeys([*found, *more]))[:_LIMIT]


async def _fetched(connection: asyncpg.Connection, text: str, value: Any, own: UUID | None) -> list[UUID]:
    rows = await connection.fetch(text, 1, value, *([own] if own else []))
    return [row["customer_id"] for row in rows]


async def _cards(connection: asyncpg.Connection, ids: Sequence[UUID]) -> list[str]:
    return _ids(await connection.fetch(_CARDS, 1, list(ids))) if ids else []


def _ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(row["customer_id"]) for row in rows]
