"""Rules as text: what is printed is read back as the same rule (parsing.py)."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from service.domain.rules.fields import OWN
from service.domain.rules.model import (
    AllOf,
    Anniversary,
    AnyOf,
    Birthday,
    Consent,
    Field,
    Near,
    Not,
    Orders,
    Purchases,
    RelativeDay,
    Rule,
    Scalar,
    Share,
    TopCategory,
    Value,
)

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SIGNS: Mapping[str, str] = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
WORDS: Mapping[str, str] = {
    "in": "in", "not_in": "not in", "contains": "contains", "starts_with": "starts with", "has_any": "has any",
    "has_all": "has all", "missing": "is missing", "present": "is present", "between": "between",
}  # fmt: skip


def printed(rule: Rule) -> str:
    """The rule as a sentence."""
    match rule:
        case AllOf():
            return " and ".join(_within(one, rule) for one in rule.of)
        case AnyOf():
            return " or ".join(_within(one, rule) for one in rule.of)
        case Not():
            return "not " + _within(rule.rule, rule)
    return _CLAUSES[type(rule)](rule)


def _within(rule: Rule, around: Rule) -> str:
    """In brackets where it is not a clause; `not` needs none among the members of `all` and `any`."""
    bare = not isinstance(rule, AllOf | AnyOf | Not) or (isinstance(rule, Not) and not isinstance(around, Not))
    return printed(rule) if bare else f"({printed(rule)})"


def _field(rule: Field) -> str:
    name = rule.field
    own = name.removeprefix(OWN)
    if name.startswith(OWN) and not WORD.fullmatch(own):
        name = OWN + quoted(own)
    return f"{name} {_compared(rule.op, rule.value)}"


def _compared(op: str, value: Value) -> str:
    if op in SIGNS:
        assert not isinstance(value, tuple)
        return f"{SIGNS[op]} {_scalar(value)}"
    if op in ("missing", "present"):
        return WORDS[op]
    if isinstance(value, tuple) and op == "between":
        return f"between {_scalar(value[0])} and {_scalar(value[1])}"
    shown = f"({', '.join(map(_scalar, value))})" if isinstance(value, tuple) else _scalar(value)
    return f"{WORDS[op]} {shown}"


def _scalar(value: Scalar | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, RelativeDay):
        sign = "-" if value.today < 0 else "+"
        return f"today {sign} {abs(value.today)} days" if value.today else "today"
    if isinstance(value, date):
        return value.isoformat()
    return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _orders(rule: Orders) -> str:
    inside = _where(rule.where)
    brackets = f"({inside})" if inside else ""
    return f"orders.{rule.measure}{brackets} {_compared(rule.op, rule.value)}"


def _share(rule: Share) -> str:
    inside = ", ".join(filter(None, (quoted(rule.category), _where(rule.where))))
    return f"share({inside}) {_compared(rule.op, rule.value)}"


def _top(rule: TopCategory) -> str:
    inside = _where(rule.where)
    return f"top_category{f'({inside})' if inside else ''} {_compared(rule.op, rule.value)}"


def _where(where: Purchases) -> str:
    parts = [
        f"last {where.last_days} days" if where.last_days is not None else "",
        f"from {where.from_on}" if where.from_on is not None else "",
        f"until {where.until_on}" if where.until_on is not None else "",
        *(
            f"{word} {_several(values)}" if values else ""
            for word, values in (
                ("product", where.products),
                ("category", where.categories),
                ("channel", where.channels),
                ("source", where.sources),
            )
        ),
        f"currency {where.currency}" if where.currency is not None else "",
        f"amount >= {where.amount_min}" if where.amount_min is not None else "",
        f"amount <= {where.amount_max}" if where.amount_max is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _several(values: tuple[str, ...]) -> str:
    return quoted(values[0]) if len(values) == 1 else f"in ({', '.join(map(quoted, values))})"


def _birthday(rule: Birthday) -> str:
    return f"birthday within {rule.within_days} days"


def _anniversary(rule: Anniversary) -> str:
    return f"anniversary of {rule.of} within {rule.within_days} days"


def _near(rule: Near) -> str:
    where = f"{rule.latitude}, {rule.longitude}" if rule.city is None else quoted(rule.city)
    return f"near {where} within {rule.within_km} km"


def _consent(rule: Consent) -> str:
    by = f" by {quoted(rule.channel)}" if rule.channel else ""
    return f"consent {quoted(rule.purpose)}{by} {rule.state}"


_CLAUSES: Mapping[type, Callable[[Any], str]] = {
    Field: _field,
    Orders: _orders,
    Share: _share,
    TopCategory: _top,
    Birthday: _birthday,
    Anniversary: _anniversary,
    Near: _near,
    Consent: _consent,
}
