"""Rules asked of the base: how many are meant, who, and why; all within the caller's reach, each in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from service.db.customer_filters import FILTERS
from service.db.purchase_facts import STATE
from service.db.rules import BASE, Compiled, compile_among_few, compile_rule, compile_values
from service.db.session import Session
from service.db.statement import sql
from service.domain.access import Reach
from service.domain.rules.binding import clauses_of
from service.domain.rules.model import Anniversary, Asked, Clause, Orders

_STATE = sql(STATE)
# Memory, no compiling, and the prices at which sums are shared with one helper but no million rows are handed over.
_ROOM = """SET LOCAL jit = off; SET LOCAL work_mem = '256MB'; SET LOCAL max_parallel_workers_per_gather = 1;
    SET LOCAL parallel_setup_cost = 10; SET LOCAL parallel_tuple_cost = 0.02"""
# With a greater part of the base than this it takes longer to compare ids than to sum for all.
_FEW = 0.3
# Of how many of the newest records values are told.
_NEWEST = 10_000
_MOST_VALUES = 20
_LIVE = ("status", "kind", "gender", "language", "time_zone", "country", "region", "city", "postal_code", "legal_form")
_LIVE_LISTS = ("tags", "preferences")
_COUNTED = "SELECT '{0}' AS field, {1} AS value, count(*) AS records FROM {2} WHERE {1} <> '' GROUP BY 2"
_VALUES = sql(
    f"""WITH newest AS MATERIALIZED (SELECT {
        ", ".join(f"c.{name}" for name in (*_LIVE, *_LIVE_LISTS))
    }, h.code AS channel
        FROM customers c LEFT JOIN channels h ON h.tenant_id = c.tenant_id AND h.channel_id = c.channel_id
        WHERE {BASE} ORDER BY c.customer_id DESC LIMIT {_NEWEST}),
    counted AS ({
        " UNION ALL ".join(
            [
                *(_COUNTED.format(name, f"s.{name}", "newest s") for name in (*_LIVE, "channel")),
                *(_COUNTED.format(name, "v.one", f"newest s, unnest(s.{name}) v (one)") for name in _LIVE_LISTS),
            ]
        )
    }),
    ranked AS (SELECT *, row_number() OVER (PARTITION BY field ORDER BY records DESC, value) AS place FROM counted)
    SELECT field, array_agg(value ORDER BY place) AS values FROM ranked WHERE place <= {_MOST_VALUES} GROUP BY field"""
)


class PgSegments:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def compiled(self, asked: Asked) -> Compiled:
        """The condition of a rule on records `c`, for other repositories to add to theirs."""
        return compile_rule(asked, stale=await self._stale(asked), narrow=self._narrow)

    async def preview(self, asked: Asked, sample: int) -> Mapping[str, Any]:
        async with self._session.planned_anew():
            await self._session.command(_ROOM)
            found = await self._compiled_whole(asked)
            row = await self._session.fetchrow(
                sql(f"""
                WITH {found.few and f"{found.few}, "}meant AS MATERIALIZED (
                    SELECT c.customer_id FROM customers c WHERE {BASE} AND {found.where})
                SELECT (SELECT count(*) FROM meant) AS customers,
                    (SELECT count(*) FROM customers c WHERE {BASE}) AS base,
                    (SELECT coalesce(sum(t.revenue), 0)::bigint FROM meant m JOIN purchase_totals t
                        ON t.tenant_id = :tenant AND t.customer_id = m.customer_id AND t.currency = :currency)
                        AS revenue,
                    ARRAY(SELECT customer_id FROM meant ORDER BY customer_id DESC LIMIT :sample) AS sample"""),
                currency=asked.currency,
                sample=sample,
                **found.values,
            )
        assert row is not None
        return {**row, "sample": [str(one) for one in row["sample"]]}

    async def costs(self, asked: Asked, clauses: Sequence[Clause]) -> list[float]:
        """What the planner expects each clause to cost, alone."""
        stale = await self._stale(asked)
        costs = []
        async with self._session.planned_anew():
            for clause in clauses:
                found = compile_rule(replace(asked, rule=clause), stale=stale, narrow=self._narrow)
                statement = sql(f"EXPLAIN (FORMAT JSON) SELECT FROM customers c WHERE {BASE} AND {found.where}")
                plan = await self._session.fetchval(statement, **found.values)
                costs.append(_cost(plan))
        return costs

    async def page(self, asked: Asked, filters: Mapping[str, object], *, after: UUID | None, limit: int) -> list[str]:
        found = await self.compiled(asked)
        where = [BASE, *(FILTERS[name] for name in sorted(filters)), found.where]
        if after is not None:
            where.append("c.customer_id < :after::uuid")
        statement = sql(f"""SELECT c.customer_id FROM customers c WHERE {" AND ".join(where)}
            ORDER BY c.customer_id DESC LIMIT :limit""")
        async with self._session.planned_anew():
            rows = await self._session.fetch(statement, **filters, **found.values, after=after, limit=limit)
        return [str(row["customer_id"]) for row in rows]

    async def count(self, asked: Asked, filters: Mapping[str, object]) -> int:
        async with self._session.planned_anew():
            await self._session.command(_ROOM)
            found = await self._compiled_whole(asked)
            where = " AND ".join([BASE, *(FILTERS[name] for name in sorted(filters)), found.where])
            first = f"WITH {found.few} " if found.few else ""
            statement = sql(f"{first}SELECT count(*) FROM customers c WHERE {where}")
            return int(await self._session.fetchval(statement, **filters, **found.values))

    async def judged(self, asked: Asked, clauses: Sequence[Clause], customer_id: UUID) -> list[tuple[bool, Any]] | None:
        """Of one record, whether each clause holds and the value it looked at; None when it is not within reach."""
        stale = await self._stale(asked)
        found, values = compile_values(asked, clauses, stale=stale, narrow=self._narrow)
        columns = ", ".join(f"({where}) IS TRUE AS m{i}, {value} AS v{i}" for i, (where, value) in enumerate(found))
        statement = sql(f"SELECT {columns} FROM customers c WHERE {BASE} AND c.customer_id = :customer_id")
        async with self._session.planned_anew():
            row = await self._session.fetchrow(statement, customer_id=customer_id, **values)
        return None if row is None else [(row[f"m{i}"], row[f"v{i}"]) for i in range(len(clauses))]

    async def values(self) -> Mapping[str, Sequence[str]]:
        """The commonest values of fields among the newest records in reach."""
        return {row["field"]: row["values"] for row in await self._session.fetch(_VALUES)}

    async def _compiled_whole(self, asked: Asked) -> Compiled:
        """The condition of a rule that is asked of all in reach: where cheap clauses let few through, first those."""
        stale = await self._stale(asked)
        found = compile_among_few(asked, stale=stale, narrow=self._narrow)
        if found is None or not await self._lets_few_through(found):
            return compile_rule(asked, stale=stale, narrow=self._narrow)
        return found

    async def _lets_few_through(self, found: Compiled) -> bool:
        """As the planner expects it."""
        few = await self._session.fetchval(
            sql(f"EXPLAIN (FORMAT JSON) WITH {found.few} SELECT FROM few"), **found.values
        )
        everybody = await self._session.fetchval(sql(f"EXPLAIN (FORMAT JSON) SELECT FROM customers c WHERE {BASE}"))
        return float(_plan(few)["Plan Rows"]) < _FEW * float(_plan(everybody)["Plan Rows"])

    @property
    def _narrow(self) -> bool:
        return self._session.principal.reach is not Reach.TENANT

    async def _stale(self, asked: Asked) -> bool:
        """Whether some kept total can't answer today, where the rule asks for one."""
        if not any(_of_all_time(one) for one in clauses_of(asked.rule)):
            return False
        state = await self._session.fetchrow(_STATE, currency=asked.currency, as_of=asked.today)
        assert state is not None
        return bool(state["stale"] > 0)


def _of_all_time(clause: Clause) -> bool:
    return (isinstance(clause, Orders) and clause.where.all_time) or isinstance(clause, Anniversary)


def _cost(plan: Any) -> float:
    return float(_plan(plan)["Total Cost"])


def _plan(told: Any) -> Any:
    read = orjson.loads(told) if isinstance(told, str) else told
    return read[0]["Plan"]
