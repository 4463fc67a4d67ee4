"""The whole HTTP application over a real database, in process, with tokens for the staff of a fresh tenant."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from service.api.app import assemble
from service.api.services import Services
from service.api.tokens import issue
from service.bootstrap import build_container
from service.domain.access import Principal
from service.settings import AuthSettings, ContactSettings, DatabaseSettings, Settings
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

T = TypeVar("T")
_SECRET = secrets.token_urlsafe(48)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A client of the running application, in a tenant of its own."""

    http: httpx.AsyncClient
    services: Services
    tenant: Tenant

    async def call(self, method: str, path: str, principal: Principal | None = None, **options: Any) -> httpx.Response:
        """A request with the token of that principal."""
        headers = dict(options.pop("headers", {}))
        if principal is not None:
            token = issue(
                _SECRET,
                tenant=principal.tenant,
                subject=principal.subject,
                scopes=sorted(principal.scopes),
                issuer=AuthSettings().issuer,
                audience=AuthSettings().audience,
            )
            headers["Authorization"] = f"Bearer {token}"
        return await self.http.request(method, path, headers=headers, **options)


def in_the_api(database: TestDatabase, scenario: Callable[[Api], Awaitable[T]]) -> T:
    """Run a scenario against the application."""

    async def run() -> T:
        settings = Settings(
            database=DatabaseSettings(url=SecretStr(database.service_url), pool_size=6),
            auth=AuthSettings(secret=SecretStr(_SECRET)),
            contacts=ContactSettings(lookup_key=SecretStr(_SECRET)),
        )
        container = await build_container(settings)

        @asynccontextmanager
        async def opened() -> AsyncIterator[Services]:
            yield container.services

        app = assemble(opened)
        transport = httpx.ASGITransport(app=app)
        try:
            client = httpx.AsyncClient(transport=transport, base_url="http://clientbase")
            async with app.router.lifespan_context(app), client as http:
                tenant = await a_tenant(container.pool, database.owner_url, database.service_url)
                return await scenario(Api(http=http, services=container.services, tenant=tenant))
        finally:
            await asyncio.wait_for(container.aclose(), 10)

    return asyncio.run(run())
