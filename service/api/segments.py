"""Rules over HTTP: what may be asked, whom a rule means, why, and its two forms."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from service.api.customer_schemas import Customer
from service.api.customer_search import card
from service.api.deps import Wired
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_EXAMPLE, RULE_PROBLEMS, TEXT_EXAMPLE, RuleIn, rule_json
from service.api.schemas import Micros, as_json, money
from service.domain.access import Scope
from service.domain.customers.errors import NoCustomer
from service.domain.rules.binding import clauses_of
from service.domain.rules.explaining import Verdict
from service.domain.rules.fields import MEASURES, OPERATORS, TOP_OPERATORS
from service.domain.rules.model import Orders, Share
from service.domain.rules.printing import printed

routes = router("segments")


class FieldOut(BaseModel):
    name: str = Field(examples=["city"])
    type: str = Field(examples=["text"])
    about: str
    operators: list[str] = Field(examples=[["eq", "in", "missing"]])
    choices: list[str] = Field(description="The only values there are; empty: any.")
    values: list[str] = Field(description="The commonest values among your newest records, at most 20.")
    example: str = Field(examples=['city = "Казань"'])
    scope: str = Field(description="The scope that asking for it needs.")


class ClauseKindOut(BaseModel):
    kind: Literal["orders", "share", "top_category", "birthday", "anniversary", "near", "consent"]
    measure: str | None
    type: str
    operators: list[str]
    example: str
    scope: str


class FieldsOut(BaseModel):
    """All that a rule may ask."""

    fields: list[FieldOut]
    clauses: list[ClauseKindOut]
    filters: list[str] = Field(description="What narrows the orders of a clause, in brackets.")


class PreviewOut(BaseModel):
    """Whom a rule means, within your reach."""

    rule: dict[str, Any] = Field(examples=[RULE_EXAMPLE])
    text: str = Field(examples=[TEXT_EXAMPLE])
    customers: int
    base: int = Field(description="All records within your reach.")
    share: str | None = Field(description="Of the base, as a decimal string 0…1; null of nothing.")
    revenue: Micros | None = Field(description="Of those meant, over all time; null without orders:read.")
    currency: str = Field(examples=["RUB"])
    sample: list[Customer] = Field(description="The newest of them, contacts masked; empty without customers:read.")
    slowest_clause: str | None = Field(description="The clause that costs most, as the planner expects it.")
    computed_at: datetime


class VerdictOut(BaseModel):
    pointer: str = Field(examples=["/of/0"])
    text: str = Field(examples=['city = "Казань"'])
    met: bool
    decisive: bool = Field(description="It let the customer in, or kept him out.")
    value: Any = Field(description="What the clause looked at; null where it is missing. Money is a decimal string.")


class ExplainOut(BaseModel):
    """Why a customer is meant, or not."""

    customer_id: UUID
    member: bool
    text: str
    clauses: list[VerdictOut]
    computed_at: datetime


class ExplainIn(RuleIn):
    customer_id: UUID


class ParsedOut(BaseModel):
    """Both forms of a rule."""

    rule: dict[str, Any] = Field(examples=[RULE_EXAMPLE])
    text: str = Field(examples=[TEXT_EXAMPLE])
    clauses: int


def _body(**example: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


_CLAUSES: list[dict[str, Any]] = [
    *(
        {"kind": "orders", "measure": name, "type": of, "operators": operators, "scope": Scope.ORDERS_READ}
        | {"example": f"orders.{name}(last 365 days) >= {'today - 30 days' if of == 'date' else 3}"}
        for name, (of, operators) in MEASURES.items()
    ),
    {
        "kind": "share", "measure": None, "type": "share", "operators": OPERATORS["share"],
        "scope": Scope.ORDERS_READ, "example": 'share("Чай", last 365 days) >= 0.5',
    },
    {
        "kind": "top_category", "measure": None, "type": "text", "operators": TOP_OPERATORS,
        "scope": Scope.ORDERS_READ, "example": 'top_category = "Чай"',
    },
    {
        "kind": "birthday", "measure": None, "type": "date", "operators": ["within"],
        "scope": Scope.CUSTOMERS_READ, "example": "birthday within 7 days",
    },
    {
        "kind": "anniversary", "measure": "first_order", "type": "date", "operators": ["within"],
        "scope": Scope.ORDERS_READ, "example": "anniversary of first_order within 7 days",
    },
    *(
        {"kind": "anniversary", "measure": name, "type": "date", "operators": ["within"]}
        | {"scope": Scope.CUSTOMERS_READ, "example": f"anniversary of {name} within 7 days"}
        for name in ("created", "customer")
    ),
    {
        "kind": "near", "measure": None, "type": "distance", "operators": ["within"],
        "scope": Scope.CUSTOMERS_READ, "example": 'near "Казань" within 100 km',
    },
    {
        "kind": "consent", "measure": None, "type": "code", "operators": ["given", "withdrawn", "never"],
        "scope": Scope.CUSTOMERS_READ, "example": 'consent "marketing" by "email" given',
    },
]  # fmt: skip
_FILTERS = [
    "last 365 days", "from 2026-01-01", "until 2026-03-31", 'product in ("TEA", "CUP")', 'category "Чай"',
    'channel "web"', 'source "shop"', "currency EUR", "amount >= 1000", "amount <= 5000",
]  # fmt: skip


@routes.get(
    "/segments/fields",
    response_model=FieldsOut,
    summary="What a rule may ask",
    **operation("segments.fields", Scope.SEGMENTS_READ, takes_input=False),
)
async def rule_fields(principal: Caller, services: Wired) -> Response:
    """Fields with their types, operators and examples, the tenant's own among them, and values that your records
    have."""
    fields, values = await services.rules.fields(principal)
    seen = values if principal.may(Scope.CUSTOMERS_READ) else {}
    shown = [
        {name: getattr(one, name) for name in ("name", "type", "about", "operators", "choices", "example", "scope")}
        | {"values": seen.get(one.name, [])}
        for one in fields
    ]
    return as_json({"fields": shown, "clauses": _CLAUSES, "filters": _FILTERS})


@routes.post(
    "/segments/parse",
    response_model=ParsedOut,
    summary="Turn a rule into text, or a text into a rule",
    **operation("segments.parse", Scope.SEGMENTS_READ, problems=RULE_PROBLEMS, **_body(text=TEXT_EXAMPLE)),
)
async def parse_rule(body: RuleIn, principal: Caller, services: Wired) -> Response:
    """Checks the rule and answers both forms; a fault in a text is told by line and column."""
    asked = await services.rules.asked(principal, rule=body.rule, text=body.text)
    clauses = sum(1 for _ in clauses_of(asked.rule))
    return as_json({"rule": rule_json(asked.rule), "text": printed(asked.rule), "clauses": clauses})


@routes.post(
    "/segments/preview",
    response_model=PreviewOut,
    summary="Preview a rule",
    **operation("segments.preview", Scope.SEGMENTS_READ, problems=RULE_PROBLEMS, **_body(rule=RULE_EXAMPLE)),
)
async def preview_rule(body: RuleIn, principal: Caller, services: Wired) -> Response:
    """How many of the records within your reach a rule means, their share and revenue, and some of them."""
    asked = await services.rules.asked(principal, rule=body.rule, text=body.text)
    found = await services.rules.preview(principal, asked)
    cards: list[dict[str, Any]] = []
    if principal.may(Scope.CUSTOMERS_READ) and found.sample:
        async with services.uow.begin(principal) as tx:
            cards = [card(row) for row in await tx.search.cards(found.sample, None)]
    return as_json(
        {
            "rule": rule_json(asked.rule),
            "text": printed(asked.rule),
            "customers": found.customers,
            "base": found.base,
            "share": f"{found.customers / found.base:.6f}" if found.base else None,
            "revenue": money(found.revenue) if principal.may(Scope.ORDERS_READ) else None,
            "currency": asked.currency,
            "sample": cards,
            "slowest_clause": found.slowest,
            "computed_at": services.clock.now(),
        }
    )


@routes.post(
    "/segments/explain",
    response_model=ExplainOut,
    summary="Explain a rule for a customer",
    **operation(
        "segments.explain",
        Scope.SEGMENTS_READ,
        problems=(*RULE_PROBLEMS, NoCustomer),
        **_body(text=TEXT_EXAMPLE, customer_id="01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
)
async def explain_rule(body: ExplainIn, principal: Caller, services: Wired) -> Response:
    """Which clauses let a customer in or kept him out, with the values they looked at."""
    asked = await services.rules.asked(principal, rule=body.rule, text=body.text)
    member, verdicts = await services.rules.explain(principal, asked, body.customer_id)
    return as_json(
        {
            "customer_id": body.customer_id,
            "member": member,
            "text": printed(asked.rule),
            "clauses": [shown_verdict(one) for one in verdicts],
            "computed_at": services.clock.now(),
        }
    )


def shown_verdict(one: Verdict) -> dict[str, Any]:
    shown = {name: getattr(one, name) for name in ("pointer", "met", "decisive")}
    return shown | {"text": printed(one.clause), "value": _value(one)}


def _value(one: Verdict) -> Any:
    """What a clause looked at; the figures of orders by their names."""
    clause, value = one.clause, one.value
    if isinstance(clause, Orders):
        figures = value[0] if value else {"n": 0, "figure": 0 if clause.measure in ("count", "sum") else None}
        of_money = clause.measure in ("sum", "avg", "max")
        figure = figures["figure"]
        name = "sum" if clause.measure == "avg" else clause.measure
        shown = {"orders": figures["n"]}
        return shown if name == "count" else shown | {name: money(figure) if of_money else figure}
    if isinstance(clause, Share) and value:
        return {name: money(int(value[0][name])) for name in ("part", "whole")}
    if isinstance(value, list) and value and isinstance(value[0], dict):  # top categories
        return [row["name"] for row in value]
    return value
