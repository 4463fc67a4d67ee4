"""The catalogue of checks, and a question before saving: what would be found on a record like this?"""

import asyncio
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import AfterValidator, BaseModel, Field

from service.api.customer_schemas import ContactIn
from service.api.deps import Wired
from service.api.routing import Caller, operation, router
from service.api.schemas import Input, as_json, storable
from service.domain.access import Scope
from service.domain.customers.model import birthday
from service.domain.quality.base_wide import BASE_WIDE
from service.domain.quality.catalogue import CHECKS, examined
from service.domain.quality.examining import Look, score_of, severity_of
from service.domain.quality.model import Card, Cause, Check, ContactSeen, Finding, Severity
from service.domain.quality.policy import OwnCheck, QualityPolicy
from service.domain.quality.scoring import PURPOSES

routes = router("quality")
Given = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable)]


class RuleOut(BaseModel):
    """One check as the tenant has set it."""

    code: str = Field(examples=["email-domain-typo"])
    cause: Cause
    severity: Severity = Field(description="As the tenant has decided, else as usual.")
    scope: Literal["record", "base", "own"] = Field(
        description="`base`: only the whole base can tell; `own`: the tenant's own rule."
    )
    on: bool = Field(description="Whether the tenant lets it be made.")
    fields: list[str] = Field(description="Where its findings are.", examples=[["contacts"]])
    title: str = Field(description="What is wrong, in a sentence.")
    example: str | None = Field(description="Of an own check, its rule.")
    cure: str | None = Field(description="What helps.")


class Rules(BaseModel):
    items: list[RuleOut]


class FormIn(Input):
    """A record as it stands in a form, with whatever was typed: nothing of it is kept."""

    kind: Literal["person", "organisation"] = "person"
    family_name: Given | None = None
    given_name: Given | None = None
    patronymic: Given | None = None
    legal_name: Given | None = None
    trade_name: Given | None = None
    legal_form: Given | None = None
    birth_date: Given | None = Field(None, description="As typed; what is no day is found.", examples=["1990-02-31"])
    gender: Literal["female", "male"] | None = None
    country: Given | None = None
    region: Given | None = None
    city: Given | None = None
    postal_code: Given | None = None
    contacts: Annotated[list[ContactIn], Field(max_length=50)] = Field(default_factory=list)


class FormChange(BaseModel):
    pointer: str = Field(examples=["/contacts/0"])
    before: str | None
    after: str | None = Field(description="Null empties it.")


class FormProposal(BaseModel):
    changes: list[FormChange]
    confidence: float


class FormFinding(BaseModel):
    code: str = Field(examples=["email-domain-typo"])
    pointer: str = Field(description="The member of the form that it is about.", examples=["/contacts/0"])
    cause: Cause
    severity: Severity
    title: str
    confidence: float
    proposal: FormProposal | None


class FormFit(BaseModel):
    call: bool
    mail: bool
    invoice: bool
    deliver: bool


class FormVerdict(BaseModel):
    findings: list[FormFinding]
    score: int = Field(description="0 to 100, as the record would have.", examples=[74])
    fit: FormFit


@routes.get(
    "/quality/rules",
    response_model=Rules,
    summary="List the checks",
    **operation("quality.rules", Scope.QUALITY_READ, takes_input=False),
)
async def rules(principal: Caller, services: Wired) -> Response:
    """Every check with its cause, its severity, what it means and what helps, as the tenant has set it."""
    async with services.uow.begin(principal) as tx:
        policy = QualityPolicy.of(await tx.policies.read())
    own = [_own(one, policy) for one in policy.own]
    by_record = [_rule(one, "record", policy) for one in CHECKS.values()]
    by_base = [_rule(one.check, "base", policy) for one in BASE_WIDE.values()]
    return as_json({"items": by_record + by_base + own})


def _rule(check: Check, scope: str, policy: QualityPolicy) -> dict[str, Any]:
    return {
        "code": check.code,
        "cause": check.cause,
        "severity": policy.severities.get(check.code, check.severity),
        "scope": scope,
        "on": check.code not in policy.off,
        "fields": check.fields,
        "title": check.title,
        "example": check.example,
        "cure": check.cure,
    }


def _own(check: OwnCheck, policy: QualityPolicy) -> dict[str, Any]:
    return {
        "code": check.code,
        "cause": check.cause,
        "severity": policy.severities.get(check.code, check.severity),
        "scope": "own",
        "on": check.code not in policy.off,
        "fields": [check.field],
        "title": check.title,
        "example": check.rule,
        "cure": None,
    }


@routes.post(
    "/quality/check",
    response_model=FormVerdict,
    summary="Check a form before saving",
    **operation(
        "quality.check",
        Scope.QUALITY_READ,
        requestBody={
            "content": {
                "application/json": {
                    "example": {
                        "family_name": "Bdfyjd",
                        "given_name": "Пётр",
                        "contacts": [{"kind": "email", "value": "ivanov@gmial.com"}],
                    }
                }
            }
        },
    ),
)
async def check(body: FormIn, principal: Caller, services: Wired) -> Response:
    """What is wrong with this record and what would mend it, by the checks that the tenant lets be made. Nothing of it
    is kept. Whether the base knows the customer already is another question: that of the duplicate check."""
    look = (await services.quality.sight(principal)).look
    card = _card(body, look)
    # The dictionary is opened with the first question; that and long texts must not keep others waiting.
    findings = await asyncio.to_thread(examined, card, look.checks())
    score = score_of(card, findings, look)
    return as_json(
        {
            "findings": [_shown(one, look) for one in findings],
            "score": score.points,
            "fit": {purpose: getattr(score, purpose) for purpose in PURPOSES},
        },
        headers={"Cache-Control": "no-store"},
    )


_TEXTS = (
    "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form", "country", "region", "city",
    "postal_code",
)  # fmt: skip


def _card(body: FormIn, look: Look) -> Card:
    texts = {name: value for name in _TEXTS if (value := getattr(body, name)) is not None}
    day, year_known = _birthday(body.birth_date) if body.birth_date else (None, True)
    if body.birth_date and day is None:
        texts["birth_date"] = body.birth_date
    contacts = (ContactSeen(kind=one.kind, value=one.value, detail_id=str(at)) for at, one in enumerate(body.contacts))
    return Card(
        kind=body.kind,
        fields=texts,
        birth_date=day,
        birth_year_known=year_known,
        gender=body.gender,
        contacts=tuple(contacts),
        today=look.today,
        phone_region=look.phone_region,
        lives=look.lives,
        required=look.required_of(body.kind, "customer"),
    )


def _birthday(text: str) -> tuple[date | None, bool]:
    try:
        return birthday(text)
    except ValueError:
        return None, True


def _pointer(field: str, detail_id: str | None) -> str:
    return f"/{field}/{detail_id}" if detail_id is not None else f"/{field}"


def _shown(finding: Finding, look: Look) -> dict[str, Any]:
    proposal = finding.proposal
    return {
        "code": finding.code,
        "pointer": _pointer(finding.field, finding.detail_id),
        "cause": CHECKS[finding.code].cause,
        "severity": severity_of(finding.code, look),
        "title": CHECKS[finding.code].title,
        "confidence": finding.confidence,
        "proposal": proposal
        and {
            "changes": [
                {"pointer": _pointer(one.field, one.detail_id), "before": one.before, "after": one.after}
                for one in proposal.changes
            ],
            "confidence": proposal.confidence,
        },
    }
