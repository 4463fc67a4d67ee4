"""The gate lets additions through and names each change that breaks a client."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.openapi_changes import announced, breaking, main

Document = dict[str, Any]


def _document() -> Document:
    problem: Document = {"content": {"application/problem+json": {"examples": {"gone": {}, "bad": {}}}}}
    thing = {
        "type": "object",
        "required": ["id", "state"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "state": {"type": "string", "enum": ["new", "done"]},
            "note": {"anyOf": [{"type": "string", "maxLength": 50}, {"type": "null"}]},
            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
        },
    }
    wish: Document = copy.deepcopy(thing) | {"additionalProperties": False, "required": ["state"]}
    wish["properties"]["parts"]["items"]["$ref"] = "#/components/schemas/Wish"
    operation = {
        "operationId": "things.create",
        "x-scopes": ["things:write"],
        "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 200}}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}},
        },
        "responses": {
            "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
            "422": problem,
        },
    }
    return {
        "info": {"version": "0.3.1"},
        "paths": {"/things": {"post": operation}},
        "components": {"schemas": {"Thing": thing, "Wish": wish}},
    }


def _post(document: Document) -> Document:
    found: Document = document["paths"]["/things"]["post"]
    return found


def _schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def _changed(change: Callable[[Document], object]) -> list[str]:
    new = _document()
    change(new)
    return breaking(_document(), new)


def test_the_same_document_breaks_nothing() -> None:
    assert breaking(_document(), _document()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/more": {"get": {"responses": {}}}}),
        lambda d: _post(d)["x-scopes"].clear(),
        lambda d: _post(d)["parameters"].append({"name": "sort", "in": "query", "schema": {"type": "string"}}),
        lambda d: _post(d)["parameters"][0]["schema"].update(maximum=500),
        lambda d: _schema(d, "Thing")["properties"].update(more={"type": "string"}),
        lambda d: _schema(d, "Wish")["properties"].update(more={"type": "string"}),
        lambda d: _schema(d, "Wish")["properties"]["state"]["enum"].append("late"),
        lambda d: _schema(d, "Thing")["properties"]["state"]["enum"].append("late"),
        lambda d: _schema(d, "Wish")["required"].clear(),
        lambda d: _schema(d, "Thing")["required"].append("note"),
        lambda d: _schema(d, "Thing")["properties"].update(note={"type": "string"}),
    ],
)
def test_additions_pass(change: Callable[[Document], object]) -> None:
    assert _changed(change) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["paths"].clear(), "POST /things: removed"),
        (lambda d: _post(d).update(operationId="things.make"), "operationId changed"),
        (lambda d: _post(d)["x-scopes"].append("things:admin"), "needs the scope things:admin now"),
        (lambda d: _post(d)["parameters"].clear(), "parameter limit: removed"),
        (lambda d: _post(d)["parameters"][0].update(required=True), "parameter limit: required now"),
        (lambda d: _post(d)["parameters"][0]["schema"].update(maximum=100), "maximum is 100 now"),
        (
            lambda d: _post(d)["parameters"].append({"name": "to", "in": "query", "required": True, "schema": {}}),
            "parameter to: new and required",
        ),
        (lambda d: _post(d)["responses"].pop("200"), "no longer answers 200"),
        (lambda d: _post(d).pop("requestBody"), "application/json is no longer taken"),
        (
            lambda d: _post(d)["responses"]["422"]["content"]["application/problem+json"]["examples"].pop("bad"),
            "problem code bad: removed",
        ),
        (lambda d: _schema(d, "Thing")["properties"].pop("note"), "200.note: removed"),
        (lambda d: _schema(d, "Thing")["required"].remove("id"), "200.id: may be missing now"),
        (lambda d: _schema(d, "Thing")["properties"].update(id={"type": "integer"}), "became integer"),
        (
            lambda d: _schema(d, "Thing")["properties"].update(
                id={"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
            ),
            "200.id: may be null now",
        ),
        (lambda d: _schema(d, "Thing")["properties"]["state"]["enum"].remove("new"), "200.state: no longer new"),
        (lambda d: _schema(d, "Thing")["properties"]["parts"].update(items={"type": "string"}), "parts[]"),
        (lambda d: _schema(d, "Wish")["properties"].pop("note"), "body.note: removed"),
        (lambda d: _schema(d, "Wish")["required"].append("id"), "body.id: required now"),
        (lambda d: _schema(d, "Wish")["properties"]["state"]["enum"].remove("new"), "body.state: no longer new"),
        (lambda d: _schema(d, "Wish")["properties"]["id"].update(enum=["a"]), "body.id: only a now"),
        (lambda d: _schema(d, "Wish")["properties"].update(note={"type": "string"}), "body.note: null became string"),
        (lambda d: _schema(d, "Wish")["properties"]["note"]["anyOf"][0].update(maxLength=9), "maxLength is 9 now"),
        (lambda d: _schema(d, "Wish")["properties"]["id"].update(pattern="^a"), "pattern is ^a now"),
    ],
)
def test_breaks_are_named(change: Callable[[Document], object], said: str) -> None:
    found = _changed(change)
    assert any(said in one for one in found), found


def test_a_raised_version_announces_a_break(tmp_path: Path) -> None:
    new = _document()
    new["paths"].clear()
    assert not announced(_document(), new)
    (tmp_path / "old.json").write_text(json.dumps(_document()))
    (tmp_path / "new.json").write_text(json.dumps(new))
    assert main(str(tmp_path / "old.json"), str(tmp_path / "new.json")) == 1
    new["info"]["version"] = "0.4.0"
    (tmp_path / "new.json").write_text(json.dumps(new))
    assert main(str(tmp_path / "old.json"), str(tmp_path / "new.json")) == 0
