"""Who takes part in the matrix, and the records that each of them holds, with markers that give a leak away."""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx

from tests.api.support import Api, Client
from tests.leaks import a_signal
from tests.quality import a_wrong_email
from tests.support import Tenant, a_tenant

Params = dict[str, str]
_LINES = "order_id,customer_id,ordered_at,sku,quantity,unit_price\n{mark}o,{mark}c,2026-03-01 12:00:00,TEA,2,349.90\n"
PORTFOLIO = {
    "customer",
    "order",
    "note",
    "interaction",
    "request",
    "link",
    "cluster",
    "mark",
    "deputy",
    "merge",
    "issue",
    "dismissal",
    "fix",
}
MADE = {"import", "export", "job", "assignment", "erasure"}
COMMON = {"segment", "scheme", "signal", "staff", "channel", "cost", "attribute"}


@dataclass(slots=True, kw_only=True)
class Person:
    """A member of the staff, a client with every right of his reach, and a word that stands in all that is his."""

    name: str
    client: Client
    mark: str = field(default_factory=lambda: f"zq{secrets.token_hex(6)}")
    kept: dict[str, Params] = field(default_factory=dict)

    @property
    def staff_id(self) -> str:
        return str(self.client.principal.staff_id)

    @property
    def team_id(self) -> str:
        return str(self.client.principal.teams[0])

    @property
    def reach(self) -> str:
        return self.client.principal.reach.value


def a_file(mark: str) -> bytes:
    """A file of orders that nobody has sent before."""
    return _LINES.format(mark=f"{mark}{secrets.token_hex(3)}").encode()


async def told(answer: httpx.Response, status: int | tuple[int, ...] = (200, 201, 202)) -> Any:
    expected = status if isinstance(status, tuple) else (status,)
    request = answer.request
    assert answer.status_code in expected, f"{request.method} {request.url}: {answer.status_code} {answer.text[:400]}"
    return answer.json() if answer.content else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """manager, lead, mate, exporter and analyst in one team, a colleague in another; and an alien of another tenant."""

    world: Api
    people: dict[str, Person]

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def head_of(self, person: Person) -> Person:
        return self.people["boss" if person.name == "alien" else "admin"]

    async def settle(self) -> None:
        """Everybody whom somebody else does not reach holds something of each kind that lists could tell of."""
        for name in ("mate", "colleague", "alien"):
            for kind in ("order", "note", "interaction", "request", "link", "import", "export"):
                await self.kept(kind, self[name])
            await self._world_of(self[name]).run_jobs()

    async def kept(self, kind: str, holder: Person, *, done: bool = False) -> Params:
        """A record of that kind, always the same one."""
        key = f"{kind} done" if done else kind
        if key not in holder.kept:
            holder.kept[key] = await self.fresh(kind, holder, done=done)
        return holder.kept[key]

    async def fresh(self, kind: str, holder: Person, *, done: bool = False) -> Params:
        """A new record of that kind, held by that person."""
        made: Params = await getattr(self, f"_{kind}")(holder)
        if done:
            await self._world_of(holder).run_jobs()
        return made

    def _world_of(self, person: Person) -> Api:
        tenant = replace(self.world.tenant, slug=person.client.principal.tenant)
        return replace(self.world, tenant=tenant)

    async def _customer(self, holder: Person) -> Params:
        key = secrets.token_hex(6)
        body = {
            "kind": "person",
            "family_name": holder.mark,
            "given_name": holder.mark,
            "city": holder.mark,
            "tags": [holder.mark],
            "external_ids": [{"source": "shop", "external_id": f"{holder.mark}-{key}"}],
            "contacts": [{"kind": "email", "value": f"{holder.mark}.{key}@example.com"}],
            "curator_id": holder.staff_id,
            "team_id": holder.team_id,
        }
        made = await told(await self.head_of(holder).client.post("/v1/customers", json=body))
        return {"customer_id": made["customer_id"], "external_id": f"{holder.mark}-{key}"}

    async def _order(self, holder: Person) -> Params:
        customer = await self.kept("customer", holder)
        body = {
            "customer_id": customer["customer_id"],
            "external_id": f"{holder.mark}-{secrets.token_hex(4)}",
            "sales_channel": holder.mark,
            "ordered_at": "2026-10-01T12:00:00Z",
            "status": "completed",
            "total": "700",
        }
        return {"order_id": (await told(await holder.client.post("/v1/orders", json=body)))["order_id"]}

    async def _note(self, holder: Person) -> Params:
        customer_id = (await self.kept("customer", holder))["customer_id"]
        made = await told(await holder.client.post(f"/v1/customers/{customer_id}/notes", json={"text": holder.mark}))
        return {"customer_id": customer_id, "note_id": made["note_id"]}

    async def _interaction(self, holder: Person) -> Params:
        customer_id = (await self.kept("customer", holder))["customer_id"]
        body = {"kind": "call", "direction": "out", "outcome": holder.mark}
        made = await told(await holder.client.post(f"/v1/customers/{customer_id}/interactions", json=body))
        return {"customer_id": customer_id, "interaction_id": made["interaction_id"]}

    async def _link(self, holder: Person) -> Params:
        one, other = await self._customer(holder), await self._customer(holder)
        body = {"kind": "works_at", "other_id": other["customer_id"]}
        await told(await holder.client.post(f"/v1/customers/{one['customer_id']}/links", json=body))
        return {"customer_id": one["customer_id"], "other_id": other["customer_id"]}

    async def _merge(self, holder: Person) -> Params:
        ids = [(await self._customer(holder))["customer_id"] for _ in range(2)]
        body = {"customer_ids": ids, "dry_run": False}
        return {"merge_id": (await told(await holder.client.post("/v1/customers/merge", json=body)))["merge_id"]}

    async def _issue(self, holder: Person) -> Params:
        customer_id = (await self._customer(holder))["customer_id"]
        tenant_id = holder.client.principal.tenant_id
        head = self.head_of(holder).client
        return {"issue_id": await a_wrong_email(self.world.container.pool, tenant_id, head, customer_id)}

    async def _dismissal(self, holder: Person) -> Params:
        issue = await self._issue(holder)
        await told(await holder.client.post(f"/v1/quality/issues/{issue['issue_id']}/dismiss", json={}))
        return issue

    async def _fix(self, holder: Person) -> Params:
        issue = await self._issue(holder)
        made = await told(await holder.client.post(f"/v1/quality/issues/{issue['issue_id']}/fix"))
        return {"fix_id": made["fix_id"], "run_id": made["run_id"]}

    async def _cluster(self, holder: Person) -> Params:
        """Two records of one and the same."""
        one, other = await self._customer(holder), await self._customer(holder)
        alike = {"contacts": [{"kind": "email", "value": f"{secrets.token_hex(6)}@example.com"}]}
        for record in (one, other):
            path = f"/v1/customers/{record['customer_id']}"
            await told(await holder.client.patch(path, json=alike | {"family_name": f"{holder.mark} twin"}))
        principal = holder.client.principal
        for _ in range(100):  # an older transaction somewhere in the cluster may have to end first
            await self.world.container.matcher.refresh_tenant(principal.tenant_id)
            likes = await told(await holder.client.get(f"/v1/customers/{one['customer_id']}/duplicates"))
            if likes["cluster_id"]:
                break
            await asyncio.sleep(0.1)
        return {"cluster_id": likes["cluster_id"]}

    async def _mark(self, holder: Person) -> Params:
        one, other = await self._customer(holder), await self._customer(holder)
        pair = {"customer_id": one["customer_id"], "other_id": other["customer_id"]}
        await told(await holder.client.post("/v1/quality/never-merge", json=pair))
        return pair

    async def _request(self, holder: Person) -> Params:
        wanted = await self._customer(holder)
        asker = self.people["asker" if holder.name != "alien" else "alien asker"]
        body = {"external_id": wanted["external_id"], "source": "shop", "reason": holder.mark}
        return {"request_id": (await told(await asker.client.post("/v1/access-requests", json=body)))["request_id"]}

    async def _erasure(self, holder: Person) -> Params:
        """A right that takes the reach over the tenant."""
        customer_id = (await self._customer(holder))["customer_id"]
        body = {"confirm": customer_id, "reason": "Request 17", "asked_on": "2026-11-20"}
        eraser = holder if holder.reach == "tenant" else self.head_of(holder)
        made = await told(await eraser.client.post(f"/v1/customers/{customer_id}/erase", json=body))
        return {"erasure_id": made["erasure_id"]}

    async def _import(self, holder: Person) -> Params:
        files = {"file": (f"{holder.mark}.csv", a_file(holder.mark))}
        return {"import_id": (await told(await holder.client.post("/v1/imports", files=files)))["import_id"]}

    async def _export(self, holder: Person) -> Params:
        return {"export_id": (await self._exported(holder))["export_id"]}

    async def _job(self, holder: Person) -> Params:
        files = {"file": (f"{holder.mark}.csv", a_file(holder.mark))}
        return {"job_id": (await told(await holder.client.post("/v1/imports", files=files)))["job_id"]}

    async def _exported(self, holder: Person) -> Any:
        body = {"what": "customers", "columns": ["external_ids", "display_name", "city"], "purpose": holder.mark}
        return await told(await holder.client.post("/v1/exports", json=body))

    async def _assignment(self, holder: Person) -> Params:
        """Who reaches no further than his own hands nothing over: for him the administrator does it."""
        customer_id = (await self._customer(holder))["customer_id"]
        giver = holder if holder.reach != "own" else self.head_of(holder)
        body = {
            "select": {"customer_ids": [customer_id]},
            "to": {"curator_id": holder.staff_id},
            "reason": holder.mark,
            "dry_run": False,
        }
        answer = await giver.client.post("/v1/assignments", json=body)
        return {"assignment_id": (await told(answer))["assignment_id"]}

    async def _staff(self, holder: Person) -> Params:
        body = {
            "subject": f"{holder.name}-{secrets.token_hex(4)}".replace(" ", "-"),
            "name": "A colleague" if holder.name != "alien" else holder.mark,
            "scopes": ["customers:read", "reach:own"],
        }
        return {"staff_id": (await told(await self.head_of(holder).client.post("/v1/staff", json=body)))["staff_id"]}

    async def _signal(self, holder: Person) -> Params:
        return {"signal_id": await a_signal(self.world.container.pool, self.head_of(holder).client.principal)}

    async def _scheme(self, holder: Person) -> Params:
        name = f"a scheme {secrets.token_hex(4)}" if holder.name != "alien" else f"{holder.mark} {secrets.token_hex(4)}"
        made = await told(await self.head_of(holder).client.post("/v1/rfm/schemes", json={"name": name}))
        return {"scheme_id": made["scheme_id"]}

    async def _segment(self, holder: Person) -> Params:
        mark = holder.mark if holder.name == "alien" else "a segment"
        name = f"{mark} {secrets.token_hex(4)}"
        made = await told(await holder.client.post("/v1/segments", json={"name": name}))
        return {"segment_id": made["segment_id"]}

    async def _channel(self, holder: Person) -> Params:
        body = {"code": f"c-{secrets.token_hex(4)}", "name": "A fair", "kind": "advertising"}
        if holder.name == "alien":
            body["name"] = holder.mark
        made = await told(await self.head_of(holder).client.post("/v1/channels", json=body))
        return {"channel_id": made["channel_id"]}

    async def _cost(self, holder: Person) -> Params:
        channel = await self._channel(holder)
        body = {"from_on": "2026-03-01", "until_on": "2026-03-31", "amount": "120000.00"}
        path = f"/v1/channels/{channel['channel_id']}/costs"
        return channel | {"cost_id": (await told(await self.head_of(holder).client.post(path, json=body)))["cost_id"]}

    async def _attribute(self, holder: Person) -> Params:
        name = f"a_{secrets.token_hex(5)}"
        body = {"name": name, "kind": "choice", "label": "Tea", "choices": ["black", "green", "oolong"]}
        await told(await self.head_of(holder).client.post("/v1/attributes", json=body))
        return {"name": name}

    async def _deputy(self, holder: Person) -> Params:
        """He stands in for a colleague of the team who has just come, and not for long."""
        head = self.head_of(holder).client
        owner, deputy = [(await self._staff(holder))["staff_id"] for _ in range(2)]
        for one in (owner, deputy):
            await told(await head.patch(f"/v1/staff/{one}", json={"teams": [holder.team_id]}))
        body = {"owner_id": owner, "deputy_id": deputy, "from_on": "2099-12-01", "until_on": "2099-12-14"}
        await told(await head.post("/v1/deputies", json=body))
        return {"owner_id": owner, "deputy_id": deputy, "from_on": "2099-12-01"}


async def a_cast(world: Api) -> Cast:
    async def person(name: str, reach: str, team: str, tenant: Tenant = world.tenant) -> Person:
        here = replace(world, tenant=tenant)
        return Person(name=name, client=await here.client(reach=reach, teams=(team,)))

    there = await a_tenant(world.container.pool, world.database.owner_url, world.database.service_url)
    people = [
        await person("manager", "own", "Волга"),
        await person("lead", "team", "Волга"),
        await person("mate", "own", "Волга"),
        await person("exporter", "own", "Волга"),
        await person("analyst", "tenant", "Волга"),
        await person("admin", "tenant", "Волга"),
        await person("colleague", "own", "Дон"),
        await person("asker", "own", "Обь"),
        await person("alien", "own", "Енисей", there),
        await person("alien asker", "own", "Лена", there),
        await person("boss", "tenant", "Енисей", there),
    ]
    return Cast(world=world, people={one.name: one for one in people})


def missing_like(params: Params) -> Params:
    """Names of the same shape for what never was."""
    ids = {name: str(uuid4()) for name in params if name.endswith("_id") and name != "external_id"}
    return params | ids | ({"name": f"a_{secrets.token_hex(5)}"} if "name" in params else {})


def reaches(caller: Person, holder: Person, kind: str) -> bool:
    """Whether the caller's reach covers what that holder holds."""
    if holder.name == "alien":
        return False
    if kind in COMMON or caller.reach == "tenant":
        return True
    if (kind == "assignment" and holder.reach == "own") or (kind == "erasure" and holder.reach != "tenant"):
        return False  # the administrator has made it
    if caller is holder:
        return True
    return kind in PORTFOLIO and caller.reach == "team" and caller.team_id == holder.team_id
