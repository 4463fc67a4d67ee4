"""What the server owns can't be set by who writes: every model × every such field is refused, as JSON and as a form."""

import copy
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from service.api.app import assemble
from service.api.openapi import document
from service.db.tables import metadata
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase

_DOCUMENT = document(assemble())
_SCHEMAS = _DOCUMENT["components"]["schemas"]
_SOME_ID = "01890000-0000-7000-8000-000000000000"
# Besides every column that some table has: words that other frameworks take.
_WORDS = {"id", "role", "roles", "is_admin", "tenant", "owner", "reach", "permissions", "__proto__", "_id", "class"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_AT_ONCE = 40
# What holds whatever its sender likes: the names of attributes, of preferences, of a file's columns.
_FREE = {"attributes", "preferences", "mapping"}


def _owned() -> list[str]:
    """Every name of a column, whichever table: a model may take those that it documents, and none besides."""
    return sorted({column.name for table in metadata.sorted_tables for column in table.columns} | _WORDS)


def _resolved(schema: Any) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = _SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return schema


def _writes() -> Iterator[tuple[str, str, str, Any, Any]]:
    """Operation, method, path, the schema of its JSON body and its example."""
    for path, verbs in _DOCUMENT["paths"].items():
        for verb, spec in verbs.items():
            content = spec.get("requestBody", {}).get("content", {}).get("application/json")
            if content and path.startswith("/v1"):
                yield spec["operationId"], verb.upper(), path, _resolved(content["schema"]), content.get("example")


def _objects(schema: Any, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Every object that a body can hold, by its name, the body itself first."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            yield from _objects(_SCHEMAS[name], seen | {name})
        return
    if "properties" in schema:
        yield str(schema.get("title")), schema
    inner = [one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, [])]
    inner += [schema["items"]] if "items" in schema else []
    inner += [one for name, one in schema.get("properties", {}).items() if name not in _FREE]
    for one in inner:
        yield from _objects(one, seen)


def test_every_object_that_is_sent_refuses_what_it_does_not_know() -> None:
    open_ones = {
        f"{operation}: {name}"
        for operation, _, _, schema, _ in _writes()
        for name, one in _objects(schema)
        if one.get("additionalProperties") is not False
    }
    assert open_ones == set()
    assert sum(1 for _ in _writes()) > 25


def test_no_model_takes_what_the_server_owns() -> None:
    """Ids of the tenant, versions, times of writing, hashes and sums stand in no model that is sent."""
    never = {"tenant_id", "version", "created_at", "updated_at", "erased_at", "sort_name", "lookup", "masked", "totals"}
    taken = {
        (operation, name)
        for operation, _, _, schema, _ in _writes()
        for _, one in _objects(schema)
        for name in one.get("properties", {})
        if name in never
    }
    assert taken == set()


def _at(path: str) -> str:
    return re.sub(r"{[^}]*}", _SOME_ID, path)


async def _let_in(client: Any, write: tuple[str, str, str, Any, Any], names: list[str]) -> list[str]:
    """Which of these fields, sent with the example, are not refused by name; and alone in a form, not at all."""
    operation, method, path, _, example = write
    body = copy.deepcopy(example) if isinstance(example, dict) else {}
    answer = await client.request(method, _at(path), json=body | dict.fromkeys(names, _SOME_ID))
    errors = answer.json().get("errors", []) if answer.status_code == 422 else []
    refused = {one["pointer"].rpartition("/")[2] for one in errors}
    form = await client.request(method, _at(path), content=urlencode(dict.fromkeys(names, _SOME_ID)), headers=_FORM)
    as_form = [] if 400 <= form.status_code < 500 else [f"{operation}: as a form: {form.status_code}"]
    return as_form + [f"{operation}: {name}: {answer.status_code}" for name in names if name not in refused]


def test_no_field_of_the_server_gets_in(database: TestDatabase) -> None:
    async def scenario(world: Api) -> list[str]:
        client = await world.client()
        faults: list[str] = []
        tried = 0
        for write in _writes():
            names = [name for name in _owned() if name not in write[3].get("properties", {})]
            for first in range(0, len(names), _AT_ONCE):
                faults += await _let_in(client, write, names[first : first + _AT_ONCE])
            tried += len(names)
        assert tried > 1_000
        return faults

    faults = in_the_api(database, scenario)
    assert faults == [], "\n".join(faults[:20])


def test_a_foreign_tenant_in_query_and_header_changes_nothing(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await head.post("/v1/customers", json={"family_name": "Иванова"}, params={"tenant_id": 1})
        path = f"/v1/customers/{made.json()['customer_id']}"
        usual = (await head.get(path)).json()
        for name in ("tenant", "tenant_id", "staff_id", "reach", "app.tenant"):
            told = await head.get(path, params={name: "1"}, headers={name.replace(".", "-"): "1", "x-tenant": "1"})
            assert told.json() == usual

    in_the_api(database, scenario)
