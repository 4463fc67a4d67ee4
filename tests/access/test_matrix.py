"""Every operation × role × relation to a record, against the table; no answer holds anything of a foreign record."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from service.api.app import assemble
from service.api.openapi import document
from tests.access.cast import Cast, Params, Person, a_cast, a_file, missing_like, reaches
from tests.access.table import MATRIX, Row
from tests.api.support import Client, in_the_api, token_of
from tests.postgres import TestDatabase

_DOCUMENT = document(assemble())
_OPERATIONS = {
    spec["operationId"]: (verb.upper(), path, spec)
    for path, verbs in _DOCUMENT["paths"].items()
    for verb, spec in verbs.items()
    if path.startswith("/v1")
}
_READS = {"customers:read", "orders:read", "segments:read", "quality:read", "audit:read"}
# What the token asks for; None is everything, as far as the reach goes.
_ROLES: dict[str, set[str] | None] = {
    "manager": None,
    "lead": None,
    "analyst": _READS | {"reach:tenant"},
    "exporter": {"exports:create", "customers:read", "reach:own"},
    "admin": None,
    "nobody": set(),
}
_WIDTH = {"own": 0, "team": 1, "tenant": 2}
_RELATIONS = ("own", "team", "same tenant", "other tenant", "missing")
_UNTOLD = ("x-request-id", "date", "ratelimit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    row: Row
    role: str
    relation: str
    caller: Person
    holder: Person

    @property
    def lacking(self) -> bool:
        granted = _ROLES[self.role]
        return granted is not None and not self.row.scopes <= granted

    @property
    def reached(self) -> bool:
        return self.relation != "missing" and reaches(self.caller, self.holder, self.row.kind or "")

    @property
    def expected(self) -> int:
        if self.role == "nobody":
            return 401
        if self.lacking or _WIDTH[self.caller.reach] < _WIDTH[self.row.reach]:
            return 403
        if self.row.kind is not None and not self.reached:
            return self.row.beyond
        return self.row.mine if self.caller is self.holder or self.row.kind is None else self.row.within


def test_every_operation_stands_in_the_matrix() -> None:
    listed = {row.operation for row in MATRIX}
    assert sorted(set(_OPERATIONS) - listed) == [], "operations without a row in tests/access/table.py"
    assert sorted(listed - set(_OPERATIONS)) == [], "rows of operations that there are no more"


def test_the_matrix_and_the_document_name_the_same_scopes() -> None:
    for row in MATRIX:
        assert row.scopes == set(_OPERATIONS[row.operation][2]["x-scopes"]), row.operation


def test_a_path_that_names_a_record_is_asked_with_one() -> None:
    for name, (_, path, _spec) in _OPERATIONS.items():
        if "_id}" in path.replace("external_id", "") or "{name}" in path:
            assert any(row.kind for row in MATRIX if row.operation == name and not row.place), name


def _body(row: Row, params: Params, cast: Cast, caller: Person, own: Params) -> Any:
    """The worked example of the operation, with ids that exist, and what names the record in its place."""
    example = _OPERATIONS[row.operation][2].get("requestBody", {}).get("content", {}).get("application/json", {})
    body = example.get("example")
    if body is None:
        return None
    body = dict(body)
    fill = _FILLED.get(row.name) or _FILLED.get(row.operation)
    return body | fill(params, cast, caller, own) if fill else body


def _ordered(params: Params, *_: Any) -> dict[str, Any]:
    return {"customer_id": params["customer_id"], "external_id": secrets.token_hex(8), **_ANONYMOUS}


_ANONYMOUS = {"customer_external_id": None, "customer_source": ""}
_FILLED: dict[str, Any] = {
    "access.ask": lambda p, cast, caller, own: {
        "request_token": None,
        "external_id": own["external_id"],
        "source": "shop",
    },
    "assignments.create": lambda p, cast, caller, own: {
        "select": {"customer_ids": [(p or own)["customer_id"]]},
        "to": {"curator_id": caller.staff_id},
    },
    "attributes.create": lambda *_: {"name": f"a_{secrets.token_hex(5)}"},
    "channels.create": lambda *_: {"code": f"c-{secrets.token_hex(4)}"},
    "customers.batch": lambda *_: {"items": [{"family_name": "Новая"}]},
    "customers.create": lambda *_: {"external_ids": [], "contacts": []},
    "customers.erase": lambda p, *_: {"confirm": p["customer_id"]},
    "customers.link": lambda p, cast, caller, own: {"other_id": own["customer_id"]},
    "customers.link#other_id": lambda p, *_: {"other_id": p["customer_id"]},
    "customers.merge#customer_ids": lambda p, cast, caller, own: {
        "customer_ids": [own["customer_id"], p["customer_id"]],
        "fields": {},
    },
    "duplicates.mark#other_id": lambda p, cast, caller, own: {
        "customer_id": own["customer_id"],
        "other_id": p["customer_id"],
    },
    "customers.reveal_many#ids": lambda p, *_: {"customer_ids": [p["customer_id"]]},
    "customers.tag": lambda *_: {"filters": {"kind": "organisation"}},
    "customers.tag#ids": lambda p, *_: {"filters": None, "customer_ids": [p["customer_id"]]},
    "exports.create": lambda *_: {"filters": {}, "group": None, "columns": ["display_name", "city"]},
    "orders.batch#items": lambda p, *_: {
        "items": [{"ordered_at": "2026-03-01T12:30:00Z", "total": "5", "customer_id": p["customer_id"]}]
    },
    "orders.create": _ordered,
    "orders.put_by_external_id": lambda p, *_: {"customer_id": p["customer_id"], **_ANONYMOUS},
    "products.put": lambda *_: {"sku": secrets.token_hex(4)},
    "quality.fix_many#issue_ids": lambda p, *_: {"issue_ids": [p["issue_id"]], "dry_run": False},
    "segments.create": lambda *_: {"name": secrets.token_hex(6)},
    "segments.freeze": lambda *_: {"name": secrets.token_hex(6)},
    "segments.overlap#segment_ids": lambda p, *_: {"segment_ids": [p["segment_id"]]},
    "segments.explain": lambda p, *_: {"customer_id": p["customer_id"]},
    "staff.create": lambda *_: {"subject": secrets.token_hex(6)},
    "teams.create": lambda *_: {"name": secrets.token_hex(6)},
    "tokens.revoke": lambda *_: {"token_id": None},
}
_QUERY: dict[str, Any] = {
    "customers.unlink": lambda p: {"kind": "works_at", "other_id": p["other_id"]},
    "erasures.list": lambda p: {"customer_id": p["customer_id"]} if p else {},
    "orders.list": lambda p: {"customer_id": p["customer_id"], "count": "exact"} if p else {"count": "exact"},
    "customers.list": lambda _: {"count": "exact"},
}


async def _ask(cell: Cell, client: Client | httpx.AsyncClient, cast: Cast, params: Params) -> httpx.Response:
    row = cell.row
    method, path, _ = _OPERATIONS[row.operation]
    # The caller's own record, for what the operation needs besides the one in question.
    own = await cast.kept("customer", cell.caller)
    named = {"customer_id": own["customer_id"]} | ({} if row.place else params)
    named["version"] = "1"
    path = re.sub(r"{(\w+)}", lambda match: named.get(match[1]) or secrets.token_hex(8), path)
    if row.operation == "imports.create":
        return await client.request(method, path, files={"file": ("new.csv", a_file("new"))})
    if row.operation == "segments.upload_members":
        return await client.request(method, path, files={"file": ("ids.csv", own["customer_id"].encode())})
    if row.operation == "tokens.revoke" and isinstance(client, Client):
        client = Client(client._transport, client.principal, token_of(client.principal))
    options: dict[str, Any] = {"params": _QUERY.get(row.operation, lambda _: {})(params)}
    body = _body(row, params, cast, cell.caller, own)
    if row.operation == "deputies.create":
        body |= {"owner_id": (await cast.fresh("deputy", cell.caller))["owner_id"]}
        body |= {"deputy_id": (await cast.fresh("deputy", cell.caller))["owner_id"]}
    return await client.request(method, path, **options | ({} if body is None else {"json": body}))


def _cells(cast: Cast, row: Row) -> Iterator[Cell]:
    for role in _ROLES:
        caller = cast["manager" if role == "nobody" else role]
        holders = {
            "own": caller,
            "team": cast["mate"],
            "same tenant": cast["colleague"],
            "other tenant": cast["alien"],
            "missing": cast["colleague"],
        }
        for relation in _RELATIONS if row.kind else ("own",):
            yield Cell(row=row, role=role, relation=relation, caller=caller, holder=holders[relation])


def told_of(answer: httpx.Response, params: Params) -> tuple[Any, ...]:
    """An answer without the ids that were asked for: foreign and missing must tell the same, to the byte."""
    text = answer.text
    for name in (answer.request.url.path, *params.values()):
        text = text.replace(name, "·")
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in _UNTOLD)
    return answer.status_code, text, headers


def _foreign_marks(cast: Cast, caller: Person, role: str) -> set[str]:
    people = cast.people.values()
    if role == "nobody":
        return {one.mark for one in people}
    return {one.mark for one in people if one.name.startswith("alien") or not reaches(caller, one, "customer")}


async def _row_faults(cast: Cast, row: Row) -> list[str]:
    faults = []
    beyond: dict[str, dict[str, Any]] = {}
    for cell in _cells(cast, row):
        label = f"{row.name} × {cell.role} × {cell.relation}"
        params = await _record(cast, cell)
        client = cast.world.http
        if cell.role != "nobody":
            client = cast.world.client_of(cell.caller.client.principal, scopes=_ROLES[cell.role])
        answer = await _ask(cell, client, cast, params)
        if answer.status_code != cell.expected:
            faults.append(f"{label}: {answer.status_code} in place of {cell.expected}; {answer.text[:300]}")
        if row.kind and not cell.reached:
            beyond.setdefault(cell.role, {})[cell.relation] = told_of(answer, params)
        asked = " ".join(params.values())
        leaked = [mark for mark in _foreign_marks(cast, cell.caller, cell.role) if mark in answer.text]
        if [mark for mark in leaked if mark not in asked]:
            faults.append(f"{label}: the answer holds a foreign marker; {answer.text[:300]}")
    for role, answers in beyond.items():
        for relation, answer in answers.items():
            if answer != answers["missing"]:
                faults.append(f"{row.name} × {role}: {relation} and missing differ; {answer} {answers['missing']}")
    return faults


async def _record(cast: Cast, cell: Cell) -> Params:
    """Fresh where the operation may change it, otherwise the same one each time."""
    row = cell.row
    if row.kind is None:
        return {}
    if cell.relation == "missing":
        return missing_like(await cast.kept(row.kind, cell.holder, done=row.done))
    writes = _OPERATIONS[row.operation][0] != "GET"
    if writes and cell.expected < 300:
        return await cast.fresh(row.kind, cell.holder, done=row.done)
    return await cast.kept(row.kind, cell.holder, done=row.done)


def test_every_cell_answers_as_the_matrix_says(database: TestDatabase) -> None:
    async def scenario(world: Any) -> list[str]:
        cast = await a_cast(world)
        await cast.settle()
        seen = (await cast["admin"].client.get("/v1/customers", params={"limit": 100})).text
        assert cast["mate"].mark in seen, "who reaches a record sees its marker"
        assert cast["colleague"].mark in seen
        faults: list[str] = []
        for row in MATRIX:
            try:
                faults += await _row_faults(cast, row)
            except Exception as error:
                faults.append(f"{row.name}: {type(error).__name__}: {str(error)[:600]}")
        return faults

    faults = in_the_api(database, scenario)
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
