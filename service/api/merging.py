"""Merging over HTTP: a preview field by field, the merge, and its undo with what stood in the way."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field, model_validator

from service.api.deps import OnceKey, Wired, patiently
from service.api.paging import BadCursor, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, LongText, Page, as_json
from service.domain.access import Principal, Scope
from service.domain.customers.errors import CustomerErased, NameMissing, NoCustomer, OutsideOwnReach
from service.domain.errors import Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.merging.contacts import Pooled
from service.domain.merging.errors import (
    BadSurvivorship,
    KindsDiffer,
    MarkedAsDifferent,
    MergeSuperseded,
    MergeUndone,
    NoMerge,
)
from service.domain.merging.model import MOST, Candidate, MergeOrder, Rule, Wish, is_filled, told_value
from service.domain.merging.service import Plan
from service.domain.merging.survivorship import Decision

routes = router("merges")
_ONE, _OTHER = "019377a4-6c00-7000-8000-000000000001", "019377a4-6c00-7000-8000-000000000002"
_EXAMPLE = {
    "customer_ids": [_ONE, _OTHER],
    "fields": {"place": {"rule": "newest"}, "birth_date": {"customer_id": _OTHER}},
    "dry_run": True,
    "reason": "The same person in two shops.",
}
_PURCHASES = ("orders", "refunds")


class WishIn(Input):
    """Which value of a field survives: by a rule, or that of one record."""

    rule: Rule | None = None
    customer_id: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> "WishIn":
        if (self.rule is None) == (self.customer_id is None):
            raise ValueError("give either a rule or a record")
        return self


class MergeIn(Input):
    """Which records are one, and what survives; all but the records may be left to the rules."""

    customer_ids: Annotated[list[UUID], Field(min_length=2, max_length=MOST)]
    survivor_id: UUID | None = Field(
        None, description="Who stays; else the one with most orders, the fullest, the oldest."
    )
    rule: Literal["survivor", "newest", "oldest", "verified", "common", "longest"] = Field(
        "survivor",
        description="For fields without a wish of their own. Lists are joined, the status is the furthest, the channel"
        " the oldest.",
    )
    fields: Annotated[dict[str, WishIn], Field(max_length=200)] = Field(
        default_factory=dict,
        description="By field; `place`, `curator` and `birth_date` go as a whole, attributes as `attributes.<name>`.",
    )
    versions: Annotated[dict[UUID, int], Field(max_length=MOST)] = Field(
        default_factory=dict, description="The versions that you have read; a newer one answers 412."
    )
    dry_run: bool = True
    reason: LongText | None = None

    @model_validator(mode="after")
    def _different(self) -> "MergeIn":
        if len(set(self.customer_ids)) < len(self.customer_ids):
            raise ValueError("each record is named once")
        return self

    @property
    def order(self) -> MergeOrder:
        return MergeOrder(
            customer_ids=self.customer_ids,
            survivor_id=self.survivor_id,
            rule=Rule(self.rule),
            wishes={name: Wish(rule=wish.rule, taken_from=wish.customer_id) for name, wish in self.fields.items()},
            versions=self.versions,
            reason=self.reason,
        )


class ValueOut(BaseModel):
    customer_id: UUID
    value: Any = Field(examples=["Казань"])
    source: str | None = Field(description="Where it came from.", examples=["api"])
    set_at: datetime | None
    verified_at: datetime | None


class FieldOut(BaseModel):
    field: str = Field(examples=["place"])
    value: Any = Field(description="What survives.", examples=["Казань"])
    customer_id: UUID | None = Field(description="Whose value it is; null where it is of several.")
    rule: str | None = Field(description="The rule that decided; null where you did.", examples=["survivor"])
    differs: bool = Field(description="Whether records say different things.")
    values: list[ValueOut]


class ContactOutcome(BaseModel):
    detail_id: UUID
    customer_id: UUID
    kind: str = Field(examples=["phone"])
    value: str = Field(description="Masked.", examples=["+7 ••• ••• 67 89"])
    is_primary: bool
    same_as: UUID | None = Field(description="The contact of another record that it is the same as; that one stays.")


class Preview(BaseModel):
    fields: list[FieldOut]
    contacts: list[ContactOutcome]
    versions: dict[str, int] = Field(description="Send these back, and nothing is merged that you have not seen.")


class UndoneOut(BaseModel):
    fields: list[str] = Field(description="Fields of the survivor that were written since, and stayed.")
    contacts: int = Field(description="Contacts that somebody had taken away, and that came back.")
    external_ids: int = Field(description="External ids that another record has by now.")
    gone: dict[str, int] = Field(description="Rows that are no more, or that another record has by now.")
    stayed: dict[str, int] = Field(description="What came since, and stayed with the survivor.")


class MergeOut(BaseModel):
    merge_id: UUID | None
    state: Literal["dry_run", "done", "undone"]
    survivor_id: UUID
    customer_id: UUID = Field(description="The record that holds it all now: another one after a later merge.")
    merged_ids: list[UUID] = Field(description="These ids lead to the survivor.")
    moved: dict[str, int] = Field(description="Rows that hang on the others, by kind.", examples=[{"notes": 2}])
    request: dict[str, Any]
    preview: Preview | None = Field(description="Of a dry run: what becomes of each field and contact.")
    made_by: str | None = Field(examples=["Анна Петрова"])
    created_at: datetime | None
    undone_at: datetime | None
    undone: UndoneOut | None


class ConflictOut(BaseModel):
    field: str = Field(examples=["place"])
    before: Any = Field(description="Before the merge.", examples=["Казань"])
    merged: Any = Field(description="After it.", examples=["Москва"])
    now: Any = Field(description="What somebody has written since, and what stays.", examples=["Тверь"])


class LostIdOut(BaseModel):
    customer_id: UUID
    source: str
    external_id: str


class LostContactOut(BaseModel):
    customer_id: UUID
    kind: str
    value: str = Field(description="Masked.")


class MergeUndo(BaseModel):
    """What an undo has brought back, and what was not as it had been."""

    merge_id: UUID
    survivor_id: UUID
    restored: list[UUID]
    fields: list[ConflictOut] = Field(description="Fields of the survivor that were written since; they stay.")
    contacts: list[LostContactOut] = Field(description="Taken away since the merge; back with their records.")
    external_ids: list[LostIdOut] = Field(description="Another record has them by now.")
    gone: dict[str, int] = Field(description="Rows that are no more, or that another record has by now.")
    stayed: dict[str, int] = Field(description="What came since, and stays with the survivor.")


_MERGE = operation(
    "customers.merge",
    Scope.CUSTOMERS_MERGE,
    problems=(
        NoCustomer,
        CustomerErased,
        KindsDiffer,
        MarkedAsDifferent,
        BadSurvivorship,
        NameMissing,
        OutsideOwnReach,
        Precondition,
        KeyReused,
        StillRunning,
        BadIdempotencyKey,
    ),
    requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
)
_MERGE["responses"] = {200: {"description": "A dry run.", "model": MergeOut}, **_MERGE["responses"]}


@routes.post(
    "/customers/merge",
    response_model=MergeOut,
    status_code=201,
    summary="Merge customers",
    **_MERGE,
)
async def merge_customers(body: MergeIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """One record of several that are the same person or organisation. It is a dry run unless `dry_run` is false, and
    then shows field by field what survives and why. Everything that hangs on the others moves to the survivor: orders,
    contacts, external ids, links, segments, consents, the timeline; their ids lead there from then on (`301`). Of a
    contact that several have, one stays. All of it happens at once or not at all; `undo` brings the records back."""
    if body.dry_run:
        plan = await services.merging.preview(principal, body.order)
        return as_json(_previewed(plan, body.order, principal))
    merge_id = await patiently(lambda: services.merging.merge(principal, body.order, once))
    async with services.uow.begin(principal) as tx:
        row = await tx.merging.card(merge_id)
    if row is None:
        raise NoMerge
    return as_json(_card(row, principal), 201, {"Location": f"/v1/merges/{merge_id}"})


@routes.get(
    "/merges",
    response_model=Page[MergeOut],
    summary="List merges",
    **operation("merges.list", Scope.CUSTOMERS_MERGE, problems=(BadCursor,)),
)
async def list_merges(
    principal: Caller,
    services: Wired,
    customer_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Merges whose records you reach, the newest first."""
    before = id_of(cursor, "before")
    async with services.uow.begin(principal) as tx:
        rows = await tx.merging.page(customer_id=customer_id, before=before, limit=limit + 1)
    more = encode({"before": rows[limit - 1]["merge_id"]}) if len(rows) > limit else None
    items = [_card(row, principal) for row in rows[:limit]]
    return as_json({"items": items, "next_cursor": more, "count": None})


@routes.get(
    "/merges/{merge_id}",
    response_model=MergeOut,
    summary="Read a merge",
    **operation("merges.get", Scope.CUSTOMERS_MERGE, problems=(NoMerge,)),
)
async def get_merge(merge_id: UUID, principal: Caller, services: Wired) -> Response:
    """Which records became one, by whom, and whether it was undone."""
    async with services.uow.begin(principal) as tx:
        row = await tx.merging.card(merge_id)
    if row is None:
        raise NoMerge
    return as_json(_card(row, principal))


@routes.post(
    "/merges/{merge_id}/undo",
    response_model=MergeUndo,
    summary="Undo a merge",
    **operation(
        "merges.undo",
        Scope.CUSTOMERS_MERGE,
        problems=(NoMerge, MergeUndone, MergeSuperseded, CustomerErased, OutsideOwnReach),
    ),
)
async def undo_merge(merge_id: UUID, principal: Caller, services: Wired) -> Response:
    """The records as they were, each with what hung on it. What was written on the survivor since stays, and is
    reported. The last merge of a record is undone first; a second time is refused."""
    report = dict(await services.merging.undo(principal, merge_id))
    return as_json(report | {name: _shown(report[name], principal) for name in ("gone", "stayed")})


def _previewed(plan: Plan, order: MergeOrder, principal: Principal) -> dict[str, Any]:
    survivor_id = plan.survivor.customer_id
    return {
        "merge_id": None,
        "state": "dry_run",
        "survivor_id": survivor_id,
        "customer_id": survivor_id,
        "merged_ids": plan.others,
        "moved": _shown(plan.hanging, principal),
        "request": order.told,
        "preview": {
            "fields": [_field(one, plan) for one in plan.decisions],
            "contacts": [_contact(one) for one in plan.contacts],
            "versions": {str(one.customer_id): one.version for one in plan.candidates},
        },
        **dict.fromkeys(("made_by", "created_at", "undone_at", "undone")),
    }


def _field(one: Decision, plan: Plan) -> dict[str, Any]:
    return {
        "field": one.unit,
        "value": told_value(plan.record, one.unit),
        "customer_id": one.taken_from,
        "rule": one.rule,
        "differs": one.differs,
        "values": [_value(one.unit, holder) for holder in plan.candidates if is_filled(holder.record, one.unit)],
    }


def _value(unit: str, holder: Candidate) -> dict[str, Any]:
    origin = holder.origin(unit)
    return {
        "customer_id": holder.customer_id,
        "value": told_value(holder.record, unit),
        "source": origin.source,
        "set_at": origin.set_at,
        "verified_at": origin.verified_at,
    }


def _contact(one: Pooled) -> dict[str, Any]:
    held = one.contact
    return {
        "detail_id": held.detail_id,
        "customer_id": held.customer_id,
        "kind": held.kind,
        "value": held.masked,
        "is_primary": one.is_primary,
        "same_as": one.same_as,
    }


def _card(row: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    outcome = row["outcome"]
    undone = outcome.get("undone")
    if undone is not None:
        undone |= {name: _shown(undone[name], principal) for name in ("gone", "stayed")}
    return {
        **{name: row[name] for name in ("merge_id", "state", "survivor_id", "customer_id", "merged_ids", "request")},
        **{name: row[name] for name in ("made_by", "created_at", "undone_at")},
        "moved": _shown(outcome.get("moved", {}), principal),
        "preview": None,
        "undone": undone,
    }


def _shown(counts: Mapping[str, int], principal: Principal) -> dict[str, int]:
    """Counts of rows; of purchases only for those who may read orders."""
    return {what: count for what, count in counts.items() if what not in _PURCHASES or principal.may(Scope.ORDERS_READ)}
