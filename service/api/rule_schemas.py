"""Rules on the wire: as JSON, members told apart by `kind`, or as text."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationInfo, model_validator

from service.api.schemas import Input, storable
from service.domain.access import Principal
from service.domain.rules.binding import within_limits
from service.domain.rules.errors import BadRule, ContactsClosed, FieldClosed, RuleTooLarge, RuleUnreadable
from service.domain.rules.model import Asked, Rule
from service.domain.rules.parsing import LONGEST_TEXT
from service.domain.rules.service import RuleService

RULE_EXAMPLE: dict[str, Any] = {
    "kind": "all",
    "of": [
        {"kind": "field", "field": "city", "op": "eq", "value": "Казань"},
        {"kind": "orders", "measure": "sum", "where": {"last_days": 365}, "op": "ge", "value": "50000"},
    ],
}
TEXT_EXAMPLE = 'city = "Казань" and orders.sum(last 365 days) >= 50000'
RULE_PROBLEMS = (BadRule, RuleTooLarge, RuleUnreadable, ContactsClosed, FieldClosed)
_KINDS = frozenset(
    {"all", "any", "not", "field", "orders", "share", "top_category", "birthday", "anniversary", "near", "consent"}
)
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


class _Ruled(Protocol):
    """What may hold a rule in either form."""

    @property
    def rule(self) -> Any: ...

    @property
    def text(self) -> str | None: ...


class _Rules(Protocol):
    @property
    def rules(self) -> RuleService: ...


async def rule_of(body: _Ruled, principal: Principal, services: _Rules, at: str = "/rule") -> Asked | None:
    """The rule of a body that may have none."""
    if body.rule is None and body.text is None:
        return None
    return await services.rules.asked(principal, rule=body.rule, text=body.text, at=at)


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
