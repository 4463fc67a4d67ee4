"""Saved segments on the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from service.api.customer_schemas import Customer
from service.api.rule_schemas import RULE_EXAMPLE, TEXT_EXAMPLE, RuleJson, RuleText
from service.api.schemas import Input, LongText, Moment, Text
from service.api.segments import VerdictOut
from service.domain.segments.model import MOST_COMPARED, MOST_IDS

Ids = Annotated[list[UUID], Field(max_length=MOST_IDS)]
State = Literal["building", "ready", "broken"]


class SegmentIn(Input):
    """With a rule, as JSON or as text, the segment is live; without one it is a list that people keep."""

    name: Text
    description: LongText = ""
    rule: RuleJson | None = Field(None, examples=[RULE_EXAMPLE])
    text: RuleText | None = None
    customer_ids: Ids = Field(default_factory=list, description="Who is on the list to begin with.")

    @model_validator(mode="after")
    def _one_kind(self) -> "SegmentIn":
        if self.rule is not None and self.text is not None:
            raise ValueError("give the rule either as rule or as text")
        if self.customer_ids and (self.rule is not None or self.text is not None):
            raise ValueError("a segment follows its rule or is a list, not both")
        return self


class SegmentChange(Input):
    name: Text | None = None
    description: LongText | None = None
    rule: RuleJson | None = Field(None, examples=[RULE_EXAMPLE])
    text: RuleText | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "SegmentChange":
        if self.rule is not None and self.text is not None:
            raise ValueError("give the rule either as rule or as text")
        return self


class Freshness(BaseModel):
    computed_at: datetime | None = Field(description="When members were last computed; null before the first time.")
    lag_seconds: float | None = Field(
        description="How long the oldest change that is not in yet has waited; 0 when all are in.", examples=[0.0]
    )


class SegmentBrief(Freshness):
    segment_id: UUID
    name: str = Field(examples=["Чай, Казань"])
    description: str
    kind: Literal["live", "static", "snapshot"]
    rule: dict[str, Any] | None = Field(examples=[RULE_EXAMPLE])
    text: str | None = Field(examples=[TEXT_EXAMPLE])
    uses: list[UUID] = Field(description="The segments that its rule asks for.")
    source_id: UUID | None = Field(description="Of a snapshot: what it was taken of.")
    owner_id: UUID = Field(description="Who made it.")
    version: int
    state: State = Field(description="`broken`: its rule asks for a field that was taken away.")
    created_at: datetime
    updated_at: datetime


class SegmentOut(SegmentBrief):
    members: int = Field(description="How many of its members you reach.")


class MemberOut(BaseModel):
    entered_at: datetime
    left_at: datetime | None = Field(description="Null while the customer is in.")
    customer: Customer


class MembersOut(Freshness):
    segment_id: UUID
    as_of: datetime | None
    items: list[MemberOut]
    next_cursor: str | None


class DayOut(BaseModel):
    day: date
    entered: int
    left: int
    members: int = Field(description="At the end of the day.")


class HistoryOut(Freshness):
    segment_id: UUID
    items: list[DayOut]


class MembersIn(Input):
    """Ids of customers; those out of reach are not there."""

    add: Ids = Field(default_factory=list)
    remove: Ids = Field(default_factory=list)

    @model_validator(mode="after")
    def _something(self) -> "MembersIn":
        if not self.add and not self.remove:
            raise ValueError("name the customers to add or to remove")
        return self


class EditedOut(Freshness):
    added: int
    removed: int


class UploadedOut(EditedOut):
    unknown: int = Field(description="Ids that nobody within your reach has.")


class FreezeIn(Input):
    name: Text
    as_of: Moment | None = Field(None, description="A past moment; now unless stated.")


class OverlapIn(Input):
    segment_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_COMPARED)]


class PairOut(BaseModel):
    segment_id: UUID
    other_id: UUID
    customers: int = Field(description="In both; of a segment with itself: its size.")
    share: str | None = Field(description="Of the first segment, as a decimal string 0…1; null of nobody.")


class OverlapOut(Freshness):
    """Sizes on the diagonal, what two have in common beside it."""

    pairs: list[PairOut]
    union: int
    intersection: int
    only: dict[str, int] = Field(description="By segment: who is in none of the others.")


class MembershipOut(Freshness):
    """Whether a customer is a member, and what the rule says of him now."""

    segment_id: UUID
    customer_id: UUID
    member: bool = Field(description="As last computed.")
    entered_at: datetime | None
    meant: bool | None = Field(description="Whether the rule means him at this moment; null of lists.")
    clauses: list[VerdictOut]
