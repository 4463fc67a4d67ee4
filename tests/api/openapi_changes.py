"""Which changes of the OpenAPI document break the clients that were generated from the older one.

Additions never do. Whatever a client may send today must be taken tomorrow, and whatever it reads today must still
be there. A deliberate break raises the version (the first number, or the second while the first is 0).
`python -m tests.api.openapi_changes BASE.json NEW.json` lists the breaks and exits 1 when there are unannounced ones.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

Direction = Literal["request", "response"]
Json = Mapping[str, Any]
_VERBS = ("get", "put", "post", "delete", "patch")
# For what a client sends: bounds that may only grow, and bounds that may only shrink.
_CEILINGS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FLOORS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")


def breaking(old: Json, new: Json) -> list[str]:
    """Sentences, one for each change that breaks a client of the old document."""
    found = list(_codes(old, new))
    for path, verb, before in _operations(old):
        after = new["paths"].get(path, {}).get(verb)
        where = f"{verb.upper()} {path}"
        if after is None:
            found.append(f"{where}: removed")
            continue
        found += _Comparison(old, new).operation(where, before, after)
    return found


def announced(old: Json, new: Json) -> bool:
    """Whether the version says that clients must be made anew."""
    return _line(old) != _line(new)


def _line(document: Json) -> tuple[str, ...]:
    major, minor, *_ = str(document["info"]["version"]).split(".")
    return (major, minor) if major == "0" else (major,)


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for verb in _VERBS:
            if verb in item:
                yield path, verb, item[verb]


def _codes(old: Json, new: Json) -> Iterator[str]:
    for code in sorted(_problem_codes(old) - _problem_codes(new)):
        yield f"problem code {code}: removed"


def _problem_codes(document: Json) -> set[str]:
    return {
        code
        for _, _, operation in _operations(document)
        for answer in operation["responses"].values()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }


class _Comparison:
    """Compares two operations; a pair of schemas that refer to themselves is looked at once."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str, str]] = set()

    def operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{where}: operationId changed from {old.get('operationId')} to {new.get('operationId')}"
        for scope in sorted(set(new.get("x-scopes", [])) - set(old.get("x-scopes", []))):
            yield f"{where}: needs the scope {scope} now"
        yield from self._parameters(where, old, new)
        yield from self._body(where, old.get("requestBody"), new.get("requestBody"))
        yield from self._answers(where, old["responses"], new["responses"])

    def _parameters(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before = {(one["in"], one["name"]): one for one in old.get("parameters", [])}
        after = {(one["in"], one["name"]): one for one in new.get("parameters", [])}
        for key, parameter in before.items():
            place = f"{where} parameter {key[1]}"
            if key not in after:
                yield f"{place}: removed"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{place}: required now"
            yield from self.schema(place, parameter.get("schema", {}), after[key].get("schema", {}), "request")
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{where} parameter {key[1]}: new and required"

    def _body(self, where: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if new and new.get("required") and not (old and old.get("required")):
            yield f"{where} body: required now"
        for media, content in (old or {}).get("content", {}).items():
            after = (new or {}).get("content", {}).get(media)
            if after is None:
                yield f"{where} body: {media} is no longer taken"
            else:
                yield from self.schema(f"{where} body", content.get("schema", {}), after.get("schema", {}), "request")

    def _answers(self, where: str, old: Json, new: Json) -> Iterator[str]:
        for status, answer in old.items():
            if not status.startswith("2"):
                continue
            if status not in new:
                yield f"{where}: no longer answers {status}"
                continue
            for media, content in answer.get("content", {}).items():
                after = new[status].get("content", {}).get(media)
                place = f"{where} {status}"
                if after is None:
                    yield f"{place}: no longer answers {media}"
                else:
                    yield from self.schema(place, content.get("schema", {}), after.get("schema", {}), "response")

    def schema(self, where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
        """What breaks between two schemas of a value that travels in that direction."""
        pair = (json.dumps(old, sort_keys=True), json.dumps(new, sort_keys=True), direction)
        if pair in self._seen:
            return
        self._seen.add(pair)
        before, after = _resolved(self._old, old), _resolved(self._new, new)
        yield from self._options(where, before, after, direction)
        yield from _bounds(where, before, after, direction)
        yield from self._members(where, before, after, direction)
        for name in ("items", "additionalProperties"):
            inner_old, inner_new = before.get(name), after.get(name)
            if isinstance(inner_old, dict) and isinstance(inner_new, dict):
                yield from self.schema(f"{where}[]", inner_old, inner_new, direction)

    def _options(self, where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
        """Alternatives are matched by their kind: a request may not lose one, an answer may not gain one."""
        before, after = _alternatives(self._old, old), _alternatives(self._new, new)
        for kind in sorted(before.keys() - after.keys()):
            if direction == "request" or not before.keys() & after.keys():
                yield f"{where}: {kind} became {' or '.join(sorted(after))}"
        for kind in sorted(after.keys() - before.keys()):
            if direction == "response" and before.keys() & after.keys():
                yield f"{where}: may be {kind} now"
        if len(before) > 1 or len(after) > 1:
            for kind in sorted(before.keys() & after.keys()):
                yield from self.schema(where, before[kind], after[kind], direction)

    def _members(self, where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, member in before.items():
            if name in after:
                yield from self.schema(f"{where}.{name}", member, after[name], direction)
            elif direction == "response" or new.get("additionalProperties") is False:
                yield f"{where}.{name}: removed"
        needed_before, needed_after = set(old.get("required", [])), set(new.get("required", []))
        if direction == "request":
            for name in sorted(needed_after - needed_before):
                yield f"{where}.{name}: required now"
            if new.get("additionalProperties") is False and old.get("additionalProperties", True) is not False:
                yield f"{where}: other members are refused now"
        else:
            for name in sorted((needed_before - needed_after) & set(after)):
                yield f"{where}.{name}: may be missing now"


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _alternatives(document: Json, schema: Json) -> dict[str, Json]:
    """The kinds of value that a schema allows: by type and format, an object by its name."""
    options = schema.get("anyOf") or schema.get("oneOf")
    if not options:
        return {_kind(document, schema): schema}
    return {_kind(document, option): option for option in options}


def _kind(document: Json, schema: Json) -> str:
    name = schema["$ref"].rpartition("/")[2] if "$ref" in schema else ""
    resolved = _resolved(document, schema)
    kind = resolved.get("type", "anything")
    shown = "/".join(kind) if isinstance(kind, list) else str(kind)
    discriminator = [f"{key}={one['const']}" for key, one in resolved.get("properties", {}).items() if "const" in one]
    if discriminator:
        return f"{shown}({','.join(discriminator)})"
    if "format" in resolved:
        return f"{shown}({resolved['format']})"
    return f"{shown}({name})" if shown == "object" and name else shown


def _bounds(where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
    if values := _values(old):
        left = _values(new)
        gone = [value for value in values if value not in left] if left else []
        if gone:
            yield f"{where}: no longer {', '.join(map(str, gone))}"
    elif _values(new) and direction == "request" and _plain(old):
        yield f"{where}: only {', '.join(map(str, _values(new)))} now"
    if direction == "request":
        yield from _narrowed(where, old, new)


def _plain(schema: Json) -> bool:
    return "anyOf" not in schema and "oneOf" not in schema


def _values(schema: Json) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def _narrowed(where: str, old: Json, new: Json) -> Iterator[str]:
    for name in _CEILINGS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{where}: {name} is {new[name]} now"
    for name in _FLOORS:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{where}: {name} is {new[name]} now"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{where}: pattern is {new['pattern']} now"


def main(base: str, newer: str) -> int:
    old, new = (json.loads(Path(name).read_text(encoding="utf-8")) for name in (base, newer))
    found = breaking(old, new)
    allowed = announced(old, new)
    word = "announced" if allowed else "BREAKS"
    sys.stdout.writelines(f"{word}: {one}\n" for one in found)
    sys.stdout.write(f"{len(found)} breaking changes of the API\n")
    return 1 if found and not allowed else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
