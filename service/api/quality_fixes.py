"""Fixes over HTTP: what a fix would do, one or many of them, what was done, and the way back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field, model_validator

from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, Cursor, Limit, encode, id_of, page_size
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, RuleJson, RuleText, rule_of
from service.api.schemas import BadIdempotencyKey, Input, Key, LongText, Page, Source, as_json
from service.domain.access import Scope
from service.domain.customers.errors import CustomerErased, NameMissing
from service.domain.errors import NotFound
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.quality.fixing import (
    CantMend,
    CantUndo,
    FixUndone,
    IssueClosed,
    NoFix,
    NoIssue,
    NoProposal,
    NothingChosen,
)
from service.domain.quality.fixing_ports import Chosen
from service.domain.quality.mending import MOST_AT_ONCE, Run
from service.domain.quality.model import Cause, Severity
from service.domain.quality.treating import Outcome

routes = router("quality")
_PRIVATE = {"Cache-Control": "no-store"}
Ending = Literal["fixed", "gone", "unfixable", "unsure", "refused"]
Confidence = Annotated[float, Field(ge=0, le=1)]
Codes = Annotated[list[Key], Field(max_length=100)]
_MOST_SHOWN = 200


class ChangeOut(BaseModel):
    field: str = Field(description="`contacts` for a contact.", examples=["family_name"])
    kind: str | None = Field(description="Of a contact.", examples=["email"])
    detail_id: UUID | None = None
    before: str | None = Field(description="Contacts are masked.", examples=["bdfyjd"])
    after: str | None = Field(description="Null: it is emptied, or taken away.", examples=["иванов"])


class OutcomeOut(BaseModel):
    """What became of an issue, or would."""

    issue_id: UUID
    customer_id: UUID
    code: str = Field(examples=["email-domain-typo"])
    field: str = Field(examples=["contacts"])
    detail_id: UUID | None
    outcome: Ending = Field(
        description="`fixed`; `gone`: it is there no longer; `unfixable`: the record does not tell what is right; "
        "`unsure`: less sure than was asked for; `refused`: it can't be made, `problem` says why."
    )
    confidence: float | None = Field(examples=[0.95])
    changes: list[ChangeOut]
    problem: str | None = Field(description="The code of the refusal.", examples=[None])


class FixOut(BaseModel):
    """A fix that was made."""

    fix_id: UUID
    run_id: UUID = Field(description="What was fixed together can be undone together.")
    customer_id: UUID
    issue_id: UUID
    code: str
    field: str
    detail_id: UUID | None
    confidence: float
    automatic: bool
    changes: list[ChangeOut]
    staff_id: UUID = Field(description="Who has made it; of automatic ones the service itself.")
    fixed_at: datetime
    undone_at: datetime | None
    undone_by: UUID | None


class ManyIn(Input):
    """Which issues: those named, those of the filters, or of the records that a rule means; all given must hold."""

    issue_ids: Annotated[list[UUID], Field(max_length=MOST_AT_ONCE)] | None = None
    codes: Codes = Field(default_factory=list, examples=[["email-domain-typo"]])
    causes: list[Cause] = Field(default_factory=list, max_length=5)
    severities: list[Severity] = Field(default_factory=list, max_length=3)
    fields: Codes = Field(default_factory=list)
    source: Source | None = None
    customer_id: UUID | None = None
    curator_id: UUID | None = None
    import_id: UUID | None = None
    rule: RuleJson | None = None
    text: RuleText | None = Field(None, description="The rule as text.")
    min_confidence: Confidence = Field(0.9, description="Fixes that are less sure are left.")
    dry_run: bool = Field(True, description="Say what would be done, and change nothing.")
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 200
    after: UUID | None = Field(None, description="`next` of the run before.")

    @model_validator(mode="after")
    def _one_rule(self) -> "ManyIn":
        if self.rule is not None and self.text is not None:
            raise ValueError("give the rule either as rule or as text")
        return self


class RunOut(BaseModel):
    """What a run did, or would do."""

    run_id: UUID | None = Field(description="Undo it by this id; null where nothing was changed.")
    dry_run: bool
    counts: dict[Ending, int] = Field(examples=[{"fixed": 118, "unsure": 4}])
    items: list[OutcomeOut] = Field(
        description="Of a dry run each issue with what would change; of a run those that were not fixed."
    )
    next: UUID | None = Field(description="There is more: go on with this as `after`.")


class DismissIn(Input):
    reason: LongText | None = Field(None, examples=["The customer does spell it so"])


class IssueState(BaseModel):
    issue_id: UUID
    state: Literal["open", "dismissed"]


class ConflictOut(BaseModel):
    fix_id: UUID
    code: str = Field(examples=["fix-not-undoable"])
    changed: list[dict[str, str | None]] = Field(description="The places that were changed since.")


class UndoneOut(BaseModel):
    run_id: UUID
    undone: list[UUID] = Field(description="Fixes that were taken back.")
    conflicts: list[ConflictOut]


def _example(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


def _outcome(one: Outcome) -> dict[str, Any]:
    issue = one.issue
    return {
        "issue_id": issue.issue_id,
        "customer_id": issue.customer_id,
        "code": issue.code,
        "field": issue.field,
        "detail_id": issue.detail_id,
        "outcome": one.outcome,
        "confidence": one.confidence,
        "changes": list(one.changes),
        "problem": one.refusal.code if one.refusal else None,
    }


def _run(run: Run, *, dry: bool) -> dict[str, Any]:
    told: Sequence[Outcome] = [one for one in run.outcomes if dry or one.outcome != "fixed"]
    return {
        "run_id": run.run_id if run.counts.get("fixed") and not dry else None,
        "dry_run": dry,
        "counts": dict(run.counts),
        "items": [_outcome(one) for one in told],
        "next": run.after,
    }


@routes.get(
    "/quality/issues/{issue_id}/fix",
    response_model=OutcomeOut,
    summary="See what fixing an issue would do",
    **operation("quality.preview_fix", Scope.QUALITY_READ, Scope.CUSTOMERS_READ, problems=(NoIssue, IssueClosed)),
)
async def preview_fix(issue_id: UUID, principal: Caller, services: Wired) -> Response:
    """Before and after, computed from the record as it is now, and how sure the fix is."""
    return as_json(_outcome(await services.mending.preview(principal, issue_id)), headers=_PRIVATE)


@routes.post(
    "/quality/issues/{issue_id}/fix",
    response_model=FixOut,
    summary="Fix an issue",
    **operation(
        "quality.fix",
        Scope.QUALITY_WRITE,
        Scope.CUSTOMERS_WRITE,
        problems=(NoIssue, IssueClosed, NoProposal, CantMend, NameMissing, CustomerErased),
    ),
)
async def fix(issue_id: UUID, principal: Caller, services: Wired) -> Response:
    """Does what is proposed, whatever its confidence; it can be undone."""
    return as_json(dict(await services.mending.fix(principal, issue_id)), headers=_PRIVATE)


@routes.post(
    "/quality/issues/{issue_id}/dismiss",
    response_model=IssueState,
    summary="Dismiss an issue",
    **operation(
        "quality.dismiss",
        Scope.QUALITY_WRITE,
        problems=(NoIssue, IssueClosed),
        requestBody=_example({"reason": "The customer does spell it so"}),
    ),
)
async def dismiss(issue_id: UUID, body: DismissIn, principal: Caller, services: Wired) -> Response:
    """The value is right as it is; the issue does not come back while it stays so."""
    await services.mending.dismiss(principal, issue_id, body.reason)
    return as_json({"issue_id": issue_id, "state": "dismissed"})


@routes.post(
    "/quality/issues/{issue_id}/reopen",
    response_model=IssueState,
    summary="Take a dismissal back",
    **operation("quality.reopen", Scope.QUALITY_WRITE, problems=(NoIssue, IssueClosed)),
)
async def reopen(issue_id: UUID, principal: Caller, services: Wired) -> Response:
    """The issue is open again."""
    await services.mending.reopen(principal, issue_id)
    return as_json({"issue_id": issue_id, "state": "open"})


@routes.post(
    "/quality/fixes",
    response_model=RunOut,
    summary="Fix many issues",
    **operation(
        "quality.fix_many",
        Scope.QUALITY_WRITE,
        Scope.CUSTOMERS_WRITE,
        problems=(
            NothingChosen,
            NotFound,
            CustomerErased,
            KeyReused,
            StillRunning,
            BadIdempotencyKey,
            *RULE_PROBLEMS,
        ),
        requestBody=_example(
            {"issue_ids": ["019377a4-6c00-7000-8000-000000000001"], "min_confidence": 0.9, "dry_run": False}
        ),
    ),
)
async def fix_many(body: ManyIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """All that fit within your reach, in one transaction, at most 500 issues at once; it is a dry run unless `dry_run`
    is false. Records whose processing is restricted are left out, unless their issues are named."""
    asked = await rule_of(body, principal, services)
    chosen = Chosen(
        issue_ids=body.issue_ids,
        codes=tuple(body.codes),
        causes=tuple(body.causes),
        severities=tuple(body.severities),
        fields=tuple(body.fields),
        source=body.source,
        customer_id=body.customer_id,
        curator_id=body.curator_id,
        import_id=body.import_id,
        rule=asked,
    )
    # A dry run shows values of records, and no more of them than a page.
    limit = page_size(principal, min(body.limit, _MOST_SHOWN)) if body.dry_run else body.limit

    async def work() -> Run:
        return await services.mending.run(
            principal,
            chosen,
            dry=body.dry_run,
            least=body.min_confidence,
            after=body.after,
            limit=limit,
            once=None if body.dry_run else once,
        )

    return as_json(_run(await patiently(work), dry=body.dry_run), headers=_PRIVATE)


@routes.get(
    "/quality/fixes",
    response_model=Page[FixOut],
    summary="List the fixes that were made",
    **operation("quality.fixes", Scope.QUALITY_READ, Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def list_fixes(
    principal: Caller,
    services: Wired,
    customer_id: Annotated[UUID | None, Query()] = None,
    run_id: Annotated[UUID | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Of records within your reach, the latest first, undone ones too."""
    limit = page_size(principal, limit)
    before = id_of(cursor, "before")
    async with services.uow.begin(principal) as tx:
        rows = await tx.mending.fixes(customer_id=customer_id, run_id=run_id, before=before, limit=limit + 1)
    shown = [dict(row) for row in rows[:limit]]
    following = encode({"before": shown[-1]["fix_id"]}) if len(rows) > limit else None
    return as_json({"items": shown, "next_cursor": following, "count": None}, headers=_PRIVATE)


@routes.post(
    "/quality/fixes/{fix_id}/undo",
    response_model=FixOut,
    summary="Undo a fix",
    **operation(
        "quality.undo_fix",
        Scope.QUALITY_WRITE,
        Scope.CUSTOMERS_WRITE,
        problems=(NoFix, FixUndone, CantUndo, NameMissing, CustomerErased),
    ),
)
async def undo_fix(fix_id: UUID, principal: Caller, services: Wired) -> Response:
    """The values are as they were before, with whose word they were; the issue counts as dismissed from then on."""
    return as_json(dict(await services.mending.undo(principal, fix_id)), headers=_PRIVATE)


@routes.post(
    "/quality/runs/{run_id}/undo",
    response_model=UndoneOut,
    summary="Undo a run of fixes",
    **operation("quality.undo_run", Scope.QUALITY_WRITE, Scope.CUSTOMERS_WRITE, problems=(NoFix, CustomerErased)),
)
async def undo_run(run_id: UUID, principal: Caller, services: Wired) -> Response:
    """All fixes of the run within your reach that still stand; what was changed since stays, and is told of."""
    undone = await services.mending.undo_run(principal, run_id)
    return as_json({"run_id": run_id, "undone": list(undone.undone), "conflicts": list(undone.conflicts)})
