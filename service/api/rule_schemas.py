"""Rules on the wire: as JSON, members told apart by `kind`, or as text."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationInfo, model_validator

from service.api.schemas import Input, storable
from service.domain.rules.binding import within_limits
from service.domain.rules.model import Rule
from service.domain.rules.parsing import LONGEST_TEXT

RULE_EXAMPLE: dict[str, Any] = {
    "kind": "all",
    "of": [
        {"kind": "field", "field": "city", "op": "eq", "value": "Казань"},
        {"kind": "orders", "measure": "sum", "where": {"last_days": 365}, "op": "ge", "value": "50000"},
    ],
}
TEXT_EXAMPLE = 'city = "Казань" and orders.sum(last 365 days) >= 50000'
_KINDS = frozenset({"all", "any", "not", "field", "orders", "share", "top_category", "birthday", "consent"})
_RULE: TypeAdapter[Any] = TypeAdapter(Rule)


def small(at: str) -> Callable[[Any, ValidationInfo], Any]:
    """Refuses a rule that is too large before it is read; `at` is the pointer of what it stands in."""

    def check(raw: Any, info: ValidationInfo) -> Any:
        within_limits(raw, f"{at}/{info.field_name}")
        return raw

    return check


RuleText = Annotated[
    str, Field(min_length=1, max_length=LONGEST_TEXT, examples=[TEXT_EXAMPLE]), AfterValidator(storable)
]
RuleJson = Annotated[Rule, BeforeValidator(small(""))]


class RuleIn(Input):
    """A rule, either as JSON or as text."""

    rule: RuleJson | None = Field(None, examples=[RULE_EXAMPLE])
    text: RuleText | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "RuleIn":
        if (self.rule is None) == (self.text is None):
            raise ValueError("give the rule either as rule or as text")
        return self


def rule_json(rule: Rule) -> Any:
    """The JSON of a rule: money and numbers as decimal strings, and nothing that is not said."""
    return _said(_RULE.dump_python(rule, mode="python"))


def _said(value: Any) -> Any:
    if isinstance(value, dict):
        said = {name: _said(inner) for name, inner in value.items()}
        return {name: inner for name, inner in said.items() if inner not in (None, [], {}, "")}
    if isinstance(value, list | tuple):
        return [_said(inner) for inner in value]
    return str(value) if isinstance(value, Decimal | date) else value


def untagged(location: tuple[int | str, ...], body: object) -> tuple[int | str, ...]:
    """The place of a fault in a rule without the kinds, which a union puts between."""
    kept: list[int | str] = []
    here = body
    for part in location:
        if isinstance(here, dict) and part in _KINDS and here.get("kind") == part:
            here = dict(here, kind=None)
            continue
        kept.append(part)
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    return tuple(kept)
