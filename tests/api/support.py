"""The whole HTTP application over a real database, in process, with tokens for the staff of a fresh tenant.

async with api(database) as world:
    head = await world.client()                               # a new member of the staff, every scope, whole tenant
    anna = await world.client(reach="own", scopes=("customers:read",))
    answer = await head.post("/v1/customers", json={…})       # a client is an httpx.AsyncClient with a `principal`
    await world.run_jobs()                                    # what the worker would do, here and now
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
from pydantic import SecretStr

from service.api.app import assemble
from service.api.services import Services
from service.api.tokens import issue
from service.bootstrap import Container, bounds, build_container
from service.domain.access import Principal
from service.settings import AuditSettings, AuthSettings, ContactSettings, DatabaseSettings, Settings
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

T = TypeVar("T")
_SECRET = secrets.token_urlsafe(48)
# The worker's queue holds jobs of all tests of this process; only those of one tenant are wanted.
_TAKE = """DELETE FROM jobs.pgqueuer WHERE status = 'queued' AND convert_from(payload, 'UTF8')::json ->> 'tenant' = $1
    RETURNING id, payload"""


class Client(httpx.AsyncClient):
    """Requests of one member of the staff."""

    def __init__(self, transport: httpx.AsyncBaseTransport, principal: Principal, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        super().__init__(transport=transport, base_url="http://clientbase", headers=headers)
        self.principal = principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The running application, in a tenant of its own."""

    http: httpx.AsyncClient  # no token
    transport: httpx.AsyncBaseTransport
    container: Container
    database: TestDatabase
    tenant: Tenant

    @property
    def services(self) -> Services:
        return self.container.services

    async def client(
        self,
        *,
        reach: str = "tenant",
        scopes: tuple[str, ...] | None = None,
        teams: tuple[str, ...] = (),
        subject: str | None = None,
    ) -> Client:
        """A new member of the staff with every scope (or those named) and a client with his token."""
        return self.client_of(await self.tenant.staff(subject, reach=reach, scopes=scopes, teams=teams))

    def client_of(self, principal: Principal, *, scopes: Iterable[str] | None = None) -> Client:
        """A client with that principal's token; `scopes` narrows what the token asks for."""
        return Client(self.transport, principal, token_of(principal, scopes))

    async def call(self, method: str, path: str, principal: Principal | None = None, **options: Any) -> httpx.Response:
        """One request with the token of that principal."""
        headers = dict(options.pop("headers", {}))
        if principal is not None:
            headers["Authorization"] = f"Bearer {token_of(principal)}"
        return await self.http.request(method, path, headers=headers, **options)

    async def run_jobs(self) -> int:
        """Carry out what this tenant has queued, jobs queued meanwhile included, as the worker would; how many."""
        connection = await asyncpg.connect(self.database.service_url)
        done = 0
        try:
            await connection.execute("SET ROLE clientbase_queue")
            while rows := await connection.fetch(_TAKE, self.tenant.slug):
                for row in sorted(rows, key=lambda row: int(row["id"])):
                    await self.container.runner.run(row["payload"])
                    done += 1
        finally:
            await connection.close()
        return done


def token_of(principal: Principal, scopes: Iterable[str] | None = None, **claims: Any) -> str:
    """A valid token of that principal; `claims` are handed on to `issue`."""
    auth = AuthSettings()
    given = {"issuer": auth.issuer, "audience": auth.audience, "tenant": principal.tenant} | claims
    asked = sorted(principal.scopes if scopes is None else scopes)
    return issue(_SECRET, subject=principal.subject, scopes=asked, **given)


def settings_for(database: TestDatabase) -> Settings:
    return Settings(
        database=DatabaseSettings(url=SecretStr(database.service_url), pool_size=6),
        auth=AuthSettings(secret=SecretStr(_SECRET)),
        contacts=ContactSettings(lookup_key=SecretStr(_SECRET)),
        audit=AuditSettings(
            anchor_file=Path(tempfile.gettempdir()) / f"{database.name}.anchors", anchor_key=SecretStr(_SECRET)
        ),
    )


@asynccontextmanager
async def api(database: TestDatabase, *, currency: str = "RUB", settings: Settings | None = None) -> AsyncIterator[Api]:
    """The application, started; it is taken down when the block is left."""
    settings = settings or settings_for(database)
    container = await build_container(settings)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Services]:
        yield container.services

    app = assemble(opened, bounds(settings))
    transport = httpx.ASGITransport(app=app)
    try:
        client = httpx.AsyncClient(transport=transport, base_url="http://clientbase")
        async with app.router.lifespan_context(app), client as http:
            tenant = await a_tenant(container.pool, database.owner_url, database.service_url, currency=currency)
            yield Api(http=http, transport=transport, container=container, database=database, tenant=tenant)
    finally:
        await asyncio.wait_for(container.aclose(), 10)


def in_the_api(database: TestDatabase, scenario: Callable[[Api], Awaitable[T]]) -> T:
    """Run a scenario against the application."""

    async def run() -> T:
        async with api(database) as world:
            return await scenario(world)

    return asyncio.run(run())
