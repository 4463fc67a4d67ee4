"""The demo's company: a tenant of its own for every run, its staff, teams and channels, and a token for each caller.

The tenant and its administrator are the operator's work; the rest is done over HTTP, as an administrator would.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from service.api.tokens import issue
from service.db.tenancy import add_staff, create_tenant
from service.demo.client import Service
from service.demo.customers import CHANNELS, CURATORS, TEAMS
from service.domain.access import Scope
from service.settings import AuthSettings, local_secrets

ADMIN, MANAGER, GUARD = "administrator", "manager-1", "guard"
LEADS = {team: f"lead-{number}" for number, team in enumerate(TEAMS, start=1)}
_LIFE_S = 12 * 3600
_ZONES = {"RUB": "Europe/Moscow", "GBP": "Europe/London", "USD": "America/New_York", "EUR": "Europe/Berlin"}
_ALL = tuple(str(scope) for scope in Scope)
_READ = ("customers:read", "customers:write", "orders:read", "segments:read", "quality:read")
_RIGHTS = {"manager": (*_READ, "reach:own"), "lead": (*_READ, "imports:write", "reach:team")}
# Sees every record and agrees to exports that he has not asked for himself.
_GUARDS = ("customers:read", "exports:approve", "reach:tenant")
_STAFF = {"manager": "Менеджер", "lead": "Руководитель"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A tenant, and how its tokens are signed."""

    tenant: str
    secret: str

    def token(self, subject: str, scopes: Sequence[str]) -> str:
        """A token for one member of the staff, good for half a day."""
        auth = AuthSettings()
        return issue(
            self.secret,
            subject=subject,
            tenant=self.tenant,
            scopes=scopes,
            issuer=auth.issuer,
            audience=auth.audience,
            ttl_seconds=_LIFE_S,
        )

    def guard(self) -> str:
        """The token of the one who agrees to exports."""
        return self.token(GUARD, _GUARDS)

    def tokens(self) -> dict[str, str]:
        """Tokens by caller: the administrator, who sees all, then the leads, then one manager."""
        leads = {lead: self.token(lead, _RIGHTS["lead"]) for lead in LEADS.values()}
        return {ADMIN: self.token(ADMIN, _ALL), **leads, MANAGER: self.token(MANAGER, _RIGHTS["manager"])}


def found(owner_url: str, state_dir: Path, currency: str) -> Company:
    """A tenant that no run before has used, with an administrator."""
    slug = _next_slug(state_dir)

    async def create() -> None:
        zone = _ZONES.get(currency, "UTC")
        tenant_id = await create_tenant(owner_url, slug=slug, name=slug, time_zone=zone, currency=currency)
        await add_staff(owner_url, tenant_id, subject=ADMIN, name="Администратор", scopes=_ALL)
        await add_staff(owner_url, tenant_id, subject=GUARD, name="Служба безопасности", scopes=_GUARDS)

    asyncio.run(create())
    return Company(tenant=slug, secret=local_secrets(state_dir)["auth_secret"])


def populate(service: Service) -> None:
    """Teams with a lead and managers each, and the channels by which customers come."""
    for team in TEAMS:
        team_id = service.post("/v1/teams", {"name": team})["team_id"]
        names = [LEADS[team], *(curator for curator, of in CURATORS if of == team)]
        for name in names:
            role, _, number = name.partition("-")
            person = {"subject": name, "name": f"{_STAFF[role]} {number}", "scopes": _RIGHTS[role], "teams": [team_id]}
            service.post("/v1/staff", person)
    for code, kind, name, _ in CHANNELS:
        service.post("/v1/channels", {"code": code, "name": name, "kind": kind})


def _next_slug(state_dir: Path) -> str:
    note = state_dir / "demo.json"
    runs = int(orjson.loads(note.read_bytes())["runs"]) + 1 if note.exists() else 1
    # Noted before the tenant is made: a run that breaks off costs a number, never a shared tenant.
    note.write_bytes(orjson.dumps({"runs": runs}))
    return "demo" if runs == 1 else f"demo-{runs}"
