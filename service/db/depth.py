"""The depth of records in SQL, compiled from the rule's own levels; a contract test holds the two equal."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.customers.depth import FACTS, FIELDS, LEVELS

_REACHING = "('email', 'phone', 'messenger')"
_REQUISITES = "('inn', 'kpp', 'ogrn', 'bic', 'account', 'vat', 'iban')"
_NAMED = "coalesce(nullif(c.family_name, ''), nullif(c.given_name, ''), c.legal_name, c.trade_name, '') <> ''"
DEPTHS = ("none", *(name for name, _ in LEVELS))
# Of one record the contacts and totals are looked up, of the base they are gone through once.
_OF_CONTACTS = f"""
    SELECT d.customer_id, bool_or(d.kind IN {_REACHING}) AS contact, bool_or(d.kind IN {_REQUISITES}) AS requisites,
        bool_or(d.kind = 'street') AS street
    FROM contact_details d WHERE d.tenant_id = :tenant AND d.verdict <> 'invalid' {{only_d}} GROUP BY d.customer_id
"""
_OF_TOTALS = """
    SELECT t.customer_id, sum(t.orders) AS orders FROM purchase_totals t
    WHERE t.tenant_id = :tenant {only_t} GROUP BY t.customer_id
"""
_FACTS = f"""
    SELECT c.customer_id, {_NAMED} AS "name", coalesce(d.contact, false) AS contact,
        coalesce(d.requisites, false) AS requisites, coalesce(t.orders, 0) >= 1 AS "order",
        coalesce(t.orders, 0) >= 2 AS orders, coalesce(c.city, '') <> '' OR coalesce(d.street, false) AS address,
        c.preferences <> '{{{{}}}}' AS preferences, c.curator_id IS NOT NULL AS curator
    FROM customers c
    LEFT JOIN ({_OF_CONTACTS}) d ON d.customer_id = c.customer_id
    LEFT JOIN ({_OF_TOTALS}) t ON t.customer_id = c.customer_id
    WHERE c.tenant_id = :tenant {{only_c}}
"""


def level(known: Collection[str] = ()) -> str:
    """The number of the depth (0 = none) of a row of facts, as if the facts of `known` held too."""

    def holds(fact: str) -> str:
        return "true" if fact in known else f'"{fact}"'

    met = [" AND ".join(f"({' OR '.join(map(holds, need))})" for need in needs) for _, needs in LEVELS]
    cases = " ".join(f"WHEN NOT ({condition}) THEN {number}" for number, condition in enumerate(met))
    return f"CASE {cases} ELSE {len(met)} END"


@cache
def _one() -> Statement:
    only = {f"only_{alias}": f"AND {alias}.customer_id = :customer_id" for alias in "cdt"}
    return sql(_FACTS.format(**only))


def by_record(only: str = "") -> str:
    """SELECT customer_id, depth (its number) of every record, or of those whose id is `only`, such as `= ANY (…)`."""
    narrowed = {f"only_{x}": f"AND {x}.customer_id {only}" if only else "" for x in "cdt"}
    return f"SELECT f.customer_id, {level()} AS depth FROM ({_FACTS.format(**narrowed)}) f"


@cache
def _base() -> Statement:
    lifted = ", ".join(f'count(*) FILTER (WHERE {level((field,))} > depth) AS "{field}"' for field in FIELDS)
    depths = ", ".join(f'count(*) FILTER (WHERE depth = {i}) AS "{name}"' for i, name in enumerate(DEPTHS))
    facts = _FACTS.format(only_c="", only_d="", only_t="")
    return sql(f"SELECT {depths}, {lifted} FROM (SELECT *, {level()} AS depth FROM ({facts}) f) x")


class PgDepth:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def facts(self, customer_id: UUID) -> frozenset[str] | None:
        """What is known of a record within reach; None when there is none."""
        row = await self._session.fetchrow(_one(), customer_id=customer_id)
        return None if row is None else frozenset(fact for fact in FACTS if row[fact])

    async def base(self) -> Mapping[str, Any]:
        """How many records within reach have each depth, and how many each field alone would lift."""
        await self._session.command("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
        row = await self._session.fetchrow(_base())
        assert row is not None
        return row
