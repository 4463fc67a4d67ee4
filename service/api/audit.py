"""The audit trail over HTTP: who did what, by person, record, kind, outcome and period; and whether it is whole."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.paging import BadCursor, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import Moment, as_json
from service.domain.access import Scope
from service.domain.audit.errors import AuditUnwritable, NoSuchPlace
from service.domain.audit.inspection import Kind
from service.domain.audit.ports import Asked
from service.domain.audit.service import Verified
from service.domain.errors import Rejected
from service.domain.staff import TenantReachNeeded

routes = router("audit")
_PRIVATE = {"Cache-Control": "no-store"}
_NAMED = 1_000


class NoMonth(Rejected):
    code = "no-month"
    title = "A month is written like 2026-11."


class SealOut(BaseModel):
    month: date = Field(description="The first day of the month, in UTC, whose chain it is in.")
    seq: int = Field(description="Its place in that chain, from 1 on.")


class AuditRow(BaseModel):
    """What was done or refused; values of records are never in it."""

    audit_id: UUID
    at: datetime
    staff_id: UUID
    action: str = Field(examples=["contacts.reveal"])
    entity: str = Field(examples=["customer"])
    entity_id: UUID | None
    records: int = Field(description="How many records it speaks of; refusals: how often in a moment.")
    outcome: Literal["done", "refused"]
    reason: str | None = Field(description="As it was given; null when none was, or when it was erased.")
    detail: dict[str, Any]
    seal: SealOut | None = Field(description="Null until it is sealed, about a second.")


class AuditPage(BaseModel):
    items: list[AuditRow] = Field(description="The newest first.")
    next_cursor: str | None


class FindingOut(BaseModel):
    kind: Kind
    words: str = Field(examples=["The row is not the one that was sealed."])
    seq: int | None = Field(description="From this place of the chain on …")
    through: int | None = Field(description="… through this one.")
    audit_id: UUID | None


class AuditVerified(BaseModel):
    month: date
    intact: bool = Field(description="Nothing was found in the part that was looked at.")
    complete: bool = Field(description="The chain was gone along to its end.")
    checked: int = Field(description="Seals that this answer speaks of.")
    through: int = Field(description="The place up to which it goes; send it as `after` to go on.")
    last: int = Field(description="The last place of the chain.")
    findings: list[FindingOut]
    anchored_at: datetime | None = Field(description="The last signed anchor; null where none can be read.")
    forged_anchors: int = Field(description="Lines of the anchors' file that don't bear the signature.")


def _row(row: Any) -> dict[str, Any]:
    shown = {name: row[name] for name in AuditRow.model_fields if name in row}
    sealed = row["sealed_seq"] is not None
    return shown | {"seal": {"month": row["sealed_month"], "seq": row["sealed_seq"]} if sealed else None}


@routes.get(
    "/audit",
    response_model=AuditPage,
    summary="Read the audit trail",
    **operation("audit.list", Scope.AUDIT_READ, problems=(BadCursor, TenantReachNeeded, AuditUnwritable)),
)
async def read_audit(
    principal: Caller,
    services: Wired,
    staff_id: Annotated[UUID | None, Query(description="Who did it.")] = None,
    record_id: Annotated[
        UUID | None, Query(description="Of which record, as part of a batch, a file or an export too.")
    ] = None,
    action: Annotated[str | None, Query(max_length=60, description="The kind, such as `contacts.reveal`.")] = None,
    outcome: Literal["done", "refused"] | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Rows of the whole tenant, the newest first; that you have read them is a row as well."""
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise Rejected("A moment names its offset from UTC.", pointer="/since")
    asked = Asked(staff_id=staff_id, record_id=record_id, action=action, outcome=outcome, since=since, until=until)
    rows = await services.audit.page(principal, asked, before=id_of(cursor, "before"), limit=limit + 1)
    more = encode({"before": rows[limit - 1]["audit_id"]}) if len(rows) > limit else None
    return as_json({"items": [_row(row) for row in rows[:limit]], "next_cursor": more}, headers=_PRIVATE)


@routes.get(
    "/audit/verify",
    response_model=AuditVerified,
    summary="Verify the audit trail",
    **operation("audit.verify", Scope.AUDIT_READ, problems=(TenantReachNeeded, NoSuchPlace, NoMonth, AuditUnwritable)),
)
async def verify_audit(
    principal: Caller,
    services: Wired,
    month: Annotated[str | None, Query(max_length=7, description="Such as 2026-11; this month unless stated.")] = None,
    after: Annotated[int, Query(ge=0, le=2**62, description="Go on behind this place.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100_000, description="Seals to look at, at most.")] = 50_000,
) -> Response:
    """Hold a part of a month's chain against its rows and the signed anchors; each edit, deletion, insertion and cut is
    named with its place. About a second for the usual limit; `clientbase audit verify` goes through everything."""
    seen = await services.audit.verify(principal, _month(month), after=after, most=limit)
    return as_json(_verified(seen), headers=_PRIVATE)


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NoMonth(pointer="/month") from None


def _verified(seen: Verified) -> dict[str, Any]:
    findings = [
        {"kind": one.kind, "words": one.words, "seq": one.seq, "through": one.through, "audit_id": one.audit_id}
        for one in seen.findings[:_NAMED]
    ]
    return {
        "month": seen.month,
        "intact": not seen.findings and not seen.forged_anchors,
        "complete": seen.complete,
        "checked": seen.checked,
        "through": seen.through,
        "last": seen.last,
        "findings": findings,
        "anchored_at": seen.anchored_at,
        "forged_anchors": seen.forged_anchors,
    }
