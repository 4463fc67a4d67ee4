"""Canaries in Postgres: written as the caller, beside the records whose shape they take; known to one role alone.

What a record has besides names, contacts and numbers is copied by the database, columns that come later too.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.leaks import WATCH
from service.db.session import REVEAL, Session
from service.db.statement import sql
from service.db.tables import customers
from service.domain.customers.contacts import ContactKind, assess
from service.domain.customers.names import display_name, fold, search_tokens
from service.domain.leaks.planting import Portfolio, Seed, SeedContact, Seedling, sibling

Lookup = Callable[[str, str], bytes]
_CHANCE = random.SystemRandom()
_NAMES = ("family_name", "given_name", "patronymic", "legal_name", "trade_name")
_OWN = ("customer_id", *_NAMES, "display_name", "sort_name", "birth_date", "birth_year_known", "attributes")
_COPIED = tuple(
    column.name
    for column in customers.columns
    if column.computed is None and column.name not in (*_OWN, "tenant_id", "status")
)
_PORTFOLIOS = sql("""
    SELECT curator_id, count(*) AS records FROM customers
    WHERE tenant_id = :tenant AND curator_id IS NOT NULL AND (:curator_id::uuid IS NULL OR curator_id = :curator_id)
    GROUP BY curator_id ORDER BY curator_id
""")
_KNOWN = sql("""
    SELECT c.curator_id, k.customer_id FROM canaries k
    JOIN customers c ON c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id WHERE k.tenant_id = :tenant
""")
_SEEDS = sql(f"""
    SELECT c.customer_id, c.kind, {", ".join("c." + name for name in _NAMES)}, c.gender, c.country, c.birth_date,
        c.birth_year_known, c.attributes, t.bought,
        ARRAY(SELECT ARRAY[e.source, e.external_id] FROM customer_external_ids e
              WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id) AS external_ids
    FROM customers c, LATERAL (
        SELECT EXISTS (SELECT FROM orders o WHERE o.tenant_id = c.tenant_id AND o.customer_id = c.customer_id) AS bought
    ) t
    WHERE c.tenant_id = :tenant AND c.curator_id = :curator_id AND c.erased_at IS NULL AND c.restricted_at IS NULL
        AND NOT c.customer_id = ANY (:known::uuid[])
    ORDER BY t.bought, random() LIMIT :limit
""")
_CONTACTS = sql("""
    SELECT customer_id, detail_id, kind, value FROM contact_details
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
""")
_PLANT = sql(f"""
    INSERT INTO customers (tenant_id, {", ".join(_OWN)}, status, {", ".join(_COPIED)})
    SELECT :tenant, {", ".join("u." + name for name in _OWN)},
        CASE WHEN u.prospect THEN 'prospect' ELSE c.status END, {", ".join("c." + name for name in _COPIED)}
    FROM jsonb_to_recordset(:made::jsonb) AS u (
        like_id uuid, customer_id uuid, {", ".join(name + " text" for name in _NAMES)}, display_name text,
        sort_name text, birth_date date, birth_year_known boolean, attributes jsonb, prospect boolean)
    JOIN customers c ON c.tenant_id = :tenant AND c.customer_id = u.like_id
""")
_NUMBERS = sql("""
    INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id)
    SELECT :tenant, u.source, u.external_id, u.customer_id
    FROM unnest(:sources::text[], :external_ids::text[], :ids::uuid[]) AS u (source, external_id, customer_id)
    ON CONFLICT DO NOTHING RETURNING customer_id
""")
_UPROOT = sql("DELETE FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
_DETAILS = sql("""
    INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, label, is_primary, value, normal, masked,
        lookup, verdict, source, author_id, verified_at, created_at)
    SELECT :tenant, u.customer_id, u.detail_id, d.kind, d.label, d.is_primary, u.value, u.normal, u.masked,
        decode(u.lookup, 'hex'), u.verdict, d.source, d.author_id, d.verified_at, d.created_at
    FROM jsonb_to_recordset(:made::jsonb) AS u (
        customer_id uuid, detail_id uuid, like_id uuid, like_detail uuid, value text, normal text, masked text,
        lookup text, verdict text)
    JOIN contact_details d ON d.tenant_id = :tenant AND d.customer_id = u.like_id AND d.detail_id = u.like_detail
""")
_TOKENS = sql("""
    INSERT INTO search_tokens (tenant_id, token, customer_id)
    SELECT :tenant, u.token, u.customer_id FROM unnest(:tokens::text[], :ids::uuid[]) AS u (token, customer_id)
""")
# Of the history that a record begins with; what befell the other one later tells of him, and one that was merged has
# several beginnings.
_EVENTS = sql("""
    INSERT INTO customer_events (tenant_id, customer_id, event_id, at, kind, staff_id, source, detail)
    SELECT :tenant, u.customer_id, u.event_id, e.at, e.kind, e.staff_id, e.source, e.detail
    FROM unnest(:ids::uuid[], :event_ids::uuid[], :like_ids::uuid[]) AS u (customer_id, event_id, like_id)
    CROSS JOIN LATERAL (SELECT * FROM customer_events c WHERE c.tenant_id = :tenant AND c.customer_id = u.like_id
        AND c.kind = 'created' ORDER BY c.at, c.event_id LIMIT 1) e
""")
_REGISTER = sql("""
    INSERT INTO canaries (tenant_id, customer_id, curator_id, planted_by)
    SELECT :tenant, id, :curator_id::uuid, :planted_by::uuid FROM unnest(:ids::uuid[]) AS id
""")
_PAGE = sql("""
    SELECT k.customer_id, c.curator_id, k.planted_by, k.planted_at
    FROM canaries k JOIN customers c ON c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id
    WHERE k.tenant_id = :tenant AND (:after::uuid IS NULL OR k.customer_id > :after)
    ORDER BY k.customer_id LIMIT :limit
""")
_COUNT = sql("SELECT count(*) FROM canaries WHERE tenant_id = :tenant")


class PgCanaries:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def portfolios(self, curator_id: UUID | None) -> list[Portfolio]:
        rows = await self._session.fetch(_PORTFOLIOS, curator_id=curator_id)
        known = [row["curator_id"] for row in await self._known()]
        return [
            Portfolio(curator_id=row["curator_id"], records=row["records"], canaries=known.count(row["curator_id"]))
            for row in rows
        ]

    async def seeds(self, portfolio: Portfolio, limit: int) -> list[Seed]:
        known = [row["customer_id"] for row in await self._known()]
        rows = await self._session.fetch(_SEEDS, curator_id=portfolio.curator_id, known=known, limit=limit)
        contacts: dict[UUID, list[SeedContact]] = {row["customer_id"]: [] for row in rows}
        async with self._session.as_role(REVEAL):
            for one in await self._session.fetch(_CONTACTS, ids=list(contacts)):
                contacts[one["customer_id"]].append(_contact(one))
        return [_seed(row, contacts[row["customer_id"]]) for row in rows]

    async def plant(self, portfolio: Portfolio, seedlings: Sequence[Seedling], lookup: Lookup) -> list[UUID]:
        await self._session.execute(_PLANT, made=[_columns(one) for one in seedlings])
        rooted = await self._numbered(seedlings)
        ids = [one.customer_id for one in rooted]
        await self._session.execute(_DETAILS, made=[row for one in rooted for row in _details(one, lookup)])
        pairs = [(token, one.customer_id) for one in rooted for token in _tokens(one)]
        await self._session.execute(_TOKENS, tokens=[token for token, _ in pairs], ids=[key for _, key in pairs])
        await self._session.execute(
            _EVENTS, ids=ids, event_ids=[sibling(one, _CHANCE) for one in ids], like_ids=[one.like for one in rooted]
        )
        async with self._session.as_role(WATCH):
            planted_by = self._session.principal.staff_id
            await self._session.execute(_REGISTER, curator_id=portfolio.curator_id, planted_by=planted_by, ids=ids)
        return ids

    async def page(self, after: UUID | None, limit: int) -> list[Mapping[str, Any]]:
        async with self._session.as_role(WATCH):
            return [dict(row) for row in await self._session.fetch(_PAGE, after=after, limit=limit)]

    async def ids(self) -> list[UUID]:
        return [row["customer_id"] for row in await self._known()]

    async def count(self) -> int:
        async with self._session.as_role(WATCH):
            return int(await self._session.fetchval(_COUNT))

    async def _known(self) -> list[Any]:
        async with self._session.as_role(WATCH):
            return await self._session.fetch(_KNOWN)

    async def _numbered(self, seedlings: Sequence[Seedling]) -> list[Seedling]:
        """Those whose numbers in other systems are free; the others are taken out again."""
        named = [(source, number, one.customer_id) for one in seedlings for source, number in one.external_ids]
        won = await self._session.fetch(
            _NUMBERS,
            sources=[source for source, _, _ in named],
            external_ids=[number for _, number, _ in named],
            ids=[key for _, _, key in named],
        )
        got = [row["customer_id"] for row in won]
        rooted = [one for one in seedlings if got.count(one.customer_id) == len(one.external_ids)]
        lost = {one.customer_id for one in seedlings} - {one.customer_id for one in rooted}
        if lost:
            await self._session.execute(_UPROOT, ids=list(lost))
        return rooted


def _contact(row: Mapping[str, Any]) -> SeedContact:
    return SeedContact(detail_id=row["detail_id"], like=row["detail_id"], kind=row["kind"], written=row["value"])


def _seed(row: Mapping[str, Any], contacts: Sequence[SeedContact]) -> Seed:
    return Seed(
        customer_id=row["customer_id"],
        kind=row["kind"],
        names={name: row[name] for name in _NAMES},
        gender=row["gender"],
        country=row["country"],
        birth=(row["birth_date"], row["birth_year_known"]),
        attributes=row["attributes"],
        contacts=contacts,
        external_ids=[(source, number) for source, number in row["external_ids"]],
        bought=row["bought"],
    )


def _tokens(one: Seedling) -> frozenset[str]:
    return search_tokens(name for name in one.names.values() if name)


def _columns(one: Seedling) -> dict[str, Any]:
    birth_date, year_known = one.birth
    shown = display_name(kind="organisation" if one.organisation else "person", **one.names)
    return {
        **one.names,
        "like_id": str(one.like),
        "customer_id": str(one.customer_id),
        "display_name": shown,
        "sort_name": fold(shown),
        "birth_date": None if birth_date is None else birth_date.isoformat(),
        "birth_year_known": year_known,
        "attributes": dict(one.attributes),
        "prospect": one.prospect,
    }


def _details(one: Seedling, lookup: Lookup) -> list[dict[str, str]]:
    made = []
    for contact in one.contacts:
        form = assess(ContactKind(contact.kind), contact.written, one.country or "RU")
        made.append(
            {
                "customer_id": str(one.customer_id),
                "detail_id": str(contact.detail_id),
                "like_id": str(one.like),
                "like_detail": str(contact.like),
                "value": contact.written,
                "normal": form.normal,
                "masked": form.masked,
                "lookup": lookup(form.kind, form.normal).hex(),
                "verdict": form.verdict,
            }
        )
    return made
