"""Staff and teams of a tenant; only those with reach over all of it may write them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import Statement, sql

_TEAMS_OF = """coalesce(ARRAY(SELECT m.team_id FROM team_members m
    WHERE m.tenant_id = s.tenant_id AND m.staff_id = s.staff_id ORDER BY m.team_id), '{}') AS teams"""
_STAFF = f"""SELECT s.staff_id, s.subject, s.name, s.kind, s.state, s.scopes, {_TEAMS_OF}, s.created_at
    FROM staff s WHERE s.tenant_id = :tenant"""
_CARD = sql(f"{_STAFF} AND s.staff_id = :staff_id")
_LOCKED = sql(f"{_STAFF} AND s.staff_id = :staff_id FOR NO KEY UPDATE OF s")
_PAGE = sql(f"{_STAFF} AND s.subject > :after ORDER BY s.subject LIMIT :limit")
_ADD = sql("""
    INSERT INTO staff (tenant_id, staff_id, subject, name, kind, state, scopes)
    VALUES (:tenant, :staff_id, :subject, :name, :kind, :state, :scopes)
""")
_UPDATE = sql("""
    UPDATE staff SET name = :name, state = :state, scopes = :scopes
    WHERE tenant_id = :tenant AND staff_id = :staff_id
""")
_LEAVE = sql("""
    DELETE FROM team_members
    WHERE tenant_id = :tenant AND staff_id = :staff_id AND NOT team_id = ANY (:teams::uuid[])
""")
_JOIN = sql("""
    INSERT INTO team_members (tenant_id, team_id, staff_id)
    SELECT :tenant, team_id, :staff_id FROM unnest(:teams::uuid[]) AS team_id ON CONFLICT DO NOTHING
""")
_TEAMS = sql("""
    SELECT t.team_id, t.name, t.created_at, (SELECT count(*) FROM team_members m
        WHERE m.tenant_id = t.tenant_id AND m.team_id = t.team_id) AS members
    FROM teams t WHERE t.tenant_id = :tenant AND t.name > :after ORDER BY t.name LIMIT :limit
""")
_TEAM = sql("""
    SELECT t.team_id, t.name, t.created_at, (SELECT count(*) FROM team_members m
        WHERE m.tenant_id = t.tenant_id AND m.team_id = t.team_id) AS members
    FROM teams t WHERE t.tenant_id = :tenant AND t.team_id = :team_id
""")
_ADD_TEAM = sql("INSERT INTO teams (tenant_id, team_id, name) VALUES (:tenant, :team_id, :name)")
_ME = sql("""
    SELECT s.name, s.state, t.name AS tenant_name, coalesce(
        (SELECT json_agg(json_build_object('team_id', g.team_id, 'name', g.name) ORDER BY g.name) FROM teams g
         WHERE g.tenant_id = s.tenant_id AND g.team_id = ANY (:teams::uuid[])), '[]') AS teams
    FROM staff s JOIN tenants t ON t.tenant_id = s.tenant_id
    WHERE s.tenant_id = :tenant AND s.staff_id = :staff_id
""")

Row = dict[str, Any]


class PgStaff:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def me(self) -> Row | None:
        """Name and state of the caller, the tenant's name, and the teams as JSON that the database has written."""
        principal = self._session.principal
        return await self._one(_ME, staff_id=principal.staff_id, teams=list(principal.teams))

    async def card(self, staff_id: UUID, *, lock: bool = False) -> Row | None:
        """One staff row with its teams; `lock` holds it until the transaction ends."""
        return await self._one(_LOCKED if lock else _CARD, staff_id=staff_id)

    async def page(self, after: str, limit: int) -> Sequence[Row]:
        return await self._many(_PAGE, after=after, limit=limit)

    async def add(
        self, staff_id: UUID, *, subject: str, name: str, kind: str, state: str, scopes: Sequence[str]
    ) -> None:
        await self._session.execute(
            _ADD, staff_id=staff_id, subject=subject, name=name, kind=kind, state=state, scopes=list(scopes)
        )

    async def update(self, staff_id: UUID, *, name: str, state: str, scopes: Sequence[str]) -> None:
        await self._session.execute(_UPDATE, staff_id=staff_id, name=name, state=state, scopes=list(scopes))

    async def place(self, staff_id: UUID, teams: Sequence[UUID]) -> None:
        """Make these the person's teams, all of them. Raises UnknownReference."""
        await self._session.execute(_LEAVE, staff_id=staff_id, teams=list(teams))
        await self._session.execute(_JOIN, staff_id=staff_id, teams=list(teams))

    async def team(self, team_id: UUID) -> Row | None:
        return await self._one(_TEAM, team_id=team_id)

    async def teams(self, after: str, limit: int) -> Sequence[Row]:
        return await self._many(_TEAMS, after=after, limit=limit)

    async def add_team(self, team_id: UUID, name: str) -> None:
        await self._session.execute(_ADD_TEAM, team_id=team_id, name=name)

    async def _one(self, statement: Statement, **values: object) -> Row | None:
        row = await self._session.fetchrow(statement, **values)
        return None if row is None else dict(row)

    async def _many(self, statement: Statement, **values: object) -> list[Row]:
        return [dict(row) for row in await self._session.fetch(statement, **values)]
