"""Exports in Postgres: their rows, and the CSV that the server itself writes, so that Python never parses a row.

Contacts in clear are read by the one role that may, in the caller's transaction and reach.
"""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import asyncpg

from service.db.customer_filters import FILTERS
from service.db.errors import translate
from service.db.export_cells import harmless, marked
from service.db.purchases import PgPurchases
from service.db.segments import PgSegments
from service.db.session import REVEAL, Session
from service.db.statement import Statement, sql
from service.domain.exports.agreement import APPROVAL_HOURS
from service.domain.exports.columns import Column, Part
from service.domain.exports.marks import CARRIERS, MarkKey
from service.domain.exports.policy import ExportPlan, ExportRequest
from service.domain.exports.ports import Sink, StoredExport
from service.domain.ids import new_id
from service.domain.rules.model import Asked
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import Cuts, Monetary
from service.domain.segmentation.rfm_groups import Scores

_ADD = sql("""
    INSERT INTO exports (tenant_id, export_id, staff_id, job_id, what, request, columns, format, purpose,
        kind, state, asked_rows, needs)
    VALUES (:tenant, :export_id, :staff_id, :job_id, :what, :request, :columns, 'csv', :purpose,
        :kind, CASE WHEN :needs = 0 THEN 'queued' ELSE 'awaiting_approval' END, :asked_rows, :needs)
""")
# Two files asked for at once are not both below the threshold for themselves.
_MY_TURN = sql("SELECT pg_advisory_xact_lock(hashtextextended('exports ' || :staff_id::uuid::text, 0))")
_LATELY = sql("""
    SELECT coalesce(sum(greatest(asked_rows, rows)), 0)::bigint FROM exports
    WHERE tenant_id = :tenant AND staff_id = :staff_id AND export_id <> :except_id AND needs = 0
        AND state IN ('queued', 'running', 'done') AND created_at > now() - interval '24 hours'
""")
# How the work stands its job knows, as long as there is one at work.
CARD = f"""
    SELECT e.export_id, e.job_id, e.staff_id, s.name AS staff_name, e.what, e.columns, e.format, e.purpose, e.request,
           e.rows, e.file_id, e.kind, e.asked_rows, e.asked_at, e.needs, e.round, e.fetches,
           CASE WHEN e.state = 'awaiting_approval' AND e.asked_at < now() - interval '{APPROVAL_HOURS} hours'
                   THEN 'lapsed'
               WHEN e.state IN ('queued', 'running') THEN coalesce(j.state, e.state) ELSE e.state END AS state,
           coalesce(j.done, 0) AS done, j.total, f.size AS bytes, f.sha256, f.expires_at,
           coalesce(e.error, j.error) AS error, e.created_at, e.finished_at,
           (SELECT coalesce(jsonb_agg(jsonb_build_object('staff_id', a.staff_id, 'at', a.created_at)
                ORDER BY a.created_at), '[]') FROM export_approvals a
            WHERE a.tenant_id = e.tenant_id AND a.export_id = e.export_id AND a.round = e.round) AS approvals
    FROM exports e
    LEFT JOIN staff s ON s.tenant_id = e.tenant_id AND s.staff_id = e.staff_id
    LEFT JOIN jobs j ON j.tenant_id = e.tenant_id AND j.job_id = e.job_id
    LEFT JOIN files f ON f.tenant_id = e.tenant_id AND f.file_id = e.file_id
    WHERE e.tenant_id = :tenant
"""
_BY_ID = sql(f"{CARD} AND e.export_id = :export_id")
_PAGE = sql(f"{CARD} AND e.export_id < :before ORDER BY e.export_id DESC LIMIT :limit")
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_SETTLE = sql("""
    UPDATE exports SET state = :state, rows = :rows, file_id = :file_id, error = :error, mark = :mark,
        finished_at = now(),
        request = request || jsonb_build_object('clear', :clear::boolean)
    WHERE tenant_id = :tenant AND export_id = :export_id
""")
# Found once, by the caller's own role; the role that reveals may read the list, but not the orders behind it. The rows
# are there for this transaction alone (a temporary table would need a right of its own).
_AMONG_CHOSEN = (
    "EXISTS (SELECT FROM chosen_customers g WHERE g.tenant_id = c.tenant_id AND g.choice_id = :choice::uuid"
    " AND g.customer_id = c.customer_id)"
)
# The choices of other transactions that have ended are gone, and those of the others not to be seen.
_FORGET = sql("DELETE FROM chosen_customers WHERE tenant_id = :tenant")
# Up to here a customer's ids and contacts are looked up one by one; above, one pass over all of them is cheaper.
_FEW = 20_000
_ROOM = "SET LOCAL jit = off"
# One process in key order: workers would each group everything again, and file and service need the other core. Row
# policies make the planner expect few rows, and it would look up a million one by one. Given back with the transaction.
_ROOM_FOR_MANY = f"""{_ROOM}; SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off;
    SET LOCAL max_parallel_workers_per_gather = 0"""

# The ledger goes in pages of whole chunks, each page behind the last id of the one before, so that neither side ever
# holds more than a page; ids stay text on their way, which spares Python a million of them as objects.
_CHUNK = 1_000
_PAGE_OF_CHUNKS = 20
_RECORD = sql("""
    INSERT INTO export_records (tenant_id, export_id, first_id, last_id, customer_ids)
    SELECT :tenant, :export_id, u.ids[1], u.ids[array_upper(u.ids, 1)], u.ids
    FROM (SELECT chunk::uuid[] AS ids FROM unnest(:chunks::text[]) AS chunk) u
""")

_EXPRESSIONS = {
    "external_ids": "x.external_ids",
    "birth_date": "CASE WHEN c.birth_year_known THEN c.birth_date::text ELSE to_char(c.birth_date, '--MM-DD') END",
    "tags": "array_to_string(nullif(c.tags, '{}'), '|')",
    "curator": "s.name",
    "team": "m.name",
    "channel": "h.name",
    "email": "d.email",
    "phone": "d.phone",
    "orders": "coalesce(t.orders, 0)",
    "revenue": (
        "CASE WHEN t.revenue % 10000 <> 0 THEN trim_scale(t.revenue * 0.000001)"
        " ELSE round(coalesce(t.revenue, 0) * 0.000001, 2) END"
    ),
    "currency": ":currency::text",
    "first_on": "t.first_on",
    "last_on": "t.last_on",
}
_IDS = "string_agg(e.external_id, ' ' ORDER BY e.source, e.external_id) AS external_ids"
_JOINS = {
    Part.CURATOR: "LEFT JOIN staff s ON s.tenant_id = c.tenant_id AND s.staff_id = c.curator_id",
    Part.TEAM: "LEFT JOIN teams m ON m.tenant_id = c.tenant_id AND m.team_id = c.team_id",
    Part.CHANNEL: "LEFT JOIN channels h ON h.tenant_id = c.tenant_id AND h.channel_id = c.channel_id",
    Part.TOTALS: (
        "LEFT JOIN purchase_totals t ON t.tenant_id = c.tenant_id AND t.customer_id = c.customer_id"
        " AND t.currency = :currency"
    ),
}


# As stored, without what a spreadsheet could run, and marked besides.
Style = Literal["exact", "harmless", "marked", "sparse"]


class PgExports:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._choice: UUID | None = None
        self._left_out: list[UUID] = []

    async def lately(self, except_id: UUID) -> int:
        staff_id = self._session.principal.staff_id
        await self._session.execute(_MY_TURN, staff_id=staff_id)
        return int(await self._session.fetchval(_LATELY, staff_id=staff_id, except_id=except_id))

    async def add(
        self, export_id: UUID, job_id: UUID | None, request: ExportRequest, plan: ExportPlan, *, rows: int, needs: int
    ) -> None:
        principal = self._session.principal
        await self._session.execute(
            _ADD,
            export_id=export_id,
            staff_id=principal.staff_id,
            job_id=job_id,
            what=plan.what,
            request=_kept(request) | {"scopes": sorted(principal.scopes)},
            columns=plan.names,
            purpose=request.purpose,
            kind=request.kind,
            asked_rows=rows,
            needs=needs,
        )

    async def card(self, export_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_BY_ID, export_id=export_id)

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._session.fetch(_PAGE, before=before or _AFTER_ALL, limit=limit)

    async def find(self, export_id: UUID) -> StoredExport | None:
        row = await self.card(export_id)
        return None if row is None else stored(row)

    async def settle(
        self,
        export_id: UUID,
        state: str,
        *,
        rows: int | None = None,
        file_id: UUID | None = None,
        clear: bool = False,
        mark: bytes | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        await self._session.execute(
            _SETTLE, export_id=export_id, state=state, rows=rows, file_id=file_id, clear=clear, mark=mark, error=error
        )

    async def choose(self, basis: Basis, monetary: Monetary, scores: Cuts, wanted: Sequence[Scores]) -> None:
        members, values = await PgPurchases(self._session).members(basis, monetary, scores, wanted)
        self._choice = new_id()
        listed = f"SELECT {self._session.principal.tenant_id}, '{self._choice}'::uuid, customer_id"
        filling = f"INSERT INTO chosen_customers (tenant_id, choice_id, customer_id) {listed} FROM ({members.text}) g"
        await self._session.execute(Statement(filling, members.names), **values)

    async def choose_meant(self, asked: Asked) -> None:
        found = await PgSegments(self._session).compiled(asked)
        among = "" if self._choice is None else f" AND {_AMONG_CHOSEN}"
        before, self._choice = self._choice, new_id()
        await self._session.command(_ROOM)
        await self._session.execute(
            sql(f"""
                INSERT INTO chosen_customers (tenant_id, choice_id, customer_id)
                SELECT :tenant, :meant::uuid, c.customer_id FROM customers c
                WHERE c.tenant_id = :tenant AND {found.where}{among}
            """),
            meant=self._choice,
            choice=before,
            **found.values,
        )

    async def forget_choice(self) -> None:
        if self._choice is not None:
            await self._session.execute(_FORGET)
            self._choice = None

    def leave_out(self, customer_ids: Sequence[UUID]) -> None:
        self._left_out = list(customer_ids)

    async def count(self, filters: Mapping[str, str]) -> int:
        return int(await self._session.fetchval(_counting(self._where(filters)), **self._given(filters)))

    async def stream(
        self,
        plan: ExportPlan,
        request: ExportRequest,
        currency: str,
        sink: Sink,
        *,
        expected: int,
        key: MarkKey | None = None,
    ) -> int:
        few = expected <= _FEW
        style = "exact" if plan.exact else "harmless" if key is None else "sparse" if key.sparse else "marked"
        statement = rows_of(plan.columns, plan.clear, self._where(request.filters), few, style)
        values = {
            "tenant": self._session.principal.tenant_id,
            "currency": currency,
            **{_own(place): column.own for place, column in enumerate(plan.columns)},
            **({} if key is None else {f"mark_{form}": one for form, one in key.keys.items()}),
            **self._given(request.filters),
        }
        out = _Headed(sink, plan.names, request.delimiter)
        await self._session.command(_ROOM if few else _ROOM_FOR_MANY)
        async with self._session.as_role(REVEAL) if plan.clear else nullcontext():
            try:
                status: str = await self._session.connection.copy_from_query(
                    statement.text,
                    *statement.arguments(values),
                    output=out,
                    format="csv",
                    delimiter=request.delimiter,
                    encoding="utf8",
                )
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                raise translate(error) from error
        await out.end()
        return int(status.rpartition(" ")[2])

    async def taken(self, request: ExportRequest) -> AsyncIterator[Sequence[str]]:
        statement = _taken(self._where(request.filters))
        after = UUID(int=0)
        while True:
            rows = await self._session.fetch(statement, after=after, **self._given(request.filters))
            chunks = [str(row["ids"]) for row in rows]
            if chunks:
                yield chunks
            if sum(row["records"] for row in rows) < _CHUNK * _PAGE_OF_CHUNKS:
                return
            after = UUID(chunks[-1].rstrip("}")[-36:])

    async def record(self, export_id: UUID, chunks: Sequence[str]) -> None:
        await self._session.execute(_RECORD, export_id=export_id, chunks=list(chunks))

    def _where(self, filters: Mapping[str, str]) -> str:
        # A record whose processing is restricted does not leave, and an erased one has nothing to tell.
        wanted = ["c.tenant_id = :tenant", "c.restricted_at IS NULL", "c.erased_at IS NULL"]
        wanted += [FILTERS[name] for name in sorted(filters)]
        if self._choice is not None:
            wanted.append(_AMONG_CHOSEN)
        if self._left_out:
            wanted.append("c.customer_id <> ALL (:left_out::uuid[])")
        return " AND ".join(wanted)

    def _given(self, filters: Mapping[str, str]) -> dict[str, object]:
        return {"choice": self._choice, "left_out": self._left_out, **filters}


class _Headed:
    """The sink, with the names of the columns in front: the server cuts a name of its own after 63 bytes."""

    def __init__(self, sink: Sink, names: Sequence[str], delimiter: str) -> None:
        line = io.StringIO()
        csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(names)
        self._sink = sink
        self._header = line.getvalue().encode()

    async def __call__(self, piece: bytes) -> None:
        header, self._header = self._header, b""
        await self._sink(header + piece)

    async def end(self) -> None:
        """The header alone, where there was no row."""
        if self._header:
            await self(b"")


@lru_cache(maxsize=256)
def rows_of(columns: tuple[Column, ...], clear: bool, where: str, few: bool, style: Style) -> Statement:
    """The query behind one shape of file."""
    cells = ", ".join(_cell(place, column, clear, style) for place, column in enumerate(columns))
    parts = dict.fromkeys(column.part for column in columns)
    joins = [_JOINS[part] for part in parts if part in _JOINS]
    if Part.IDS in parts:
        joins.append(_gathered("x", "customer_external_ids e", _IDS, few))
    if Part.CONTACTS in parts:
        joins.append(_gathered("d", "contact_details k", _contacts(columns, "normal" if clear else "masked"), few))
    return sql(f"SELECT {cells} FROM customers c {' '.join(joins)} WHERE {where}")


def _gathered(name: str, table: str, sums: str, few: bool) -> str:
    """What hangs on a customer as one row, looked up for each or gathered in one pass in the order of the key."""
    alias = table[-1]
    if few:
        of_this = f"{alias}.tenant_id = c.tenant_id AND {alias}.customer_id = c.customer_id"
        return f"LEFT JOIN LATERAL (SELECT {sums} FROM {table} WHERE {of_this}) {name} ON true"
    key = f"{alias}.tenant_id, {alias}.customer_id"
    return (
        f"LEFT JOIN (SELECT {key}, {sums} FROM {table} WHERE {alias}.tenant_id = :tenant GROUP BY {key}) {name}"
        f" ON {name}.tenant_id = c.tenant_id AND {name}.customer_id = c.customer_id"
    )


def _contacts(columns: Sequence[Column], shown: str) -> str:
    """The primary contact of each kind, else one that is not."""
    return ", ".join(
        f"coalesce(max(k.{shown}) FILTER (WHERE k.kind = '{column.name}' AND k.is_primary),"
        f" max(k.{shown}) FILTER (WHERE k.kind = '{column.name}')) AS {column.name}"
        for column in columns
        if column.part is Part.CONTACTS
    )


def _cell(place: int, column: Column, clear: bool, style: Style) -> str:
    # The name of an own field is the tenant's: it is bound, never written.
    own = f"(c.attributes ->> :{_own(place)}::text)" if column.part is Part.OWN else f"c.{column.name}"
    expression = _EXPRESSIONS.get(column.name, own)
    if not column.typed or style == "exact":
        return expression
    form = CARRIERS.get(column.name)
    if style == "harmless" or form is None or (column.part is Part.CONTACTS and not clear):
        return harmless(expression)
    return marked(form, expression, sparse=style == "sparse")


def _own(place: int) -> str:
    return f"own{place}"


@lru_cache(maxsize=256)
def _counting(where: str) -> Statement:
    return sql(f"SELECT count(*) FROM customers c WHERE {where}")


@lru_cache(maxsize=256)
def _taken(where: str) -> Statement:
    return sql(f"""
        SELECT array_agg(n.customer_id ORDER BY n.customer_id)::text AS ids, count(*) AS records FROM (
            SELECT t.customer_id, (row_number() OVER (ORDER BY t.customer_id) - 1) / {_CHUNK} AS chunk FROM (
                SELECT c.customer_id FROM customers c WHERE {where} AND c.customer_id > :after::uuid
                ORDER BY c.customer_id LIMIT {_CHUNK * _PAGE_OF_CHUNKS}
            ) t
        ) n GROUP BY n.chunk ORDER BY n.chunk
    """)


def _kept(request: ExportRequest) -> dict[str, Any]:
    return {name: asdict(request)[name] for name in (*_KEPT, "rule")}


# `rule` came later; older requests have none.
_KEPT = ("group", "filters", "delimiter", "bom")


_STORED = ("export_id", "staff_id", "state", "rows", "file_id", "asked_rows", "needs", "round", "fetches")


def stored(row: Mapping[str, Any]) -> StoredExport:
    kept = row["request"]
    request = ExportRequest(
        what=row["what"],
        purpose=row["purpose"],
        columns=tuple(row["columns"]),
        kind=row["kind"],
        rule=kept.get("rule"),
        **{name: kept[name] for name in _KEPT},
    )
    return StoredExport(
        **{name: row[name] for name in _STORED},
        request=request,
        scopes=kept["scopes"],
        clear=bool(kept.get("clear")),
        approvers=[UUID(one["staff_id"]) for one in row["approvals"]],
    )
