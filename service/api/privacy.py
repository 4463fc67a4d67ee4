"""Personal-data law over HTTP: restriction of processing, the report to the person, erasure and its acts."""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from service.api.customer_schemas import Customer
from service.api.deps import Expected, OnceKey, Wired, patiently
from service.api.paging import BadCursor, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, BadVersion, Input, Json, LongText, Page, as_json
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.errors import CustomerErased, NoCustomer
from service.domain.errors import Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.privacy.errors import (
    BulkWorkAtHand,
    FutureRequest,
    NoErasure,
    NotConfirmed,
    ReasonNamesPerson,
    WholeBaseNeeded,
)
from service.domain.privacy.ports import ErasureOrder
from service.domain.privacy.service import SECTIONS
from service.domain.reveals.budget import RevealBudgetSpent

routes = router("privacy")
Reason = Annotated[LongText, Field(min_length=3, pattern=r"\S")]
AskedOn = Annotated[date | None, Query(description="The day of the person's request; today if absent.")]
_PRIVATE = {"Cache-Control": "no-store"}
_ID = "019377a4-6c00-7000-8000-000000000001"
_ACT = {
    "erasure_id": "01a2041e-5757-7655-b688-73ab135e82a2",
    "customer_id": _ID,
    "staff_id": "01a2041e-5757-7655-b688-73ab135e82a4",
    "at": "2026-11-22T09:30:00Z",
    "reason": "Request 17 of 20 November",
    "asked_on": "2026-11-20",
    "due_on": "2026-12-20",
    "in_time": True,
    "counts": {"contact_details": 2, "customers": 1, "notes": 4},
    "imports": ["01a2041e-5757-7655-b688-73ab135e82a5"],
    "log": [
        {
            "audit_id": "01a2041e-5757-7655-b688-73ab135e82a6",
            "at": "2026-11-22T09:30:00Z",
            "action": "customers.erase",
            "staff_id": "01a2041e-5757-7655-b688-73ab135e82a4",
        }
    ],
}


class RestrictIn(Input):
    reason: Reason = Field(description="Why; it stands in the audit trail.", examples=["Accuracy is disputed"])
    restricted: bool = Field(True, description="False lifts the restriction.")


class EraseIn(Input):
    confirm: UUID = Field(description="The customer's id once more: erasing can't be undone.")
    reason: Reason = Field(description="Why, without naming the person: it outlives him here.")
    asked_on: date | None = Field(None, description="The day of the person's request; today if absent.")


class LogLine(BaseModel):
    audit_id: UUID
    at: datetime
    action: str
    staff_id: UUID


class Erasure(BaseModel):
    """The act of an erasure: that it was done, by whom, in time or not, and how much of what is gone."""

    erasure_id: UUID
    customer_id: UUID = Field(description="The empty record that its orders hang on.")
    staff_id: UUID
    at: datetime
    reason: str
    asked_on: date
    due_on: date = Field(description="By the tenant's policy.")
    in_time: bool
    counts: dict[str, int] = Field(description="Rows by table that went, or lost what told of the person.")
    imports: list[UUID] = Field(description="The imports whose files are gone.")
    log: list[LogLine] = Field(description="The audit trail of the record, the latest first: what, when, by whom.")


class AccessReport(BaseModel):
    """All that is kept on one person."""

    customer_id: UUID
    made_at: datetime
    due_on: date = Field(description="The last day to hand it over, by the tenant's policy.")
    record: list[dict[str, Any]]
    external_ids: list[dict[str, Any]]
    contacts: list[dict[str, Any]] = Field(description="In clear.")
    links: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    interactions: list[dict[str, Any]]
    orders: list[dict[str, Any]] = Field(description="With their lines.")
    refunds: list[dict[str, Any]]
    events: list[dict[str, Any]] = Field(description="What befell the record.")
    ownerships: list[dict[str, Any]] = Field(description="Who answered for it, since when.")
    imports: list[dict[str, Any]] = Field(description="The files it came with.")
    exports: list[dict[str, Any]] = Field(description="The files it left with.")
    accesses: list[dict[str, Any]] = Field(description="What was done with it, when and by whom.")


def _example(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


def _act(row: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = dict(row)
    act: dict[str, Any] = shown.pop("act")
    return shown | act


_ERASE = operation(
    "customers.erase",
    Scope.PRIVACY_WRITE,
    problems=(
        WholeBaseNeeded,
        NoCustomer,
        CustomerErased,
        NotConfirmed,
        ReasonNamesPerson,
        FutureRequest,
        BulkWorkAtHand,
        Precondition,
        BadVersion,
        NoErasure,
        KeyReused,
        StillRunning,
        BadIdempotencyKey,
    ),
    requestBody=_example({"confirm": _ID, "reason": "Request 17 of 20 November", "asked_on": "2026-11-20"}),
)
_ERASE["responses"] |= {201: {"content": {"application/json": {"example": _ACT}}}}
_GET = operation("erasures.get", Scope.PRIVACY_WRITE, problems=(NoErasure,))
_GET["responses"] |= {200: {"content": {"application/json": {"example": _ACT}}}}


@routes.post(
    "/customers/{customer_id}/restrict",
    response_model=Customer,
    summary="Restrict the processing of a customer",
    **operation(
        "customers.restrict",
        Scope.PRIVACY_WRITE,
        problems=(NoCustomer, CustomerErased),
        requestBody=_example({"reason": "Accuracy is disputed", "restricted": True}),
    ),
)
async def restrict_customer(customer_id: UUID, body: RestrictIn, principal: Caller, services: Wired) -> Response:
    """A restricted record is kept and shown, marked by `restricted_at`, and goes into no export and no mass change;
    `restricted: false` lifts that. Asking for what is so already changes nothing."""
    await services.privacy.restrict(principal, customer_id, body.reason.strip(), restricted=body.restricted)
    found = await services.uow.customer_card(principal, customer_id)
    if found is None:
        raise NoCustomer
    version, text = found
    return Json(text.encode(), 200, {"ETag": f'"{version}"'})


@routes.get(
    "/customers/{customer_id}/access-report",
    response_model=AccessReport,
    summary="Report all that is kept on a customer",
    **operation(
        "customers.access_report",
        Scope.PRIVACY_WRITE,
        problems=(WholeBaseNeeded, NoCustomer, FutureRequest, RevealBudgetSpent),
    ),
)
async def access_report(customer_id: UUID, principal: Caller, services: Wired, asked_on: AskedOn = None) -> Response:
    """The person's own data as JSON to hand over, contacts in clear: a reveal, written into the audit trail first.
    It is sent as it is read; an answer that does not end in `}` was broken off."""
    due_on = await services.privacy.report(principal, customer_id, asked_on)
    headers = _PRIVATE | {"Content-Disposition": f'attachment; filename="access-report-{customer_id}.json"'}
    told = _report(services, principal, customer_id, due_on)
    return StreamingResponse(told, media_type="application/json", headers=headers)


async def _report(services: Services, principal: Principal, customer_id: UUID, due_on: date) -> AsyncIterator[bytes]:
    head = {"customer_id": str(customer_id), "made_at": services.clock.now(), "due_on": due_on}
    yield orjson.dumps(head)[:-1]
    for name in SECTIONS:
        between = f',"{name}":['
        async for rows in services.privacy.section(principal, customer_id, name):
            if rows:
                yield (between + ",".join(rows)).encode()
                between = ","
        yield b"]" if between == "," else (between + "]").encode()
    yield b"}"


@routes.post(
    "/customers/{customer_id}/erase",
    response_model=Erasure,
    status_code=201,
    summary="Erase a customer's personal data",
    **_ERASE,
)
async def erase_customer(
    customer_id: UUID, body: EraseIn, principal: Caller, services: Wired, expected: Expected, once: OnceKey
) -> Response:
    """Take a person out of everything, for good: names, contacts, requisites, external ids, attributes, tags, notes,
    interactions, consents, history, links, rows that imports have rejected, the files of imports that name him, and the
    files of exports that hold him. His orders stay, on an empty record that shows `—`; nothing brings the rest back.
    In notes on other records, lines that name him are blanked. The audit trail stays: it holds no contents of records.
    Copies of the database (backups) are the operator's.

    A file goes as a whole where it names the person, so other rejected rows can still be read, but the file can't be
    applied again; a namesake is taken for the person. While an import or export is not over, this answers 409."""
    order = ErasureOrder(
        customer_id=customer_id, confirm=body.confirm, reason=body.reason.strip(), asked_on=body.asked_on
    )
    act = await patiently(lambda: services.privacy.erase(principal, order, expected, once))
    return as_json(_act(act), 201, {"Location": f"/v1/erasures/{act['erasure_id']}"})


@routes.get(
    "/erasures",
    response_model=Page[Erasure],
    summary="List erasures",
    **operation("erasures.list", Scope.PRIVACY_WRITE, problems=(BadCursor,)),
)
async def list_erasures(
    principal: Caller,
    services: Wired,
    customer_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """The acts of erasures, the newest first."""
    before = id_of(cursor, "before")
    async with services.uow.begin(principal) as tx:
        rows = await tx.privacy.acts(customer_id=customer_id, before=before, limit=limit + 1)
    more = encode({"before": rows[limit - 1]["erasure_id"]}) if len(rows) > limit else None
    return as_json({"items": [_act(row) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.get("/erasures/{erasure_id}", response_model=Erasure, summary="Read an erasure", **_GET)
async def get_erasure(erasure_id: UUID, principal: Caller, services: Wired) -> Response:
    """The act as proof: when and by whom, in time or not, rows by table, and the record's own trail."""
    async with services.uow.begin(principal) as tx:
        row = await tx.privacy.act(erasure_id)
    if row is None:
        raise NoErasure
    return as_json(_act(row))
