"""Creating a tenant and its first staff: the operator's work, by the owner's login, never the service's."""

from collections.abc import Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from service.db.session import quote
from service.domain.access import Scope
from service.domain.ids import new_id


async def create_tenant(owner_url: str, *, slug: str, name: str, time_zone: str, currency: str) -> int:
    """A new tenant, or the id of the one that has this slug already."""
    ZoneInfo(time_zone)
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE clientbase_operator; SET LOCAL app.slug = {quote(slug)}")
            known = await connection.fetchval("SELECT tenant_id FROM tenants WHERE slug = $1", slug)
            if known is not None:
                return int(known)
            return int(
                await connection.fetchval(
                    "INSERT INTO tenants (slug, name, time_zone, currency) VALUES ($1, $2, $3, $4) RETURNING tenant_id",
                    slug,
                    name,
                    time_zone,
                    currency,
                )
            )
    finally:
        await connection.close()


async def add_staff(
    owner_url: str,
    tenant_id: int,
    *,
    subject: str,
    name: str,
    scopes: Sequence[str] = tuple(Scope),
    kind: str = "person",
    teams: Sequence[str] = (),
) -> UUID:
    """A staff row with the scopes it may ever use, in teams that are made when they are missing."""
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE clientbase_operator; SET LOCAL app.tenant = '{int(tenant_id)}'")
            known = await connection.fetchval(
                "SELECT staff_id FROM staff WHERE tenant_id = $1 AND subject = $2", tenant_id, subject
            )
            if known is not None:
                return UUID(str(known))
            staff_id = new_id()
            await connection.execute(
                "INSERT INTO staff (tenant_id, staff_id, subject, name, kind, scopes) VALUES ($1, $2, $3, $4, $5, $6)",
                tenant_id,
                staff_id,
                subject,
                name,
                kind,
                [str(scope) for scope in scopes],
            )
            for team in teams:
                await _join(connection, tenant_id, team, staff_id)
            return staff_id
    finally:
        await connection.close()


async def _join(connection: asyncpg.Connection, tenant_id: int, team: str, staff_id: UUID) -> None:
    team_id = await connection.fetchval("SELECT team_id FROM teams WHERE tenant_id = $1 AND name = $2", tenant_id, team)
    if team_id is None:
        team_id = new_id()
        await connection.execute(
            "INSERT INTO teams (tenant_id, team_id, name) VALUES ($1, $2, $3)", tenant_id, team_id, team
        )
    await connection.execute(
        "INSERT INTO team_members (tenant_id, team_id, staff_id) VALUES ($1, $2, $3)", tenant_id, team_id, staff_id
    )
