"""Bulk out over HTTP: ask for a file with a purpose, have it approved where it must be, fetch it once it is there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import StreamingResponse

from service.api.deps import OnceKey, Wired
from service.api.paging import BadCursor, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_EXAMPLE, RULE_PROBLEMS, RuleJson, RuleText, rule_of
from service.api.schemas import BadIdempotencyKey, Input, LongText, Page, Text, as_json
from service.domain.access import Scope
from service.domain.exports.columns import COLUMNS
from service.domain.exports.errors import (
    AlreadyApproved,
    ApproverUnfit,
    ExportChanged,
    ExportExpired,
    ExportFetched,
    ExportNotReady,
    ExportOfAnother,
    LinkSpent,
    MigrationIsWhole,
    MigrationNeedsAll,
    NoExport,
    NotAwaiting,
)
from service.domain.exports.policy import (
    ExportRequest,
    NotExportable,
    RepeatedColumn,
    UnknownColumn,
    UnknownExportGroup,
)
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.rules.model import Asked
from service.domain.rules.printing import printed

routes = router("exports")
State = Literal["awaiting_approval", "queued", "running", "done", "failed", "cancelled", "rejected", "lapsed"]
Kind = Literal["plain", "migration"]
_PRIVATE = {"Cache-Control": "no-store"}
_BODY = {
    "what": "customers",
    "group": "champions",
    "filters": {"city": "Казань"},
    "columns": ["external_ids", "display_name", "city", "phone", "orders", "revenue", "last_on"],
    "format": "csv",
    "delimiter": ";",
    "bom": True,
    "purpose": "Invitation to the anniversary sale",
}
_CSV = (
    "customer_id,display_name,phone,revenue\n019377a4-6c00-7000-8000-000000000001,Иванова Мария,+79123456789,1490.00\n"
)


class ExportFilters(Input):
    """Which records; each filter narrows."""

    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    kind: Literal["person", "organisation"] | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    city: Text | None = None
    region: Text | None = None
    channel: Text | None = Field(None, description="Code of the acquisition channel.")
    tag: Text | None = None


class ExportIn(Input):
    """What to take out, how it is to be written, and why."""

    what: Annotated[str, Field(max_length=40, examples=["customers"])]
    purpose: Annotated[
        LongText,
        Field(min_length=3, pattern=r"\S", description="Why; it stands in the audit trail.", examples=["A mailing"]),
    ]
    group: Text | None = Field(None, description="An RFM group of today, over all purchases in the tenant's currency.")
    filters: ExportFilters = ExportFilters()
    rule: RuleJson | None = Field(
        None, description="Of the records, those that a rule means when the file is written.", examples=[RULE_EXAMPLE]
    )
    text: RuleText | None = Field(None, description="The rule as text.")
    columns: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = Field(
        None,
        description=f"In this order; without it all that you may see of: {', '.join(COLUMNS)}, and of the tenant's own"
        " fields, as `attributes.<name>`.",
    )
    kind: Kind = Field(
        "plain",
        description="`migration`: every column in clear, each cell as it is stored; two other persons must agree.",
    )
    format: Literal["csv"] = "csv"
    delimiter: Literal[",", ";", "\t"] = Field(",", description="`;` where a spreadsheet is set to Russian.")
    bom: bool = Field(False, description="A byte order mark, by which Excel knows UTF-8.")

    @model_validator(mode="after")
    def _one_rule(self) -> "ExportIn":
        if self.rule is not None and self.text is not None:
            raise ValueError("give the rule either as rule or as text")
        return self

    def asked(self, rule: Asked | None) -> ExportRequest:
        return ExportRequest(
            what=self.what,
            purpose=self.purpose.strip(),
            columns=None if self.columns is None else tuple(self.columns),
            group=self.group,
            filters=self.filters.model_dump(mode="json", exclude_none=True),
            delimiter=self.delimiter,
            bom=self.bom,
            kind=self.kind,
            rule=None if rule is None else printed(rule.rule),
        )


class ExportProgress(BaseModel):
    done: int
    total: int | None = Field(description="Null as long as nobody knows.")


class Approval(BaseModel):
    staff_id: UUID
    at: datetime


class Approvals(BaseModel):
    needed: int = Field(description="How many other persons must agree; 0 below the tenant's threshold.")
    given: list[Approval]


class Export(BaseModel):
    """An export: what was asked for, who agreed, how far it is, what came of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "export_id": "01a2041e-5757-7655-b688-73ab135e82a2",
                    "job_id": "01a2041e-5757-7655-b688-73ab135e82a3",
                    "staff_id": "01a2041e-5757-7655-b688-73ab135e82a4",
                    "staff_name": "Анна Петрова",
                    "kind": "plain",
                    "what": "customers",
                    "group": "champions",
                    "filters": {"city": "Казань"},
                    "rule": "orders.count >= 2",
                    "columns": ["external_ids", "display_name", "city", "phone"],
                    "format": "csv",
                    "purpose": "Invitation to the anniversary sale",
                    "state": "done",
                    "asked_rows": 1834,
                    "approvals": {
                        "needed": 1,
                        "given": [{"staff_id": "01a2041e-5757-7655-b688-73ab135e82a5", "at": "2026-03-01T11:59:00Z"}],
                    },
                    "asked_at": "2026-03-01T11:30:00Z",
                    "fetches": 0,
                    "rows": 1834,
                    "bytes": 201740,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "contacts": "masked",
                    "progress": {"done": 1834, "total": 1834},
                    "error": None,
                    "created_at": "2026-03-01T12:00:00Z",
                    "finished_at": "2026-03-01T12:00:01Z",
                    "expires_at": "2026-03-02T12:00:01Z",
                }
            ]
        }
    )
    export_id: UUID
    job_id: UUID | None = Field(description="Null while it waits for approval.")
    staff_id: UUID = Field(description="Who asked for it.")
    staff_name: str | None
    kind: Kind
    what: str
    group: str | None
    filters: dict[str, str]
    rule: str | None = Field(description="The rule as text.", examples=['city = "Казань"'])
    columns: list[str]
    format: Literal["csv"]
    purpose: str
    state: State = Field(description="`lapsed`: nobody has decided in three days.")
    asked_rows: int = Field(description="Records that it had when it was asked for; approval is for so many.")
    asked_at: datetime = Field(description="When it was asked for, or asked for again.")
    approvals: Approvals
    fetches: int
    rows: int | None = Field(description="Records in the file, the header not counted.")
    bytes: int | None
    sha256: str | None
    contacts: Literal["masked", "clear"] | None = Field(description="How a file shows them; null where there is none.")
    progress: ExportProgress
    error: dict[str, Any] | None = Field(description="Why it failed.")
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the file goes.")


class ExportStarted(BaseModel):
    export_id: UUID
    job_id: UUID | None = Field(description="The job to follow or cancel; null while the export waits for approval.")
    state: State = Field(examples=["queued"])


class ExportAwaiting(Export):
    """What a person who decides sees: what, of whom, how many, why, who asks."""

    model_config = ConfigDict(json_schema_extra={})


class ApproveIn(Input):
    rows: Annotated[int, Field(ge=0)] | None = Field(
        None, description="`asked_rows` as you saw it; with another number by now the answer is 409."
    )


class RejectIn(Input):
    reason: Annotated[
        LongText, Field(min_length=3, pattern=r"\S", description="Who asked reads it.", examples=["Not for this"])
    ]


class ExportLink(BaseModel):
    """A way to the file that works once."""

    url: str = Field(
        description="Relative to the service; fetched with the bearer token of the same person.",
        examples=["/v1/exports/01a2041e-5757-7655-b688-73ab135e82a2/file?link=kJx0f3"],
    )
    expires_at: datetime


def card(row: Mapping[str, Any]) -> dict[str, Any]:
    """The wire form of an export."""
    request = row["request"]
    digest = row["sha256"]
    return {name: row[name] for name in Export.model_fields if name in row} | {
        "group": request["group"],
        "filters": request["filters"],
        "rule": request.get("rule"),
        "sha256": None if digest is None else bytes(digest).hex(),
        "contacts": None if row["state"] != "done" else "clear" if request.get("clear") else "masked",
        "approvals": {"needed": row["needs"], "given": row["approvals"]},
        "progress": {"done": row["done"], "total": row["total"]},
    }


@routes.post(
    "/exports",
    response_model=ExportStarted,
    status_code=202,
    summary="Export customers",
    **operation(
        "exports.create",
        Scope.EXPORTS_CREATE,
        Scope.CUSTOMERS_READ,
        problems=(
            NotExportable,
            UnknownColumn,
            RepeatedColumn,
            UnknownExportGroup,
            MigrationIsWhole,
            MigrationNeedsAll,
            *RULE_PROBLEMS,
            KeyReused,
            StillRunning,
            BadIdempotencyKey,
        ),
        requestBody={"content": {"application/json": {"example": _BODY}}},
    ),
)
async def start_export(body: ExportIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """Queue a file of the records within your reach; contacts are masked unless you hold `contacts:reveal` too. Above
    the tenant's threshold it waits until a second person agrees, a migration until two do. A rule is kept with the
    request, where those who decide read it; the audit trail names its fields, not its values."""
    asked = await rule_of(body, principal, services)
    export_id, job_id = await services.exports.request(principal, body.asked(asked), once)
    started = {"export_id": export_id, "job_id": job_id, "state": "queued" if job_id else "awaiting_approval"}
    return as_json(started, 202, {"Location": f"/v1/exports/{export_id}"})


@routes.get(
    "/exports",
    response_model=Page[Export],
    summary="List exports",
    **operation("exports.list", Scope.EXPORTS_CREATE, problems=(BadCursor,)),
)
async def list_exports(
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=1000)] | None = None,
) -> Response:
    """Your exports (with reach over the tenant: everyone's), newest first."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.exports.page(before=id_of(cursor, "before"), limit=limit + 1)
    more = encode({"before": rows[limit - 1]["export_id"]}) if len(rows) > limit else None
    return as_json({"items": [card(row) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.get(
    "/exports/awaiting",
    response_model=Page[ExportAwaiting],
    summary="List exports that wait for you",
    **operation("exports.awaiting", Scope.EXPORTS_APPROVE, problems=(BadCursor,)),
)
async def list_awaiting(
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=1000)] | None = None,
) -> Response:
    """Exports of others that need one more person to agree and that you may decide on, newest first: nothing without
    the reach over the tenant, for you could not see the records yourself."""
    before = id_of(cursor, "before")
    rows = await services.export_approvals.waiting(principal, before=before, limit=limit + 1)
    more = encode({"before": rows[limit - 1]["export_id"]}) if len(rows) > limit else None
    page = {"items": [_awaiting(row) for row in rows[:limit]], "next_cursor": more, "count": None}
    return as_json(page, headers=_PRIVATE)


def _awaiting(row: Mapping[str, Any]) -> dict[str, Any]:
    shows = {"email", "phone"} & set(row["columns"])
    clear = shows and "contacts:reveal" in row["request"]["scopes"]
    return card(row) | {"contacts": "clear" if clear else "masked" if shows else None}


_DECIDING = (NoExport, ApproverUnfit, NotAwaiting)


@routes.post(
    "/exports/{export_id}/approve",
    response_model=ExportAwaiting,
    summary="Agree to an export",
    **operation(
        "exports.approve",
        Scope.EXPORTS_APPROVE,
        problems=(*_DECIDING, AlreadyApproved, ExportChanged),
        requestBody={"content": {"application/json": {"example": {}}}},
    ),
)
async def approve_export(export_id: UUID, body: ApproveIn, principal: Caller, services: Wired) -> Response:
    """For another person than the one who asked, with the reach over the tenant. With the last word that is needed the
    file is made; if by then it has more than a twentieth more rows, or ten, it is asked again."""
    await services.export_approvals.approve(principal, export_id, rows=body.rows)
    return await _decided(principal, services, export_id)


@routes.post(
    "/exports/{export_id}/reject",
    response_model=ExportAwaiting,
    summary="Decide against an export",
    **operation(
        "exports.reject",
        Scope.EXPORTS_APPROVE,
        problems=_DECIDING,
        requestBody={"content": {"application/json": {"example": {"reason": "The mailing was called off."}}}},
    ),
)
async def reject_export(export_id: UUID, body: RejectIn, principal: Caller, services: Wired) -> Response:
    """No file is made; who asked reads the reason."""
    await services.export_approvals.reject(principal, export_id, body.reason.strip())
    return await _decided(principal, services, export_id)


async def _decided(principal: Caller, services: Wired, export_id: UUID) -> Response:
    async with services.uow.begin(principal) as tx:
        row = await tx.exports.card(export_id)
    if row is None:
        raise NoExport
    return as_json(_awaiting(row), headers=_PRIVATE)


@routes.post(
    "/exports/{export_id}/link",
    response_model=ExportLink,
    status_code=201,
    summary="Draw a link to an export's file",
    **operation(
        "exports.link", Scope.EXPORTS_CREATE, problems=(NoExport, ExportNotReady, ExportExpired, ExportOfAnother)
    ),
)
async def draw_link(export_id: UUID, principal: Caller, services: Wired) -> Response:
    """It works once, for ten minutes, and with your own bearer token only, so that in a log or a history it opens
    nothing. Each link and each fetch is written into the audit trail."""
    link = await services.export_files.link(principal, export_id)
    url = f"/v1/exports/{export_id}/file?link={link.token}"
    return as_json({"url": url, "expires_at": link.expires_at}, 201, _PRIVATE)


@routes.get(
    "/exports/{export_id}",
    response_model=Export,
    summary="Read an export",
    **operation("exports.get", Scope.EXPORTS_CREATE, problems=(NoExport,)),
)
async def get_export(export_id: UUID, principal: Caller, services: Wired) -> Response:
    """State, progress, and what the file holds."""
    async with services.uow.begin(principal) as tx:
        row = await tx.exports.card(export_id)
    if row is None:
        raise NoExport
    return as_json(card(row), headers=_PRIVATE)


_FILE = operation(
    "exports.file",
    Scope.EXPORTS_CREATE,
    problems=(NoExport, ExportNotReady, ExportExpired, ExportOfAnother, ExportFetched, LinkSpent),
)
_FILE["responses"] |= {
    200: {
        "description": "The file. A cell that a spreadsheet could run as a formula begins with `'`.",
        "content": {"text/csv": {"schema": {"type": "string"}, "example": _CSV}},
    }
}


@routes.get("/exports/{export_id}/file", response_class=StreamingResponse, summary="Download an export", **_FILE)
async def download_export(
    export_id: UUID,
    principal: Caller,
    services: Wired,
    link: Annotated[str, Query(min_length=1, max_length=200)] | None = None,
) -> Response:
    """The file, for the one who asked for it and with the same rights: the first time as it is, then by a link for each
    time. Each fetch is written into the audit trail first."""
    file = await services.export_files.open_file(principal, export_id, link)
    headers = _PRIVATE | {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Content-Length": str(file.size),
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(services.export_files.parts(principal, file), media_type=file.media_type, headers=headers)
