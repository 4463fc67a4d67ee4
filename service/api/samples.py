"""An example of every answer, made from its schema: what a field states as its example, else a plain value of its type.

The same schema always gives the same example, so the published document changes only when the API does.
"""

from collections.abc import Mapping
from typing import Any

_DEEPEST = 8
_TEXTS = {
    "uuid": "019377a4-6c00-7000-8000-000000000001",
    "date-time": "2026-11-22T09:30:00Z",
    "date": "2026-11-22",
    "binary": "…",
}
Schema = Mapping[str, Any]


def sample(schema: Schema, schemas: Mapping[str, Schema], depth: int = 0) -> Any:
    """A value that fits the schema; a nullable one is shown filled, a nesting without end is cut short."""
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    for stated in ("examples", "enum"):
        if schema.get(stated):
            return schema[stated][0]
    for stated in ("const", "default"):
        if schema.get(stated) is not None:
            return schema[stated]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return sample(next((one for one in options if one.get("type") != "null"), options[0]), schemas, depth)
    if "allOf" in schema:
        return sample(schema["allOf"][0], schemas, depth)
    return _of_type(schema, schemas, depth)


def with_nulls(value: Any, schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """A stated example with its nulls, which FastAPI leaves out: each required member that may be null has one."""
    if "$ref" in schema:
        return with_nulls(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if isinstance(value, list):
        return [with_nulls(one, schema.get("items", {}), schemas) for one in value]
    if not isinstance(value, dict):
        return value
    options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if options:
        return with_nulls(value, options[0], schemas)
    members = schema.get("properties", {})
    whole = {name: None for name in schema.get("required", []) if name in members and _nullable(members[name])} | value
    return {name: with_nulls(one, members.get(name, {}), schemas) for name, one in whole.items()}


def _nullable(schema: Schema) -> bool:
    return any(one.get("type") == "null" for one in schema.get("anyOf", []))


def _of_type(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            return {name: sample(one, schemas, depth + 1) for name, one in schema.get("properties", {}).items()}
        case "array":
            return _items(schema, schemas, depth)
        case "integer":
            return schema.get("minimum", 1)
        case "number":
            return 1.5
        case "boolean":
            return False
        case "string":
            return _TEXTS.get(schema.get("format", ""), "text"[: schema.get("maxLength", 4)])
    return None


def _items(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [sample(one, schemas, depth + 1) for one in schema["prefixItems"]]
    if depth > _DEEPEST or "items" not in schema:
        return []
    return [sample(schema["items"], schemas, depth + 1)] * int(schema.get("minItems", 1) or 1)
