"""The match of records in Postgres: keys, candidates, pairs and clusters, as the role that compares.

Who is held out of a tenant by another round goes away, or waits. A key that very many records have tells nothing, and
is passed over.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import orjson

from service.db.session import Row, Session
from service.db.statement import sql
from service.domain.duplicates.grouping import Edge
from service.domain.duplicates.model import Found, Surroundings
from service.domain.duplicates.ports import Begun, Changed, Place
from service.domain.linkage.model import DEFAULT
from service.domain.linkage.profile import Profile, profile

LINKAGE = "clientbase_linkage"
# So many records may share a key that leads to comparisons.
MOST_ALIKE = 50
# Everything here is looked up by keys, whatever is known of tables that have just been filled.
_BY_KEYS = "; ".join(
    f"SET LOCAL {name} = off" for name in ("jit", "enable_seqscan", "enable_hashjoin", "enable_mergejoin")
)
_UNSYNCED = "SET LOCAL synchronous_commit = off"
_PHONES, _REQUISITES = ("phone", "messenger"), ("inn", "ogrn", "iban", "vat", "account")
_HOLD = "hashtextextended('duplicates ' || :tenant::int, 0)"
_BEGIN = """
    SELECT {hold}, (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint AS horizon,
        coalesce(p.xid, 0) AS xid, coalesce(p.change_id, 0) AS change_id, p.scanned_at IS NOT NULL AS scanned,
        coalesce(m.version, 0) AS model_version
    FROM (SELECT) one LEFT JOIN linkage_progress p ON p.tenant_id = :tenant
    LEFT JOIN linkage_models m ON m.tenant_id = :tenant
"""
_TRY = sql(_BEGIN.format(hold=f"pg_try_advisory_xact_lock({_HOLD}) AS mine"))
_WAIT = sql(f"SELECT pg_advisory_xact_lock({_HOLD})")
_READ = sql(_BEGIN.format(hold="true AS mine"))
# Only records count: orders, notes and segments make nobody another.
_CHANGED = sql("""
    SELECT c.xid, c.change_id, c.customer_id, c.entity = 'customer' AS counts FROM changes c
    WHERE c.tenant_id = :tenant AND (c.xid, c.change_id) > (:xid::bigint, :change_id::bigint)
        AND c.xid < :horizon::bigint
    ORDER BY c.xid, c.change_id LIMIT :limit
""")
_MODEL = sql("SELECT model FROM linkage_models WHERE tenant_id = :tenant")
PROFILE = """
    SELECT c.customer_id, c.kind, c.family_name, c.given_name, c.patronymic, c.legal_name, c.trade_name, c.city,
        c.postal_code, c.birth_date, c.birth_year_known,
        (SELECT array_agg(d.kind || ':' || d.normal) FROM contact_details d
         WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id AND d.verdict <> 'invalid') AS contacts
    FROM customers c WHERE c.tenant_id = :tenant AND c.erased_at IS NULL
"""
_PROFILES = sql(f"{PROFILE} AND c.customer_id = ANY (:ids::uuid[])")
_REKEY = sql("""
    WITH given AS (SELECT u.customer_id, u.key FROM unnest(:owners::uuid[], :keys::bigint[]) AS u (customer_id, key)),
    had AS (
        SELECT r.customer_id, k.key FROM linkage_records r, unnest(r.keys) AS k (key)
        WHERE r.tenant_id = :tenant AND r.customer_id = ANY (:ids::uuid[])
    ), gone AS (SELECT customer_id, key FROM had EXCEPT SELECT customer_id, key FROM given),
    come AS (SELECT customer_id, key FROM given EXCEPT SELECT customer_id, key FROM had),
    dropped AS (
        DELETE FROM linkage_keys l USING gone g
        WHERE l.tenant_id = :tenant AND l.key = g.key AND l.customer_id = g.customer_id
    ), added AS (
        INSERT INTO linkage_keys (tenant_id, key, customer_id)
        SELECT :tenant, c.key, c.customer_id FROM come c ORDER BY c.key ON CONFLICT DO NOTHING
    ), noted AS (
        INSERT INTO linkage_records AS r (tenant_id, customer_id, keys)
        SELECT :tenant, g.customer_id, array_agg(g.key ORDER BY g.key) FROM given g GROUP BY g.customer_id
        ON CONFLICT (tenant_id, customer_id) DO UPDATE SET keys = excluded.keys WHERE r.keys <> excluded.keys
    )
    DELETE FROM linkage_records r WHERE r.tenant_id = :tenant AND r.customer_id = ANY (:ids::uuid[])
        AND NOT EXISTS (SELECT FROM given g WHERE g.customer_id = r.customer_id)
""")
_CANDIDATES = sql(f"""
    SELECT DISTINCT g.customer_id AS one, o.customer_id AS other
    FROM unnest(:owners::uuid[], :keys::bigint[]) AS g (customer_id, key)
    CROSS JOIN LATERAL (
        SELECT array_agg(x.customer_id) AS ids FROM (
            SELECT k.customer_id FROM linkage_keys k WHERE k.tenant_id = :tenant AND k.key = g.key
            LIMIT {MOST_ALIKE + 1}
        ) x
    ) found
    CROSS JOIN LATERAL unnest(found.ids) AS o (customer_id)
    WHERE cardinality(found.ids) BETWEEN 2 AND {MOST_ALIKE} AND o.customer_id <> g.customer_id
""")
_REPLACE = """
    WITH given AS (
        SELECT * FROM unnest(:firsts::uuid[], :seconds::uuid[], :weights::real[], :probabilities::real[],
            :waterfalls::text[]) AS u (first_id, second_id, weight, probability, waterfall)
    ), gone AS (
        DELETE FROM duplicate_pairs p
        WHERE p.tenant_id = :tenant AND {which}
            AND NOT EXISTS (SELECT FROM given g WHERE g.first_id = p.first_id AND g.second_id = p.second_id)
        RETURNING first_id, second_id
    ), come AS (
        INSERT INTO duplicate_pairs AS p (tenant_id, first_id, second_id, weight, probability, waterfall)
        SELECT :tenant, g.first_id, g.second_id, g.weight, g.probability, g.waterfall::jsonb FROM given g
        ON CONFLICT (tenant_id, first_id, second_id) DO UPDATE
        SET weight = excluded.weight, probability = excluded.probability, waterfall = excluded.waterfall
        WHERE p.waterfall <> excluded.waterfall
        RETURNING first_id, second_id
    )
    SELECT first_id, second_id FROM gone UNION ALL SELECT first_id, second_id FROM come
"""
_REPLACE_OF = sql(_REPLACE.format(which="(p.first_id = ANY (:ids::uuid[]) OR p.second_id = ANY (:ids::uuid[]))"))
_REPLACE_RANGE = sql(_REPLACE.format(which="p.first_id > :after::uuid AND p.first_id <= :to::uuid"))
# All that hangs together with the touched records, by pairs or by the cluster they were in.
_MEMBERS = sql("""
    WITH RECURSIVE seeds AS (
        SELECT u.customer_id FROM unnest(:ids::uuid[]) AS u (customer_id)
        UNION SELECT m.customer_id FROM duplicate_members m WHERE m.tenant_id = :tenant AND m.cluster_id IN (
            SELECT o.cluster_id FROM duplicate_members o
            WHERE o.tenant_id = :tenant AND o.customer_id = ANY (:ids::uuid[]))
    ), reached AS (
        SELECT customer_id FROM seeds
        UNION SELECT n.customer_id FROM reached r CROSS JOIN LATERAL (
            SELECT p.second_id AS customer_id FROM duplicate_pairs p
            WHERE p.tenant_id = :tenant AND p.first_id = r.customer_id AND p.probability >= :least
            UNION ALL SELECT p.first_id FROM duplicate_pairs p
            WHERE p.tenant_id = :tenant AND p.second_id = r.customer_id AND p.probability >= :least
        ) n
    )
    SELECT r.customer_id, m.cluster_id FROM reached r
    LEFT JOIN duplicate_members m ON m.tenant_id = :tenant AND m.customer_id = r.customer_id
""")
_EDGES = sql("""
    SELECT p.first_id, p.second_id, p.weight FROM duplicate_pairs p
    WHERE p.tenant_id = :tenant AND p.first_id = ANY (:ids::uuid[]) AND p.probability >= :least
    UNION ALL
    SELECT n.first_id, n.second_id, NULL FROM never_merge n
    WHERE n.tenant_id = :tenant AND n.first_id = ANY (:ids::uuid[]) AND n.second_id = ANY (:ids::uuid[])
""")
_REGROUP = sql("""
    WITH gone AS (
        DELETE FROM duplicate_members WHERE tenant_id = :tenant AND customer_id = ANY (:gone::uuid[])
    )
    INSERT INTO duplicate_members (tenant_id, customer_id, cluster_id)
    SELECT :tenant, u.customer_id, u.cluster_id
    FROM unnest(:ids::uuid[], :clusters::uuid[]) AS u (customer_id, cluster_id)
    ON CONFLICT (tenant_id, customer_id) DO UPDATE SET cluster_id = excluded.cluster_id, joined_at = now()
""")
_PROCEED = sql("""
    INSERT INTO linkage_progress AS p (tenant_id, xid, change_id, matched_at) VALUES (:tenant, :xid, :change_id, now())
    ON CONFLICT (tenant_id) DO UPDATE
    SET xid = excluded.xid, change_id = excluded.change_id, matched_at = excluded.matched_at
""")

_SIZE = sql("SELECT count(*) FROM customers WHERE tenant_id = :tenant AND erased_at IS NULL")
_EVERYONE = sql(f"{PROFILE} ORDER BY c.customer_id")
_KEEP_RECORDS = sql("""
    INSERT INTO linkage_records (tenant_id, customer_id, keys)
    SELECT :tenant, u.customer_id, array_agg(DISTINCT u.key)
    FROM unnest(:owners::uuid[], :keys::bigint[]) AS u (customer_id, key) GROUP BY u.customer_id
    ON CONFLICT DO NOTHING
""")
# In the order of the index, which grows at its end then.
_SPREAD = sql("""
    INSERT INTO linkage_keys (tenant_id, key, customer_id)
    SELECT :tenant, k.key, r.customer_id FROM linkage_records r CROSS JOIN LATERAL unnest(r.keys) AS k (key)
    WHERE r.tenant_id = :tenant ORDER BY k.key, r.customer_id ON CONFLICT DO NOTHING
""")
_KEEP_MODEL = sql("""
    INSERT INTO linkage_models AS m (tenant_id, model, records) VALUES (:tenant, :model, :records)
    ON CONFLICT (tenant_id) DO UPDATE
    SET model = excluded.model, records = excluded.records, version = m.version + 1, learnt_at = now()
""")
_SCANNED = sql("UPDATE linkage_progress SET scanned_at = now() WHERE tenant_id = :tenant")


class PgMatching:
    def __init__(self, session: Session) -> None:
        self._session = session

    def acting(self, *, lasting: bool = True) -> AbstractAsyncContextManager[None]:
        return self._session.as_role(LINKAGE, then=_BY_KEYS if lasting else f"{_BY_KEYS}; {_UNSYNCED}")

    async def begin(self, *, patiently: bool) -> Begun | None:
        if patiently:  # what is read afterwards is what the other round has left
            await self._session.execute(_WAIT)
        row = await self._session.fetchrow(_READ if patiently else _TRY)
        if row is None or not row["mine"]:
            return None
        return Begun(
            place=(row["xid"], row["change_id"]),
            horizon=int(row["horizon"]),
            model_version=row["model_version"],
            scanned=row["scanned"],
        )

    async def changed(self, begun: Begun, limit: int) -> Changed:
        xid, change_id = begun.place
        rows = await self._session.fetch(_CHANGED, xid=xid, change_id=change_id, horizon=begun.horizon, limit=limit)
        more = len(rows) == limit
        # Up to the horizon all is known; it may lie behind the place when nothing was written.
        behind = (rows[-1]["xid"], rows[-1]["change_id"]) if more else max(begun.place, (begun.horizon, 0))
        ids = sorted({row["customer_id"] for row in rows if row["counts"] and row["customer_id"]})
        return Changed(customer_ids=ids, behind=behind if rows else begun.place, more=more)

    async def profiles(self, customer_ids: Collection[UUID]) -> dict[UUID, Profile]:
        rows = await self._session.fetch(_PROFILES, ids=sorted(customer_ids))
        return {row["customer_id"]: profile_of(row) for row in rows}

    async def rekey(self, customer_ids: Collection[UUID], keys: Mapping[UUID, Collection[int]]) -> None:
        await self._session.execute(_REKEY, ids=sorted(customer_ids), **_flat(keys))

    async def model(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self._session.fetchval(_MODEL)
        return found

    async def candidates(self, keys: Mapping[UUID, Collection[int]]) -> Sequence[tuple[UUID, UUID]]:
        rows = await self._session.fetch(_CANDIDATES, **_flat(keys))
        return [(row["one"], row["other"]) for row in rows]

    async def replace_pairs(self, customer_ids: Collection[UUID], found: Sequence[Found]) -> set[UUID]:
        rows = await self._session.fetch(_REPLACE_OF, ids=sorted(customer_ids), **_columns(found))
        return {one for row in rows for one in row.values()}

    async def surroundings(self, customer_ids: Collection[UUID]) -> Surroundings:
        least = DEFAULT.threshold
        members = await self._session.fetch(_MEMBERS, ids=sorted(customer_ids), least=least)
        rows = await self._session.fetch(_EDGES, ids=[row["customer_id"] for row in members], least=least)
        return Surroundings(
            before={row["customer_id"]: row["cluster_id"] for row in members if row["cluster_id"]},
            edges=[Edge(row["weight"], row["first_id"], row["second_id"]) for row in rows if row["weight"] is not None],
            never=[(row["first_id"], row["second_id"]) for row in rows if row["weight"] is None],
        )

    async def regroup(self, before: Mapping[UUID, UUID], after: Mapping[UUID, UUID]) -> None:
        moved = {one: cluster for one, cluster in after.items() if before.get(one) != cluster}
        await self._session.execute(
            _REGROUP, gone=sorted(before.keys() - after.keys()), ids=list(moved), clusters=list(moved.values())
        )

    async def proceed(self, place: Place) -> None:
        await self._session.execute(_PROCEED, xid=place[0], change_id=place[1])


class PgScanning:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def size(self) -> int:
        return int(await self._session.fetchval(_SIZE))

    def everyone(self) -> AsyncIterator[Sequence[Row]]:
        return self._session.stream(_EVERYONE, batch=2_000)

    def read(self, rows: Sequence[Row]) -> list[tuple[UUID, Profile]]:
        return [(row["customer_id"], profile_of(row)) for row in rows]

    async def keep_records(self, keys: Mapping[UUID, Collection[int]]) -> None:
        await self._session.execute(_KEEP_RECORDS, **_flat(keys))

    async def spread_keys(self) -> None:
        await self._session.command("SET LOCAL work_mem = '64MB'")
        await self._session.execute(_SPREAD)

    async def keep_model(self, model: Mapping[str, Any], records: int) -> None:
        await self._session.execute(_KEEP_MODEL, model=model, records=records)

    async def replace_range(self, after: UUID, to: UUID, found: Sequence[Found]) -> set[UUID]:
        rows = await self._session.fetch(_REPLACE_RANGE, after=after, to=to, **_columns(found))
        return {one for row in rows for one in row.values()}

    async def scanned(self) -> None:
        await self._session.execute(_SCANNED)


def profile_of(row: Row) -> Profile:
    """What of a stored record can be compared."""
    contacts = [contact.partition(":")[::2] for contact in row["contacts"] or ()]
    return profile(
        **{name: row[name] for name in _FIELDS},
        phones=[normal for kind, normal in contacts if kind in _PHONES and normal.startswith("+")],
        emails=[normal for kind, normal in contacts if kind == "email"],
        requisites=[(kind, normal) for kind, normal in contacts if kind in _REQUISITES],
        street=next((normal for kind, normal in sorted(contacts) if kind == "street"), None),
    )


_FIELDS = (
    "kind",
    "family_name",
    "given_name",
    "patronymic",
    "legal_name",
    "trade_name",
    "birth_date",
    "city",
    "postal_code",
    "birth_year_known",
)


def _flat(keys: Mapping[UUID, Collection[int]]) -> dict[str, object]:
    pairs = [(owner, key) for owner, found in keys.items() for key in found]
    return {"owners": [owner for owner, _ in pairs], "keys": [key for _, key in pairs]}


def _columns(found: Sequence[Found]) -> dict[str, object]:
    return {
        "firsts": [one.first_id for one in found],
        "seconds": [one.second_id for one in found],
        "weights": [one.weight for one in found],
        "probabilities": [one.probability for one in found],
        "waterfalls": [orjson.dumps(one.waterfall).decode() for one in found],
    }
