"""Hand-overs in sets: records, their histories and the changes are written by one statement, whatever their number.

They run as the role of the whole tenant, since nobody may write a record away from himself; how far a hand-over reaches
has been decided before, and stands in its conditions. Records are locked in the order of their ids, as batches do, and
what is locked is what is moved. Each move is one row of `ownerships` with the id of the hand-over, so nothing is made
row by row.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from service.db.customer_filters import FILTERS
from service.db.rules import EVERYBODY
from service.db.segments import PgSegments
from service.db.session import ROLE, Session
from service.db.statement import Statement, sql
from service.domain.access import Reach
from service.domain.assignments.model import Bounds, Person, Receiver, Selection, Spread
from service.domain.assignments.ports import Returned, Share

_TENANT = ROLE[Reach.TENANT]
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_BEFORE_ALL = UUID(int=0)
_IN_POOL = "c.curator_id IS NULL AND c.team_id IS NULL"
# No compiling: it takes longer than it saves.
_ROOM = "SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"

_PERSON = """SELECT s.staff_id, s.name, s.state = 'active' AND s.kind = 'person' AS active,
    coalesce(ARRAY(SELECT m.team_id FROM team_members m
        WHERE m.tenant_id = s.tenant_id AND m.staff_id = s.staff_id ORDER BY m.team_id), '{}') AS teams
    FROM staff s"""
_BY_ID = sql(f"{_PERSON} WHERE s.tenant_id = :tenant AND s.staff_id = :staff_id")
_TEAM = sql("SELECT FROM teams WHERE tenant_id = :tenant AND team_id = :team_id")
_MEMBERS = sql(f"""{_PERSON} JOIN team_members x ON x.tenant_id = s.tenant_id AND x.staff_id = s.staff_id
    WHERE s.tenant_id = :tenant AND x.team_id = :team_id ORDER BY s.staff_id""")

# What has moved, into the histories and the stream of changes.
_TOLD = """
    history AS (
        INSERT INTO ownerships (tenant_id, customer_id, ownership_id, curator_id, team_id, from_curator_id,
            from_team_id, staff_id, assignment_id)
        SELECT :tenant, customer_id, :move_id, to_curator_id, to_team_id, curator_id, team_id, :staff_id, :assignment_id
        FROM moved
    ), told AS (
        INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
        SELECT :tenant, customer_id, customer_id, 'customer', 'reassigned' FROM moved
    )"""
_GIVE_BACK = """
    WITH held AS MATERIALIZED (
        SELECT c.customer_id, c.curator_id, c.team_id, o.at AS got_at, o.curator_id AS got_curator_id,
            o.team_id AS got_team_id, o.from_curator_id AS to_curator_id, o.from_team_id AS to_team_id
        FROM ownerships o JOIN customers c ON c.tenant_id = o.tenant_id AND c.customer_id = o.customer_id
        WHERE o.tenant_id = :tenant AND o.assignment_id = :assignment_id AND o.ownership_id = :assignment_id
        ORDER BY c.customer_id FOR NO KEY UPDATE OF c
    ), judged AS MATERIALIZED (
        SELECT h.*, (h.curator_id, h.team_id) IS NOT DISTINCT FROM (h.got_curator_id, h.got_team_id) AND {within}
            AND NOT EXISTS (SELECT FROM ownerships l WHERE l.tenant_id = :tenant AND l.customer_id = h.customer_id
                AND l.at > h.got_at) AS still
        FROM held h
    ), moved AS (
        UPDATE customers c SET curator_id = j.to_curator_id, team_id = j.to_team_id, version = c.version + 1,
            updated_at = now()
        FROM judged j WHERE c.tenant_id = :tenant AND c.customer_id = j.customer_id AND j.still
        RETURNING j.*
    ), {told}
    SELECT count(*) FILTER (WHERE still) AS returned, count(*) FILTER (WHERE NOT still) AS kept,
        ARRAY(SELECT customer_id FROM judged WHERE NOT still ORDER BY customer_id LIMIT 1000) AS kept_ids FROM judged
"""
_GIVE_ALL_BACK = sql(_GIVE_BACK.format(within="true", told=_TOLD))
_GIVE_OWN_BACK = sql(_GIVE_BACK.format(within="h.team_id = ANY (:teams::uuid[])", told=_TOLD))

_ADD = sql("""INSERT INTO assignments (tenant_id, assignment_id, staff_id, state, request, outcome, records)
    VALUES (:tenant, :assignment_id, :staff_id, 'done', :request, :outcome, :records)""")
_CARD = """SELECT a.assignment_id, a.staff_id, s.name AS made_by, a.state, a.request, a.outcome, a.records,
    a.created_at, a.undone_at
    FROM assignments a JOIN staff s ON s.tenant_id = a.tenant_id AND s.staff_id = a.staff_id
    WHERE a.tenant_id = :tenant"""
_ONE = sql(f"{_CARD} AND a.assignment_id = :assignment_id")
_LOCKED = sql(f"{_CARD} AND a.assignment_id = :assignment_id FOR NO KEY UPDATE OF a")
_PAGE = sql(f"{_CARD} AND a.assignment_id < :before ORDER BY a.assignment_id DESC LIMIT :limit")
_UNDONE = sql("""UPDATE assignments SET state = 'undone', undone_at = now(),
        outcome = outcome || jsonb_build_object('undone', :outcome::jsonb)
    WHERE tenant_id = :tenant AND assignment_id = :assignment_id""")

_POOL = sql(f"""SELECT c.customer_id, c.display_name, c.kind, c.status, c.region, c.city, h.code AS channel,
        c.import_id, c.created_at, t.revenue
    FROM customers c
    LEFT JOIN channels h ON h.tenant_id = c.tenant_id AND h.channel_id = c.channel_id
    LEFT JOIN purchase_totals t ON t.tenant_id = c.tenant_id AND t.customer_id = c.customer_id
        AND t.currency = :currency
    WHERE c.tenant_id = :tenant AND {_IN_POOL} AND c.customer_id > :after ORDER BY c.customer_id LIMIT :limit""")
_POOL_SIZE = sql(f"SELECT count(*) FROM customers c WHERE c.tenant_id = :tenant AND {_IN_POOL}")

_PRESENT = sql("""SELECT created_at, curator_id, team_id FROM customers
    WHERE tenant_id = :tenant AND customer_id = :customer_id""")
_MOVES = sql("""SELECT at, curator_id, team_id, from_curator_id, from_team_id, staff_id, assignment_id FROM (
        SELECT * FROM ownerships WHERE tenant_id = :tenant AND customer_id = :customer_id
        ORDER BY at DESC, ownership_id DESC LIMIT 1000) o
    ORDER BY at, ownership_id""")

_DEPUTY = """SELECT d.owner_id, o.name AS owner, d.deputy_id, p.name AS deputy, d.from_on, d.until_on
    FROM deputies d JOIN staff o ON o.tenant_id = d.tenant_id AND o.staff_id = d.owner_id
    JOIN staff p ON p.tenant_id = d.tenant_id AND p.staff_id = d.deputy_id WHERE d.tenant_id = :tenant"""
_OF_TEAMS = """EXISTS (SELECT FROM team_members m WHERE m.tenant_id = d.tenant_id AND m.staff_id = d.owner_id
    AND m.team_id = ANY (:teams::uuid[]))"""
_AFTER_DEPUTY = "(d.deputy_id, d.owner_id, d.from_on) > (:after_deputy::uuid, :after_owner::uuid, :after_on::date)"
_DEPUTIES = {
    narrow: sql(
        f"{_DEPUTY} AND {_AFTER_DEPUTY} {f'AND {_OF_TEAMS}' if narrow else ''}"
        " ORDER BY d.deputy_id, d.owner_id, d.from_on LIMIT :limit"
    )
    for narrow in (False, True)
}
_ONE_DEPUTY = sql(f"{_DEPUTY} AND d.owner_id = :owner_id AND d.deputy_id = :deputy_id AND d.from_on = :from_on")
_ADD_DEPUTY = sql("""INSERT INTO deputies (tenant_id, owner_id, deputy_id, from_on, until_on)
    VALUES (:tenant, :owner_id, :deputy_id, :from_on, :until_on) ON CONFLICT DO NOTHING""")
_OF_DEPUTY = "tenant_id = :tenant AND owner_id = :owner_id AND deputy_id = :deputy_id AND from_on = :from_on"
_STRIKE_OFF = sql(f"DELETE FROM deputies WHERE {_OF_DEPUTY}")
_END_DEPUTY = sql(f"UPDATE deputies SET until_on = :until_on WHERE {_OF_DEPUTY}")


@lru_cache(maxsize=512)
def _deal(
    filters: frozenset[str],
    by_ids: bool,
    unassigned: bool,
    bounded: bool,
    spread: Spread,
    many: bool,
    moving: bool,
    rule: str,
) -> Statement:
    """The SQL of one shape of hand-over, or of its dry run."""
    where = ["c.tenant_id = :tenant", *(FILTERS[name] for name in sorted(filters))]
    if by_ids:
        where.append("c.customer_id = ANY (:ids::uuid[])")
    if rule:
        where += [rule, "c.erased_at IS NULL"]
    if unassigned:
        where.append(_IN_POOL)
    elif bounded:
        where.append("c.team_id = ANY (:teams::uuid[])")
    lock = "ORDER BY c.customer_id FOR NO KEY UPDATE" if moving else ""
    order = "revenue DESC, customer_id" if spread is Spread.BALANCED else "customer_id"
    place = f"row_number() OVER (ORDER BY {order}) - 1" if many else "0::bigint"
    seats = "cardinality(:curators::uuid[])"
    seat = f"place % {seats}"
    if spread is Spread.BALANCED:
        seat = f"CASE WHEN place / {seats} % 2 = 0 THEN {seat} ELSE {seats} - 1 - {seat} END"
    source = f"""
    WITH chosen AS MATERIALIZED (
        SELECT c.customer_id, c.curator_id, c.team_id FROM customers c WHERE {" AND ".join(where)} {lock}
    ), valued AS (
        SELECT k.customer_id, k.curator_id, k.team_id, coalesce(t.revenue, 0) AS revenue
        FROM chosen k LEFT JOIN purchase_totals t ON t.tenant_id = :tenant AND t.customer_id = k.customer_id
            AND t.currency = :currency
    ), seated AS (
        SELECT p.*, ({seat})::int AS receiver FROM (SELECT v.*, {place} AS place FROM valued v) p
    ), dealt AS MATERIALIZED (
        SELECT *, (to_curator_id, to_team_id) IS DISTINCT FROM (curator_id, team_id) AS moves FROM (
            SELECT customer_id, curator_id, team_id, revenue, receiver,
                (:curators::uuid[])[1 + receiver] AS to_curator_id, (:to_teams::uuid[])[1 + receiver] AS to_team_id
            FROM seated) s
    )"""
    if moving:
        source += f""", moved AS (
        UPDATE customers c SET curator_id = d.to_curator_id, team_id = d.to_team_id, version = c.version + 1,
            updated_at = now()
        FROM dealt d WHERE c.tenant_id = :tenant AND c.customer_id = d.customer_id AND d.moves
        RETURNING d.*
    ), {_TOLD}"""
    return sql(f"""{source}
    SELECT receiver, count(*) FILTER (WHERE moves) AS moved, count(*) FILTER (WHERE NOT moves) AS unchanged,
        coalesce(sum(revenue), 0)::bigint AS revenue
    FROM dealt GROUP BY receiver ORDER BY receiver""")


class PgAssignments:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def person(self, staff_id: UUID) -> Person | None:
        row = await self._session.fetchrow(_BY_ID, staff_id=staff_id)
        return None if row is None else _person(row)

    async def members(self, team_id: UUID) -> list[Person] | None:
        if await self._session.fetchrow(_TEAM, team_id=team_id) is None:
            return None
        return [_person(row) for row in await self._session.fetch(_MEMBERS, team_id=team_id)]

    async def deal(
        self,
        selection: Selection,
        bounds: Bounds,
        receivers: Sequence[Receiver],
        spread: Spread,
        *,
        currency: str,
        assignment_id: UUID | None,
    ) -> list[Share]:
        """Deal the selection out; with the id of a hand-over it is done, without one it is only said."""
        moving = assignment_id is not None
        await self._session.command(_ROOM)
        if moving:
            # Whoever referred to an empty table before would have all of it read for each row now.
            await self._session.forget_plans()
        async with self._session.as_role(_TENANT):
            meant = await PgSegments(self._session).compiled(selection.rule) if selection.rule else EVERYBODY
            statement = _deal(
                frozenset(selection.filters),
                selection.customer_ids is not None,
                selection.unassigned,
                bounds.teams is not None,
                spread,
                len(receivers) > 1,
                moving,
                meant.where,
            )
            rows = await self._session.fetch(
                statement,
                **selection.filters,
                **meant.values,
                ids=list(set(selection.customer_ids or ())),
                teams=list(bounds.teams or ()),
                curators=[one.curator_id for one in receivers],
                to_teams=[one.team_id for one in receivers],
                currency=currency,
                staff_id=self._session.principal.staff_id,
                move_id=assignment_id,
                assignment_id=assignment_id,
            )
        return [Share(**dict(row)) for row in rows]

    async def add(
        self, assignment_id: UUID, request: Mapping[str, Any], outcome: Mapping[str, Any], records: int
    ) -> None:
        await self._session.execute(
            _ADD,
            assignment_id=assignment_id,
            staff_id=self._session.principal.staff_id,
            request=request,
            outcome=outcome,
            records=records,
        )

    async def card(self, assignment_id: UUID, *, lock: bool = False) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_LOCKED if lock else _ONE, assignment_id=assignment_id)

    async def page(self, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._session.fetch(_PAGE, before=before or _AFTER_ALL, limit=limit)

    async def give_back(self, assignment_id: UUID, undo_id: UUID, bounds: Bounds) -> Returned:
        await self._session.command(_ROOM)
        await self._session.forget_plans()
        async with self._session.as_role(_TENANT):
            row = await self._session.fetchrow(
                _GIVE_ALL_BACK if bounds.teams is None else _GIVE_OWN_BACK,
                assignment_id=assignment_id,
                move_id=undo_id,
                staff_id=self._session.principal.staff_id,
                teams=list(bounds.teams or ()),
            )
        assert row is not None
        return Returned(**dict(row))

    async def mark_undone(self, assignment_id: UUID, outcome: Mapping[str, Any]) -> None:
        await self._session.execute(_UNDONE, assignment_id=assignment_id, outcome=outcome)

    async def pool(self, after: UUID | None, limit: int) -> list[dict[str, Any]]:
        async with self._session.as_role(_TENANT):
            rows = await self._session.fetch(
                _POOL, after=after or _BEFORE_ALL, limit=limit, currency=self._session.principal.currency
            )
        return [dict(row) for row in rows]

    async def pool_size(self) -> int:
        async with self._session.as_role(_TENANT):
            return int(await self._session.fetchval(_POOL_SIZE))

    async def moves(self, customer_id: UUID) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]] | None:
        """The present state and the last thousand moves, oldest first; None when the record is not within reach."""
        present = await self._session.fetchrow(_PRESENT, customer_id=customer_id)
        if present is None:
            return None
        return present, await self._session.fetch(_MOVES, customer_id=customer_id)

    async def deputies(self, bounds: Bounds, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
        deputy, owner, day = after or (_BEFORE_ALL, _BEFORE_ALL, date.min)
        rows = await self._session.fetch(
            _DEPUTIES[bounds.teams is not None],
            teams=list(bounds.teams or ()),
            after_deputy=deputy,
            after_owner=owner,
            after_on=day,
            limit=limit,
        )
        return [dict(row) for row in rows]

    async def deputy(self, owner_id: UUID, deputy_id: UUID, from_on: date) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_ONE_DEPUTY, owner_id=owner_id, deputy_id=deputy_id, from_on=from_on)

    async def add_deputy(self, owner_id: UUID, deputy_id: UUID, from_on: date, until_on: date | None) -> bool:
        async with self._session.as_role(_TENANT):
            added = await self._session.execute(
                _ADD_DEPUTY, owner_id=owner_id, deputy_id=deputy_id, from_on=from_on, until_on=until_on
            )
        return added > 0

    async def end_deputy(self, owner_id: UUID, deputy_id: UUID, from_on: date, today: date) -> None:
        key = {"owner_id": owner_id, "deputy_id": deputy_id, "from_on": from_on}
        async with self._session.as_role(_TENANT):
            if from_on >= today:
                await self._session.execute(_STRIKE_OFF, **key)
            else:
                await self._session.execute(_END_DEPUTY, **key, until_on=today - timedelta(days=1))


def _person(row: Mapping[str, Any]) -> Person:
    return Person(staff_id=row["staff_id"], name=row["name"], active=row["active"], teams=tuple(row["teams"]))
