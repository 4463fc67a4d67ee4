"""Every operation of the OpenAPI document is carried out with its own example and answers as the document says.

What an operation needs first (a customer, an order, a job …) is brought by the example of another one, so the examples
fit together as well. A new operation takes part by itself; a new kind of id in a path wants a line in `_MADE_BY`.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from service.api.app import assemble
from service.api.openapi import document
from tests.api.support import Api, Client, api
from tests.leaks import a_signal
from tests.postgres import TestDatabase
from tests.quality import a_wrong_email
from tests.support import a_tenant

_DOCUMENT = document(assemble())
# An id in a path or a body: the operation that makes one, and where its answer names it.
_MADE_BY = {
    "add": ("customers.create", "customer_id"),
    "assignment_id": ("assignments.create", "assignment_id"),
    "channel_id": ("channels.create", "channel_id"),
    "confirm": ("customers.create", "customer_id"),
    "cost_id": ("channels.add_cost", "cost_id"),
    "curator_id": ("staff.create", "staff_id"),
    "customer_id": ("customers.create", "customer_id"),
    "deputy_id": ("staff.create", "staff_id"),
    "erasure_id": ("customers.erase", "erasure_id"),
    "export_id": ("exports.create", "export_id"),
    "fix_id": ("quality.fix", "fix_id"),
    "from_on": ("deputies.create", "from_on"),
    "import_id": ("imports.create", "import_id"),
    "interaction_id": ("interactions.create", "interaction_id"),
    "job_id": ("exports.create", "job_id"),
    "request_id": ("access.ask", "request_id"),
    "merge_id": ("customers.merge", "merge_id"),
    "name": ("attributes.create", "name"),
    "note_id": ("notes.create", "note_id"),
    "order_id": ("orders.create", "order_id"),
    "run_id": ("quality.fix", "run_id"),
    "scheme_id": ("rfm.create_scheme", "scheme_id"),
    "segment_id": ("segments.create", "segment_id"),
    "staff_id": ("staff.create", "staff_id"),
    "team_id": ("teams.create", "team_id"),
    "version": ("terms.publish", "version"),
}
_FIXED = {"code": "customer-not-found", "external_id": "A-7", "kind": "works_at"}
# What else must be there before an operation is tried.
_AFTER = {
    "assignments.create": ("customers.create",),
    "customers.unlink": ("customers.link",),
    "duplicates.unmark": ("duplicates.mark",),
    "orders.create": ("customers.create",),
    "quality.reopen": ("quality.dismiss",),
    "rfm.migration": ("rfm.take_snapshot",),
    "orders.batch": ("customers.create",),
    "orders.put_by_external_id": ("customers.create",),
}
# What an example is told besides when it is to make something: as it stands it only tries.
_TO_MAKE: dict[str, dict[str, Any]] = {
    "assignments.create": {"dry_run": False},
    "customers.merge": {"dry_run": False},
}
# Done by a manager who does not reach the record; everything else by the head.
_BY_ANOTHER = ("access.ask",)
# Decided by a second person with the reach over the tenant, on an export that always waits for one.
_BY_A_SECOND = ("exports.approve", "exports.reject")
_WAITING = {"kind": "migration", "columns": None}
# Needs a segment without a rule.
_OF_A_LIST = ("segments.edit_members", "segments.upload_members")
# These act on a job that has not begun.
_BEFORE_JOBS = ("jobs.cancel", "imports.cancel")
_LINES = b"""order_id,customer_id,ordered_at,sku,quantity,unit_price
N1,C1,2026-03-01 12:00:00,TEA,2,349.90
N2,,2026-03-01,TEA,1,1
"""


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    spec: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def example(self) -> Any:
        return self.spec.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")


_OPERATIONS = {
    spec["operationId"]: Operation(method.upper(), path, spec)
    for path, methods in _DOCUMENT["paths"].items()
    for method, spec in methods.items()
}


@dataclass(slots=True)
class Trial:
    """One tenant in which operations are carried out, each at most once unless asked again."""

    world: Api
    head: Client
    manager: Client
    second: Client
    answers: dict[str, Any] = field(default_factory=dict)

    async def prepare(self, name: str) -> None:
        """Everything that the operation wants to be there."""
        if name in _BY_A_SECOND:
            await self.carry_out("exports.create", **_WAITING)
        if name in _OF_A_LIST:
            await self.carry_out("segments.create", text=None)
        for parameter in _OPERATIONS[name].parameters:
            await self.made(parameter)
        if name not in _BEFORE_JOBS:
            await self.world.run_jobs()
        self.answers.pop(name, None)

    async def made(self, name: str) -> str:
        """An id of that kind, made by its operation's example."""
        if name in _FIXED:
            return _FIXED[name]
        if name == "owner_id":  # somebody else than the one who stands in
            return str(self.head.principal.staff_id)
        ways = {"other_id": self._another, "cluster_id": self._cluster, "request_token": self._token}
        if name in ways:
            return await ways[name]()
        if name == "issue_id":
            return await self._issue()
        if name == "signal_id":
            return await a_signal(self.world.container.pool, self.head.principal)
        maker, answer = _MADE_BY[name]
        if maker not in self.answers:
            await self.carry_out(maker, **_TO_MAKE.get(maker, {}))
            if name == "team_id":
                await self._staffed(self.answers[maker][answer])
        return str(self.answers[maker][answer])

    async def _another(self) -> str:
        """A second customer, the same each time."""
        answer = await self.head.put("/v1/customers/by-external-id/another", json={"family_name": "Другая"})
        return str(answer.json()["customer_id"])

    async def _issue(self) -> str:
        """What is wrong with a customer, the same each time."""
        if "issue" not in self.answers:
            answer = await self.head.post("/v1/customers", json={"family_name": "Ошибкин"})
            customer_id = answer.json()["customer_id"]
            pool, tenant_id = self.world.container.pool, self.world.tenant.tenant_id
            self.answers["issue"] = await a_wrong_email(pool, tenant_id, self.head, customer_id)
        return str(self.answers["issue"])

    async def _cluster(self) -> str:
        """Of two customers of one and the same."""
        twin = _OPERATIONS["customers.create"].example | {"external_ids": []}
        for _ in range(2):
            answer = await self.head.post("/v1/customers", json=twin)
        path = f"/v1/customers/{answer.json()['customer_id']}/duplicates"
        for _ in range(100):  # an older transaction somewhere in the cluster may have to end first
            await self.world.container.matcher.refresh_tenant(self.world.tenant.tenant_id)
            if found := (await self.head.get(path)).json()["cluster_id"]:
                return str(found)
            await asyncio.sleep(0.1)
        raise AssertionError("the two are not found alike")

    async def _token(self) -> str:
        """What a manager gets who is about to create a customer that somebody else has."""
        await self.made("customer_id")
        twin = _OPERATIONS["customers.create"].example | {"external_ids": []}
        answer = await self.manager.post("/v1/customers", params={"on_duplicate": "refuse"}, json=twin)
        assert answer.status_code == 409, answer.text
        return str(answer.json()["possible_duplicates"][0]["request_token"])

    async def _staffed(self, team_id: str) -> None:
        answer = await self.head.patch(f"/v1/staff/{self.head.principal.staff_id}", json={"teams": [team_id]})
        assert answer.status_code == 200, answer.text

    async def carry_out(self, name: str, **besides: Any) -> None:
        """The operation with its example, and what is said `besides` in its body."""
        operation = _OPERATIONS[name]
        for earlier in _AFTER.get(name, ()):
            if earlier not in self.answers:
                await self.carry_out(earlier)
        path = operation.path
        for parameter in operation.parameters:
            path = path.replace(f"{{{parameter}}}", await self.made(parameter))
        needed = [
            one["name"] for one in operation.spec.get("parameters", []) if one["in"] == "query" and one["required"]
        ]
        query = {one: await self.made(one) for one in needed}
        client = self.manager if name in _BY_ANOTHER else self.second if name in _BY_A_SECOND else self.head
        answer = await client.request(
            operation.method, path, params=query, **await self._body(name, operation, besides)
        )
        self._check(name, operation, answer)
        self.answers[name] = answer.json() if "json" in answer.headers.get("content-type", "") else None

    async def _body(self, name: str, operation: Operation, besides: dict[str, Any]) -> dict[str, Any]:
        if name == "imports.create":
            return {"files": {"file": ("orders.csv", _LINES)}}
        if name == "segments.upload_members":
            return {"files": {"file": ("ids.csv", (await self.made("customer_id")).encode())}}
        return {} if operation.example is None else {"json": await self._filled(operation.example) | besides}

    async def _filled(self, value: Any, name: str = "") -> Any:
        """The example with ids that exist in place of those that only look like some."""
        if isinstance(value, dict):
            return {key: await self._filled(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            # Of several customers the second is another one.
            names = [name.removesuffix("s"), "other_id" if name == "customer_ids" else name.removesuffix("s")]
            return [await self._filled(inner, names[place > 0]) for place, inner in enumerate(value)]
        return await self.made(name) if _is_id(value) or name == "request_token" else value

    def _check(self, name: str, operation: Operation, answer: Any) -> None:
        expected = [status for status in operation.spec["responses"] if status.startswith("2")]
        assert str(answer.status_code) in expected, f"{name}: {answer.status_code} {answer.text[:500]}"
        content = operation.spec["responses"][str(answer.status_code)].get("content", {}).get("application/json")
        if content and answer.content:
            schema = {**content["schema"], "components": _DOCUMENT["components"]}
            Draft202012Validator(schema).validate(answer.json())


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) == 36 and bool(UUID(value))
    except ValueError:
        return False


def _of_the_service(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith("ops.")]


def test_every_operation_answers_its_example_as_the_document_says(database: TestDatabase) -> None:
    async def run() -> dict[str, str]:
        faults: dict[str, str] = {}
        async with api(database) as world:
            for name in _of_the_service(_OPERATIONS):
                tenant = await a_tenant(world.container.pool, database.owner_url, database.service_url)
                here = replace(world, tenant=tenant)
                trial = Trial(here, await here.client(), await here.client(reach="own"), await here.client())
                try:
                    await trial.prepare(name)
                    await trial.carry_out(name)
                except Exception as error:
                    faults[name] = f"{type(error).__name__}: {str(error)[:600]}"
        return faults

    faults = asyncio.run(run())
    assert faults == {}, "\n".join(f"{name}: {told}" for name, told in faults.items())
