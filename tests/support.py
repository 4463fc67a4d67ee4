"""A tenant of its own for each test: real rows, really committed, on the real Postgres."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

import asyncpg

from service.db.directory import PgDirectory
from service.db.session import open_pool
from service.db.tenancy import add_staff, create_tenant
from service.db.unit_of_work import PgUnitOfWork
from service.domain.access import Principal, Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A fresh tenant and the way to act in it."""

    tenant_id: int
    slug: str
    owner_url: str
    service_url: str
    pool: asyncpg.Pool
    uow: PgUnitOfWork

    async def staff(
        self,
        subject: str | None = None,
        *,
        reach: str = "tenant",
        scopes: tuple[str, ...] | None = None,
        teams: tuple[str, ...] = (),
    ) -> Principal:
        """A new staff member with every scope (or those named), seeing own, team or tenant."""
        subject = subject or f"staff-{uuid4().hex[:8]}"
        granted = scopes if scopes is not None else tuple(s for s in Scope if not s.startswith("reach:"))
        await add_staff(
            self.owner_url,
            self.tenant_id,
            subject=subject,
            name=subject.title(),
            scopes=(*granted, f"reach:{reach}"),
            teams=teams,
        )
        return await PgDirectory(self.pool).by_subject(self.slug, subject, (*granted, f"reach:{reach}"))


async def a_tenant(
    pool: asyncpg.Pool, owner_url: str, service_url: str, *, time_zone: str = "Europe/Moscow", currency: str = "RUB"
) -> Tenant:
    slug = f"t-{uuid4().hex[:12]}"
    tenant_id = await create_tenant(owner_url, slug=slug, name="Test", time_zone=time_zone, currency=currency)
    return Tenant(
        tenant_id=tenant_id,
        slug=slug,
        owner_url=owner_url,
        service_url=service_url,
        pool=pool,
        uow=PgUnitOfWork(pool),
    )


def in_a_tenant(
    owner_url: str, service_url: str, scenario: Callable[[Tenant], Awaitable[T]], *, currency: str = "RUB"
) -> T:
    """Run an async scenario in a tenant of its own, with a pool of its own."""

    async def run() -> T:
        pool = await open_pool(service_url, size=6)
        try:
            return await scenario(await a_tenant(pool, owner_url, service_url, currency=currency))
        finally:
            await asyncio.wait_for(pool.close(), 10)

    return asyncio.run(run())


def some_id() -> UUID:
    return uuid4()
