"""The wire forms of hand-overs: what is asked for, what is told of a portfolio, a history and the pool."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from service.api.rule_schemas import RuleText, small
from service.api.schemas import Input, LongText, Micros, Text
from service.domain.assignments.model import Selection, Spread
from service.domain.assignments.portfolio import HORIZON_DAYS, NO_QUALITY
from service.domain.rules.model import Rule

_FILTERS = ("status", "kind", "curator_id", "team_id", "city", "region", "channel", "tag")


class SelectIn(Input):
    """Which records; all that is given must hold. At least one member is needed."""

    customer_ids: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    curator_id: UUID | None = Field(None, description="All of this person, who receives none of them when spread.")
    team_id: UUID | None = None
    unassigned: bool = Field(False, description="The pool: records with neither curator nor team.")
    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    kind: Literal["person", "organisation"] | None = None
    city: Text | None = None
    region: Text | None = None
    channel: Text | None = Field(None, description="Code of the acquisition channel.")
    tag: Text | None = None
    rule: Annotated[Rule, BeforeValidator(small("/select"))] | None = None
    text: RuleText | None = Field(None, description="The rule as text.")

    @model_validator(mode="after")
    def _one_rule(self) -> "SelectIn":
        if self.rule is not None and self.text is not None:
            raise ValueError("give the rule either as rule or as text")
        return self

    @property
    def selection(self) -> Selection:
        filters = {name: getattr(self, name) for name in _FILTERS if getattr(self, name) is not None}
        ids = None if self.customer_ids is None else tuple(self.customer_ids)
        return Selection(filters=filters, customer_ids=ids, unassigned=self.unassigned)


class TargetIn(Input):
    """To a person (and the team, where he is in several), to a team, over the members of a team, or into the pool."""

    curator_id: UUID | None = None
    team_id: UUID | None = None
    spread: Spread | None = Field(
        None, description="Over the active members of the team: `round_robin` by id, or `balanced` by revenue."
    )
    unassigned: bool = Field(False, description="Back into the pool, where nobody answers for the records.")


class AssignmentIn(Input):
    select: SelectIn
    to: TargetIn
    dry_run: bool = Field(True, description="True, unless said otherwise: say who would get what, and change nothing.")
    expected_records: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Refuse with `selection-changed` unless just so many records move (from a dry run)."
    )
    reason: LongText | None = Field(None, description="Kept in the audit trail; no personal data of customers.")


class ReceiverOut(BaseModel):
    curator_id: UUID | None
    team_id: UUID | None
    name: str | None = Field(examples=["Анна Петрова"])
    records: int = Field(description="Records that move to this receiver.")
    unchanged: int = Field(description="Records of the selection that this receiver had already.")
    revenue: Micros


class UndoneOut(BaseModel):
    returned: int
    kept: int = Field(description="Records that have moved on since, and stay where they are.")
    kept_ids: list[UUID] = Field(description="At most 1 000 of them.")


class AssignmentOut(BaseModel):
    """A hand-over, or the dry run of one: without an id, nothing was changed."""

    assignment_id: UUID | None
    state: Literal["dry_run", "done", "undone"]
    records: int
    unchanged: int
    missing: int = Field(description="Ids of the list that are not within the caller's bounds, or don't exist.")
    receivers: list[ReceiverOut]
    currency: str = Field(examples=["RUB"])
    request: dict[str, Any] = Field(
        examples=[{"select": {"customer_ids": 120}, "to": {"curator_id": "…"}, "reason": None}]
    )
    made_by: str | None = Field(examples=["Вера Смирнова"])
    created_at: datetime | None
    undone: UndoneOut | None
    undone_at: datetime | None


class PoolRecordOut(BaseModel):
    customer_id: UUID
    display_name: str = Field(examples=["Иванова Мария"])
    kind: Literal["person", "organisation"]
    status: Literal["prospect", "customer", "lapsed", "archived"]
    region: str | None
    city: str | None
    channel: str | None
    import_id: UUID | None
    created_at: datetime
    revenue: Micros | None


class TenureOut(BaseModel):
    since: datetime
    until: datetime | None = Field(description="Null: still.")
    curator_id: UUID | None
    team_id: UUID | None
    decided_by: UUID | None = Field(description="Null for the first of them, which came with the record.")
    assignment_id: UUID | None = Field(description="The hand-over, or null when a single record was changed.")


class TenuresOut(BaseModel):
    items: list[TenureOut]


class StatusSize(BaseModel):
    status: Literal["prospect", "customer", "lapsed", "archived"]
    customers: int


class ClassSize(BaseModel):
    class_name: Literal["A", "B", "C"]
    customers: int
    revenue: Micros


class TopCustomer(BaseModel):
    customer_id: UUID
    display_name: str
    class_name: Literal["A", "B", "C"]
    orders: int
    revenue: Micros
    last_on: date | None


class GroupSize(BaseModel):
    group: str = Field(examples=["at_risk"])
    customers: int
    revenue: Micros


class AtRiskCustomer(BaseModel):
    customer_id: UUID
    display_name: str
    group: str = Field(examples=["cant_lose"])
    last_on: date
    orders: int
    revenue: Micros


class Birthday(BaseModel):
    customer_id: UUID
    display_name: str
    on: date = Field(description="29 February falls on the 28th of other years.")
    turns: int | None = Field(description="Null when the year of birth is unknown.")


class Birthdays(BaseModel):
    count: int
    items: list[Birthday]


class ExpectedOrder(BaseModel):
    customer_id: UUID
    display_name: str
    on: date = Field(description="The last order plus the mean interval between the first and the last.")
    last_on: date
    orders: int
    revenue: Micros


class ExpectedOrders(BaseModel):
    count: int
    overdue: int = Field(description="Customers whose expected day has passed without an order.")
    items: list[ExpectedOrder]


class BriefingOut(BaseModel):
    """What a successor should know of a portfolio, as far as the caller reaches it."""

    as_of: date
    horizon_days: int = Field(examples=[HORIZON_DAYS])
    currency: str = Field(examples=["RUB"])
    computed_at: datetime
    customers: int
    orders: int
    revenue: Micros
    statuses: list[StatusSize]
    classes: list[ClassSize] = Field(description="ABC within the portfolio.")
    top: list[TopCustomer]
    groups: list[GroupSize] = Field(description="RFM by the cuts of all that the caller reaches.")
    at_risk: list[AtRiskCustomer] = Field(description="The groups at_risk, cant_lose and about_to_sleep, by revenue.")
    birthdays: Birthdays
    expected_orders: ExpectedOrders
    open_quality_issues: int | None
    notes: list[str] = Field(examples=[[NO_QUALITY]])


class CuratorShare(BaseModel):
    curator_id: UUID | None = Field(description="Null: the records that nobody answers for.")
    name: str | None = Field(examples=["Анна Петрова"])
    customers: int
    revenue: Micros
    a_customers: int
    a_revenue: Micros
    share: str | None = Field(description="Of the revenue of class A, as a decimal string 0…1.", examples=["0.412500"])


class ConcentrationOut(BaseModel):
    """How much of the revenue of class A hangs on whom, by falling share."""

    as_of: date
    currency: str = Field(examples=["RUB"])
    computed_at: datetime
    a_customers: int
    a_revenue: Micros
    curators: list[CuratorShare]
