"""The OpenAPI document is valid, complete, current, and never breaks its clients unannounced."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.api.app import assemble
from service.api.catalogue import entries
from service.api.openapi import VERSION, document, operations
from service.domain.access import Scope

_ROOT = Path(__file__).resolve().parents[2]
_COMMITTED = _ROOT / "docs" / "openapi.json"


@cache
def _built() -> dict[str, Any]:
    return document(assemble())


def _each() -> list[dict[str, Any]]:
    return list(operations(_built()))


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(_built()).validate()


def test_the_committed_document_is_current() -> None:
    assert json.loads(_COMMITTED.read_text(encoding="utf-8")) == _built(), "run `make openapi >docs/openapi.json`"


def test_the_version_is_that_of_the_package() -> None:
    assert f'version = "{VERSION}"' in (_ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_operation_ids_are_unique_and_name_area_and_verb() -> None:
    ids = [operation["operationId"] for operation in _each()]
    assert len(ids) == len(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z]+\.[a-z_]+", one)] == []


@pytest.mark.parametrize("operation", _each(), ids=lambda operation: operation["operationId"])
def test_an_operation_says_all_that_a_client_needs(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"].split("\n\nScopes: ")[0]
    assert operation["tags"]
    for scope in operation["x-scopes"]:
        assert Scope(scope)
        assert f"`{scope}`" in operation["description"]
    answers = operation["responses"]
    assert any(status.startswith("2") for status in answers)
    for status, answer in answers.items():
        if not status.startswith("2"):
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["examples"].keys() <= entries().keys()
    assert operation["security"] == [{"bearer": []}] or operation["tags"] == ["ops"]


def _contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).items()


@pytest.mark.parametrize("operation", _each(), ids=lambda operation: operation["operationId"])
def test_every_example_fits_its_schema(operation: dict[str, Any]) -> None:
    for media, content in _contents(operation):
        values = [content["example"]] if "example" in content else []
        values += [one["value"] for one in content.get("examples", {}).values()]
        assert values, f"{media} has no example"
        schema = {**content["schema"], "components": _built()["components"]}
        for value in values:
            Draft202012Validator(schema).validate(value)
