"""The timeline: each source gives at most one page of its own, by the customer's index, and the newest are shown.

A source that nobody asked for is not read. Rows of any source are seen only through the customer's own policy, so a
record out of reach has none.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.timeline import Position

_REACHED = sql("SELECT true FROM customers WHERE tenant_id = :tenant AND customer_id = :customer_id")
_OWN = "{0}.tenant_id = :tenant AND {0}.customer_id = :customer_id"
_EVENTS = "event"


class _Source:
    """One branch: where its rows come from, and what of them is shown."""

    def __init__(
        self, kind: str, at: str, key: str, staff: str, detail: Mapping[str, str], origin: str, *, day: str = ""
    ) -> None:
        self.kind = f"'{kind}'::text" if kind != _EVENTS else "e.kind"
        self.at, self.key, self.staff, self.origin, self.day = at, key, staff, origin, day
        self.source = "e.source" if kind == _EVENTS else "NULL::text"
        pairs = ", ".join(f"'{name}', {value}" for name, value in detail.items())
        self.detail = f"json_build_object({pairs})::text" if pairs else "e.detail::text"

    def select(self, *, later: bool, narrowed: str) -> str:
        kind = f'({self.kind} COLLATE "C")'
        where = f" AND ({self.at}, {kind}, {self.key}) < (:after_at::timestamptz, :after_kind::text, :after_id::uuid)"
        where = where if later else ""
        if self.day:
            where += _near(self.origin, self.day, later=later)
        return (
            f"(SELECT {self.at} AS at, {kind} AS kind, {self.key} AS id, {self.staff} AS staff_id,"
            f" {self.source} AS source, {self.detail} AS detail FROM {self.origin}{narrowed}{where}"
            f" ORDER BY {self.at} DESC, {kind} DESC, {self.key} DESC LIMIT :limit)"
        )


def _near(origin: str, day: str, *, later: bool) -> str:
    """Only the days that can hold the page, so that of a hundred thousand orders the index gives a handful.

    As many rows as a page lie on the days that surely follow the cursor, down to some day; whatever is as new as they
    lies on days no more than two below, whichever zone the days were counted in.
    """
    around = "(:after_at::timestamptz AT TIME ZONE 'UTC')::date"
    surely = f" AND {day} <= {around} - 2" if later else ""
    lowest = f"(SELECT {day} FROM {origin}{surely} ORDER BY {day} DESC OFFSET :limit::bigint - 1 LIMIT 1)"
    upper = f" AND {day} <= {around} + 2" if later else ""
    # As one sub-select: under row policies `coalesce` itself would keep the condition out of the index.
    return f" AND {day} >= (SELECT coalesce({lowest}, '-infinity'::date) - 2){upper}"


def _of(table: str, alias: str) -> str:
    return f"{table} {alias} WHERE {_OWN.format(alias)}"


def _shown(alias: str, *names: str) -> dict[str, str]:
    return {name: f"{alias}.{name}" for name in names}


def _named(table: str, key: str, value: str) -> str:
    return f"(SELECT n.name FROM {table} n WHERE n.tenant_id = w.tenant_id AND n.{key} = w.{value})"


_NOBODY = "NULL::uuid"
# A chunk of the ledger holds a thousand ids in rising order: one look finds the only chunk that can hold this one.
_IN_EXPORT = """customers c JOIN exports x ON x.tenant_id = c.tenant_id AND x.state = 'done'
        AND x.finished_at >= c.created_at
    JOIN LATERAL (SELECT r.last_id, r.customer_ids FROM export_records r
        WHERE r.tenant_id = x.tenant_id AND r.export_id = x.export_id AND r.first_id <= c.customer_id
        ORDER BY r.first_id DESC LIMIT 1) r ON r.last_id >= c.customer_id AND c.customer_id = ANY (r.customer_ids)
    WHERE """ + _OWN.format("c")
_BROUGHT_BY = """customers c LEFT JOIN imports i ON i.tenant_id = c.tenant_id AND i.import_id = c.import_id
    WHERE c.import_id IS NOT NULL AND """ + _OWN.format("c")
# Of a link to a record out of reach there is nothing to tell, as among the links themselves.
_KNOWN_EVENTS = (
    _of("customer_events", "e")
    + """ AND (e.kind NOT IN ('linked', 'unlinked') OR EXISTS (
        SELECT FROM customers o WHERE o.tenant_id = :tenant AND o.customer_id = (e.detail ->> 'other_id')::uuid))"""
)
_SOURCES = {
    "order": _Source(
        "order",
        "o.ordered_at",
        "o.order_id",
        _NOBODY,
        _shown("o", "status", "total", "refunded", "currency", "source", "external_id", "sales_channel"),
        _of("orders", "o"),
        day="o.ordered_on",
    ),
    "refund": _Source(
        "refund",
        "f.refunded_at",
        "f.refund_id",
        _NOBODY,
        _shown("f", "amount", "currency", "order_id", "reason"),
        _of("refunds", "f"),
    ),
    _EVENTS: _Source(_EVENTS, "e.at", "e.event_id", "e.staff_id", {}, _KNOWN_EVENTS),
    "curator": _Source(
        "curator",
        "w.at",
        "w.ownership_id",
        "w.staff_id",
        {
            **_shown("w", "from_curator_id", "curator_id", "from_team_id", "team_id", "assignment_id"),
            "from_curator": _named("staff", "staff_id", "from_curator_id"),
            "curator": _named("staff", "staff_id", "curator_id"),
            "from_team": _named("teams", "team_id", "from_team_id"),
            "team": _named("teams", "team_id", "team_id"),
        },
        _of("ownerships", "w"),
    ),
    "import": _Source(
        "import", "c.created_at", "c.import_id", "i.staff_id", _shown("i", "kind", "source", "preset"), _BROUGHT_BY
    ),
    "export": _Source(
        "export",
        "x.finished_at",
        "x.export_id",
        "x.staff_id",
        _shown("x", "what", "columns", "purpose", "rows"),
        _IN_EXPORT,
    ),
    "note": _Source("note", "n.created_at", "n.note_id", "n.staff_id", _shown("n", "text"), _of("notes", "n")),
    "interaction": _Source(
        "interaction",
        "a.at",
        "a.interaction_id",
        "a.staff_id",
        {"how": "a.kind", **_shown("a", "direction", "outcome", "text")},
        _of("interactions", "a"),
    ),
    "consent": _Source(
        "consent",
        "k.at",
        "k.consent_id",
        "k.staff_id",
        _shown("k", "purpose", "channel", "given", "source"),
        _of("consents", "k"),
    ),
}


@lru_cache(maxsize=256)
def page_of(sources: frozenset[str], chosen_events: bool, after: bool) -> Statement:
    """The SQL of one shape of timeline."""
    branches = " UNION ALL ".join(
        _SOURCES[name].select(
            later=after, narrowed=" AND e.kind = ANY (:events::text[])" if name == _EVENTS and chosen_events else ""
        )
        for name in sorted(sources)
    )
    return sql(f"""
        SELECT t.at, t.kind, t.id, t.staff_id, s.name AS staff_name, t.source, t.detail FROM (
            SELECT * FROM ({branches}) u ORDER BY u.at DESC, u.kind DESC, u.id DESC LIMIT :limit
        ) t LEFT JOIN staff s ON s.tenant_id = :tenant AND s.staff_id = t.staff_id
        ORDER BY t.at DESC, t.kind DESC, t.id DESC
    """)


class PgTimeline:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def page(
        self,
        customer_id: UUID,
        kinds: Sequence[str] | None,
        *,
        after: Position | None,
        limit: int,
        without: Sequence[str],
    ) -> list[Mapping[str, Any]] | None:
        """One page; whether the record is within reach is asked only where there is nothing to show."""
        events = None if kinds is None else sorted(set(kinds) - set(_SOURCES))
        sources = set(_SOURCES) if kinds is None else set(kinds) & set(_SOURCES) | ({_EVENTS} if events else set())
        sources -= set(without)
        rows: list[Mapping[str, Any]] = []
        if sources:
            statement = page_of(frozenset(sources), events is not None, after is not None)
            position = (
                {} if after is None else {"after_at": after.at, "after_kind": after.kind, "after_id": after.item_id}
            )
            rows = await self._session.fetch(statement, customer_id=customer_id, events=events, limit=limit, **position)
        if not rows and not await self._session.fetchval(_REACHED, customer_id=customer_id):
            return None
        return rows
