"""Data quality on the wire: scans, findings, scores and their sums."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from service.api.schemas import Input
from service.domain.quality.model import Cause, Severity

State = Literal["open", "dismissed", "fixed", "gone"]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]


class ScanIn(Input):
    scope: Literal["all", "changed"] = Field("all", description="`changed`: only records changed since their check.")


class ScanStarted(BaseModel):
    job_id: UUID


class ChangeOut(BaseModel):
    field: str = Field(examples=["given_name"])
    before: str | None = Field(description="Contacts are masked.", examples=["Cергей"])
    after: str | None = Field(description="Null empties it.", examples=["Сергей"])
    detail_id: UUID | None = Field(description="Of a contact.")


class ProposalOut(BaseModel):
    changes: list[ChangeOut]
    confidence: float = Field(examples=[0.97])


class IssueOut(BaseModel):
    """Something that is wrong with a record."""

    issue_id: UUID
    customer_id: UUID
    display_name: str = Field(examples=["Иванов Cергей"])
    curator_id: UUID | None
    code: str = Field(examples=["mixed-alphabets"])
    field: str = Field(examples=["given_name"])
    detail_id: UUID | None = Field(description="The contact that it is about.")
    contact: str | None = Field(description="That contact, masked.", examples=[None])
    cause: Cause
    severity: Severity
    confidence: float = Field(examples=[1.0])
    proposal: ProposalOut | None = Field(description="What would mend it.")
    source: str = Field(description="Where the value comes from.", examples=["api"])
    import_id: UUID | None
    author_id: UUID | None = Field(description="Who set the value.")
    found_at: datetime
    state: State
    decided_by: UUID | None
    decided_at: datetime | None
    due_on: date | None


class IssuesQuery(BaseModel):
    state: State = "open"
    code: Name | None = None
    cause: Cause | None = None
    severity: Severity | None = None
    field: Name | None = None
    source: Name | None = Field(None, description="`api`, `import`, `curator`, `customer`, a partner; or one exactly.")
    import_id: UUID | None = None
    author_id: UUID | None = Field(None, description="Who set the value.")
    customer_id: UUID | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    channel: Name | None = Field(None, description="Code of the channel that the customer came by.")
    confidence: Annotated[float | None, Field(ge=0, le=1)] = Field(None, description="At least so sure.")
    fixable: bool | None = Field(None, description="Whether there is a proposal.")
    limit: Annotated[int, Query(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Query(max_length=1000)] = None
    count: Literal["exact"] | None = None

    def filters(self) -> dict[str, Any]:
        """What findings are asked for by, those that were named."""
        return self.model_dump(mode="python", exclude={"limit", "cursor", "count"}, exclude_none=True)


class Fit(BaseModel):
    call: bool
    mail: bool
    invoice: bool
    deliver: bool


class CustomerQuality(BaseModel):
    customer_id: UUID
    score: int | None = Field(description="0 to 100; null until it was examined.", examples=[82])
    fit: Fit | None
    checked_at: datetime | None
    up_to_date: bool = Field(description="Whether it was examined since its last change.")
    issues: list[IssueOut]


class Share(BaseModel):
    records: int = Field(examples=[6120])
    share: float | None = Field(description="Of the examined ones.", examples=[0.75])


class FitShares(BaseModel):
    call: Share
    mail: Share
    invoice: Share
    deliver: Share


class Member(BaseModel):
    key: str = Field(description="A code, a name or an id.", examples=["entry"])
    name: str | None = Field(None, description="Of an employee or curator.")
    findings: int = Field(examples=[312])


class By(BaseModel):
    """Open findings by each of these, the twenty commonest."""

    cause: list[Member]
    severity: list[Member]
    code: list[Member]
    field: list[Member]
    source: list[Member]
    import_: list[Member] = Field(alias="import")
    employee: list[Member] = Field(description="Who set the values.")
    channel: list[Member] = Field(description="The channel that the customer came by.")
    curator: list[Member]


class Summary(BaseModel):
    records: int = Field(description="Within your reach.", examples=[8160])
    checked: int = Field(description="Examined ones; scores and shares are of these.", examples=[8160])
    score: float | None = Field(description="The mean.", examples=[78.4])
    distribution: list[int] = Field(description="Records that score 0–9, 10–19 … 90–100.", min_length=10, max_length=10)
    fit: FitShares
    by: By
    oldest_check: datetime | None
    computed_at: datetime


class DayOut(BaseModel):
    day: date
    records: int
    score: float | None
    fit: FitShares
    findings: dict[str, int] = Field(description="Open ones by cause.", examples=[{"entry": 312}])


class Trend(BaseModel):
    items: list[DayOut]
