"""A tenant's own fields: text, number, date, boolean, or one of the choices.

A name without a definition stays free: any JSON may stand there. Once a definition exists, what is written under its
name is checked; what stands there from before is left until it is written again. A date is a day, written 2026-03-01,
and kept as it is written. Null removes a value, whatever its kind.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Protocol, get_args

from service.domain.errors import Conflict, NotFound, Rejected

Kind = Literal["text", "number", "date", "boolean", "choice"]
KINDS: tuple[str, ...] = get_args(Kind)
LONGEST = 2000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_WORDS = {"true": True, "yes": True, "1": True, "да": True, "false": False, "no": False, "0": False, "нет": False}


class BadAttribute(Rejected):
    code = "bad-attribute"
    title = "The value is not of the kind that the tenant has set for this attribute."


class NoAttribute(NotFound):
    code = "attribute-not-found"
    title = "The tenant has no attribute of this name."


class AttributeKnown(Conflict):
    code = "attribute-known"
    title = "The tenant has an attribute of this name already."


class ChoicesMissing(Rejected):
    code = "choices-missing"
    title = "An attribute of the kind choice needs choices, and no other kind has any."


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a field of the tenant's is called, and which values it takes."""

    name: str
    kind: Kind
    label: str
    choices: tuple[str, ...] = ()
    position: int = 0


Definitions = Mapping[str, Definition]


def fault(definition: Definition, value: object) -> str | None:
    """Why the value does not fit; None when it does."""
    match definition.kind, value:
        case "text", str() if len(value) <= LONGEST:
            return None
        case "number", int() | float() if not isinstance(value, bool):
            return None
        case "boolean", bool():
            return None
        case "date", str() if _is_day(value):
            return None
        case "choice", str() if value in definition.choices:
            return None
    wanted = {"choice": f"one of {', '.join(definition.choices)}", "date": "a day such as 2026-03-01"}
    return f"The attribute {definition.name} takes {wanted.get(definition.kind, f'a {definition.kind}')}."


def conform(definitions: Definitions, given: Mapping[str, Any]) -> None:
    """Refuse the first value that does not fit its definition."""
    for name, value in given.items():
        definition = definitions.get(name)
        if definition is not None and value is not None and (detail := fault(definition, value)):
            raise BadAttribute(detail, pointer=f"/attributes/{name.replace('~', '~0').replace('/', '~1')}")


def read(definition: Definition | None, text: str) -> Any:
    """The value that the text of a cell stands for; BadAttribute when it can't be read as one of that kind."""
    value: object = text.strip()
    match definition and definition.kind:
        case "number":
            value = _number(text)
        case "boolean":
            value = _WORDS.get(text.strip().casefold())
        case "date":
            value = _iso(text.strip())
    if definition is not None and (detail := fault(definition, value)):
        raise BadAttribute(detail)
    return value


def _number(text: str) -> int | float | None:
    try:
        number = Decimal(text.strip().replace("\u00a0", "").replace(" ", "").replace(",", "."))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= Decimal("1e300"):
        return None
    whole = number == number.to_integral_value() and abs(number) < 2**63
    return int(number) if whole else float(number)


def _iso(text: str) -> str:
    local = _LOCAL_DAY.fullmatch(text)
    return f"{local[3]}-{local[2]:0>2}-{local[1]:0>2}" if local else text


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


class Attributes(Protocol):
    async def all(self) -> list[Definition]:
        """The tenant's definitions, in their order."""
        ...

    async def among(self, names: Iterable[str]) -> Definitions:
        """The definitions of these names, where there are any."""
        ...

    async def add(self, definition: Definition) -> bool:
        """False when there is one of this name already."""
        ...

    async def change(self, definition: Definition) -> None: ...

    async def remove(self, name: str) -> bool:
        """False when there was none."""
        ...
