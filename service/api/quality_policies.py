"""What a tenant decides about the quality of its data, on the wire: a section of its policies."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field

from service.api.rule_schemas import RULE_PROBLEMS, RuleText
from service.api.schemas import Input, Text
from service.api.services import Services
from service.domain.access import Principal
from service.domain.quality.due import LEAST_SURE, MendingPolicy
from service.domain.quality.model import Cause, Severity
from service.domain.quality.policy import MOST_OWN_CHECKS, OWN_CHECK, OwnCheckTwice, QualityPolicy

Verdicts = Literal["record", "warn", "refuse"]
Part = Literal["name", "phone", "email", "address", "birth_date", "requisites"]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
Life = Literal["phone", "email", "messenger", "address", "activity"]
Of = Literal["person", "organisation", "prospect", "customer", "lapsed", "archived"]
Required = Literal[
    "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form", "birth_date", "gender",
    "country", "region", "city", "postal_code", "contacts", "phone", "email", "messenger", "street", "inn", "kpp",
    "ogrn", "bic", "account", "vat", "iban",
]  # fmt: skip
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Days = Annotated[int, Field(ge=0, le=3650)]
PROBLEMS = (OwnCheckTwice, *RULE_PROBLEMS)


class OwnCheckIn(Input):
    """Whom the rule means has something wrong."""

    code: Code = Field(description="Findings are named `own.` and this.", examples=["vip-without-email"])
    title: Text = Field(examples=["A regular of ours whom no mail reaches."])
    rule: RuleText = Field(examples=['tags has any ("vip") and not contacts has any (email)'])
    cause: Cause = Cause.MISSING
    severity: Severity = Severity.WARNING
    field: FieldName = Field("record", description="The field that it is told of.")


class QualityPolicyIn(Input):
    on_write: Verdicts | None = Field(
        None,
        description="`warn`: the answer to a new or changed record tells what is wrong; `refuse`: errors are refused.",
    )
    on_import: Literal["record", "refuse"] | None = Field(None, description="`refuse`: rows with errors are rejected.")
    nightly: bool | None = Field(None, description="Whether the whole base is examined each night.")
    off: Annotated[list[Code], Field(max_length=200)] | None = Field(None, description="Checks that don't count.")
    severities: Annotated[dict[Code, Severity], Field(max_length=200)] | None = Field(
        None, description="Of checks by their code, where it is not the usual one."
    )
    weights: dict[Part, Annotated[int, Field(ge=0, le=100)]] | None = Field(
        None, description="How much each part of a record counts in its score."
    )
    own_checks: Annotated[list[OwnCheckIn], Field(max_length=MOST_OWN_CHECKS)] | None = None
    lives: dict[Life, Annotated[int, Field(ge=0, le=240)]] | None = Field(
        None, description="After how many months without a proof a value counts as stale; 0: never."
    )
    required: dict[Of, list[Required]] | None = Field(
        None, description="What must be filled, by kind and by status; what depends on more is an own check."
    )
    fix_above: Annotated[float, Field(ge=LEAST_SURE, le=1)] | None = Field(
        None, description="Fixes of at least this confidence are made by themselves; null: none is."
    )
    due_days_error: Days | None = Field(None, description="Days from when an error was found to when it is due.")
    due_days_warning: Days | None = None
    due_days_note: Days | None = None


class OwnCheckOut(BaseModel):
    code: str
    title: str
    rule: str
    cause: Cause
    severity: Severity
    field: str


class QualityPolicyOut(BaseModel):
    on_write: Verdicts
    on_import: Verdicts
    nightly: bool
    off: list[str]
    severities: dict[str, Severity]
    weights: dict[str, int]
    own_checks: list[OwnCheckOut]
    lives: dict[str, int] = Field(examples=[{"phone": 18, "email": 18, "address": 24, "activity": 24}])
    required: dict[str, list[str]] = Field(examples=[{"organisation": ["inn"]}])
    fix_above: float | None = Field(examples=[0.98])
    due_days_error: int = Field(examples=[7])
    due_days_warning: int = Field(examples=[30])
    due_days_note: int = Field(examples=[90])


def shown(policies: Mapping[str, Any]) -> dict[str, Any]:
    """What holds now."""
    policy, mending = QualityPolicy.of(policies), MendingPolicy.of(policies)
    return {
        "on_write": policy.on_write,
        "on_import": policy.on_import,
        "nightly": policy.nightly,
        "off": sorted(policy.off),
        "severities": policy.severities,
        "weights": policy.weights,
        "own_checks": [asdict(one) | {"code": one.code.removeprefix(OWN_CHECK)} for one in policy.own],
        "lives": {life: months for life, months in policy.lives.items() if life in get_args(Life)},
        "required": {of: sorted(names) for of, names in policy.required.items()},
        "fix_above": mending.fix_above,
        **{f"due_days_{severity}": days for severity, days in mending.due_days.items()},
    }


async def check_rules(given: QualityPolicyIn, principal: Principal, services: Services) -> None:
    """Raises what is wrong with the rule of an own check, with its place."""
    seen: set[str] = set()
    for place, one in enumerate(given.own_checks or ()):
        if one.code in seen:
            raise OwnCheckTwice(pointer=f"/quality/own_checks/{place}/code")
        seen.add(one.code)
        await services.rules.asked(principal, text=one.rule, at=f"/quality/own_checks/{place}/rule")
