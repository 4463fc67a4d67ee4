"""Bulk in over HTTP: upload a file, follow its import, take back what was rejected."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import File, Form, Query, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.responses import StreamingResponse

from service.api.deps import OnceKey, Wired
from service.api.jobs import job_events
from service.api.paging import BadCursor, encode, id_of
from service.api.problems import InvalidRequest, pointer
from service.api.routing import Caller, by_now, operation, router
from service.api.schemas import BadIdempotencyKey, Page, Source, as_json
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.ingestion import errors
from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.presets import PRESETS
from service.domain.ingestion.report import REJECT_COLUMNS
from service.domain.ingestion.scanning import FileInfected, TooLargeToScan
from service.domain.ingestion.service import AlreadyImported, NoImport, UnrecognisedFile, Upload, net_revenue
from service.domain.jobs import JobOver, progress

routes = router("imports")
_PIECE = 1 << 18
_REFUSALS = (
    AlreadyImported,
    UnrecognisedFile,
    errors.EmptyFile,
    errors.NoRows,
    errors.TruncatedFile,
    errors.CorruptFile,
    errors.CompressedTooFar,
    errors.UnreadableFile,
    FileInfected,
    TooLargeToScan,
    errors.NotText,
    errors.WrongEncoding,
    errors.UnknownEncoding,
    errors.LineTooLong,
    errors.BadDelimiter,
    errors.DuplicateHeader,
    errors.UnknownColumn,
    errors.MissingColumn,
    errors.PoolOutOfReach,
    errors.UnknownField,
    errors.BadMapping,
    errors.UnknownPreset,
)
Kind = Literal["order_lines", "orders", "customers"]
State = Literal["quarantined", "queued", "running", "done", "failed", "cancelled", "reverted"]


class ReasonOut(BaseModel):
    code: str = Field(examples=["missing-customer"])
    title: str
    count: int
    fields: dict[str, int]
    lines: list[int] = Field(description="The first lines of the file with this reason.")


class ProgressOut(BaseModel):
    done: int
    total: int | None
    rate: float | None = Field(description="Rows a second.")
    eta_seconds: float | None


class Import(BaseModel):
    """An import: how far it is, what it brought, why rows were rejected, or why the whole file was refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "import_id": "01a2041e-5757-7655-b688-73ab135e82a2",
                    "job_id": "01a2041e-5757-7655-b688-73ab135e82a3",
                    "kind": "order_lines",
                    "preset": "online_retail",
                    "source": "",
                    "state": "done",
                    "file_name": "orders.csv",
                    "file_bytes": 2917620,
                    "file_erased": False,
                    "rows_read": 209029,
                    "rows_applied": 149053,
                    "rows_rejected": 59976,
                    "counts": {"customers_created": 2767},
                    "revenue": {"GBP": "3120488.091"},
                    "reasons": [],
                    "progress": {"done": 209029, "total": 209029, "rate": None, "eta_seconds": None},
                    "error": None,
                    "created_at": "2026-03-01T12:00:00Z",
                    "finished_at": "2026-03-01T12:00:09Z",
                }
            ]
        }
    )
    import_id: UUID
    job_id: UUID
    kind: Kind | None = Field(description="Null in quarantine, unless the sender has told: nobody has looked.")
    preset: str | None
    source: str
    state: State
    file_name: str
    file_bytes: int
    file_erased: bool = Field(description="The file is gone, since it named a person who was erased.")
    rows_read: int
    rows_applied: int
    rows_rejected: int
    counts: dict[str, int] = Field(description="Customers, orders and returns created and updated.")
    revenue: dict[str, str] = Field(description="Net revenue of the applied rows by currency, returns netted.")
    reasons: list[ReasonOut]
    progress: ProgressOut
    error: dict[str, Any] | None = Field(description="The problem document of a file that was refused as a whole.")
    created_at: datetime
    finished_at: datetime | None


class PresetOut(BaseModel):
    name: str
    title: str
    kind: Kind
    columns: dict[str, str | int]


class Presets(BaseModel):
    items: list[PresetOut]


_AT_MAPPING = {"pointer": "/mapping", "detail": "not JSON"}
_MAPPING: TypeAdapter[ColumnMapping] = TypeAdapter(ColumnMapping)


def _mapping(text: str | None) -> ColumnMapping | None:
    if text is None:
        return None
    try:
        given = orjson.loads(text)
        unknown = set(given) - set(ColumnMapping.__dataclass_fields__) if isinstance(given, dict) else {"mapping"}
        if unknown:
            raise InvalidRequest(f"The mapping has no member {sorted(unknown)[0]!r}.", errors=[])
        return _MAPPING.validate_python(given)
    except orjson.JSONDecodeError:
        raise InvalidRequest("The mapping is not JSON.", errors=[_AT_MAPPING]) from None
    except ValidationError as error:
        found = [{"pointer": "/mapping" + pointer(one["loc"]), "detail": one["msg"]} for one in error.errors()]
        raise InvalidRequest(found[0]["detail"], errors=found) from None


class UploadedPieces:
    """The bytes of an upload, from the first on each time."""

    def __init__(self, file: UploadFile) -> None:
        self._file = file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._file.seek(0)
        while piece := await self._file.read(_PIECE):
            yield piece


def card(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The wire form of an import."""
    shown = {name: row[name] for name in Import.model_fields if name in row}
    counts = dict(row["counts"])
    told = progress(row["done"], row["total"], row["started_at"], now, running=row["state"] == "running")
    return shown | {
        "counts": {name: count for name, count in counts.items() if not name.startswith("revenue_")},
        "revenue": net_revenue(counts),
        "reasons": (row["report"] or {}).get("reasons", []),
        "progress": {
            "done": told.done,
            "total": told.total,
            "rate": told.rate,
            "eta_seconds": told.eta_seconds,
        },
    }


async def _card(services: Services, principal: Principal, import_id: UUID) -> dict[str, Any]:
    async with services.uow.begin(principal) as tx:
        row = await tx.imports.card(import_id)
    if row is None:
        raise NoImport
    return card(row, services.clock.now())


@routes.get(
    "/imports/presets",
    response_model=Presets,
    summary="List import presets",
    **operation("imports.presets", Scope.IMPORTS_WRITE, takes_input=False),
)
async def list_presets() -> Response:
    """File formats that are recognised by their header."""
    found = [
        {"name": p.name, "title": p.title, "kind": p.mapping.kind, "columns": dict(p.mapping.columns)}
        for p in PRESETS.values()
    ]
    return as_json({"items": found})


@routes.post(
    "/imports",
    response_model=Import,
    status_code=202,
    summary="Import a file",
    **operation(
        "imports.create", Scope.IMPORTS_WRITE, problems=(*_REFUSALS, KeyReused, StillRunning, BadIdempotencyKey)
    ),
)
async def start_import(
    principal: Caller,
    services: Wired,
    once: OnceKey,
    file: Annotated[UploadFile, File(description="CSV, plain or gzip; delimiter and encoding are found out.")],
    kind: Annotated[Kind | None, Form(description="What the rows are; told from preset or mapping if absent.")] = None,
    preset: Annotated[str | None, Form(description="A known format; recognised by the header if absent.")] = None,
    mapping: Annotated[
        str | None,
        Form(
            description="JSON: {kind, columns: {field: column}, …}. Fields of customers may be own ones"
            " (`attributes.<name>`) and labelled contacts (`phone.work`, `phone.work.primary`)."
        ),
    ] = None,
    source: Annotated[Source, Form(description="The system whose ids the file uses.")] = "",
    encoding: Annotated[str | None, Form()] = None,
    delimiter: Annotated[str | None, Form()] = None,
    force: Annotated[bool, Form(description="Apply the same file again.")] = False,
) -> Response:
    """Take a file in; it is checked whole and then applied in chunks by a worker. Follow it at its Location.

    A file that the virus scanner could not judge in time waits as `quarantined`, unread, and goes on by itself.
    """
    upload = Upload(
        name=(file.filename or "upload.csv")[-200:],
        content=UploadedPieces(file),
        size=file.size,
        kind=kind,
        preset=preset,
        mapping=_mapping(mapping),
        source=source,
        encoding=encoding,
        delimiter=delimiter,
        force=force,
    )
    import_id = await services.ingestion.accept(principal, upload, once)
    shown = await _card(services, principal, import_id)
    return as_json(shown, 202, {"Location": f"/v1/imports/{import_id}"})


@routes.get(
    "/imports",
    response_model=Page[Import],
    summary="List imports",
    **operation("imports.list", Scope.IMPORTS_WRITE, problems=(BadCursor,)),
)
async def list_imports(
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> Response:
    """Imports within your reach, newest first."""
    before = id_of(cursor, "before") or UUID(int=(1 << 128) - 1)
    async with services.uow.begin(principal) as tx:
        rows = await tx.imports.page(before, limit + 1)
    more = encode({"before": rows[limit - 1]["import_id"]}) if len(rows) > limit else None
    now = services.clock.now()
    return as_json({"items": [card(row, now) for row in rows[:limit]], "next_cursor": more, "count": None})


@routes.get(
    "/imports/{import_id}",
    response_model=Import,
    summary="Read an import",
    **operation("imports.get", Scope.IMPORTS_WRITE, problems=(NoImport,)),
)
async def get_import(import_id: UUID, principal: Caller, services: Wired) -> Response:
    """Progress, counts, and the reasons of rejected rows."""
    return as_json(await _card(services, principal, import_id))


@routes.get(
    "/imports/{import_id}/events",
    response_class=StreamingResponse,
    summary="Follow an import",
    **operation("imports.events", Scope.IMPORTS_WRITE, problems=(NoImport,)),
)
async def import_events(import_id: UUID, request: Request, principal: Caller, services: Wired) -> Response:
    """Server-sent events: `progress` as it goes, `end` when it is over."""
    shown = await _card(services, principal, import_id)
    return StreamingResponse(
        job_events(services, partial(by_now, request), UUID(str(shown["job_id"]))), media_type="text/event-stream"
    )


@routes.get(
    "/imports/{import_id}/rejects",
    response_class=StreamingResponse,
    summary="Download rejected rows",
    **operation("imports.rejects", Scope.IMPORTS_WRITE, problems=(NoImport,)),
)
async def import_rejects(import_id: UUID, principal: Caller, services: Wired) -> Response:
    """CSV: the original cells, then line, field, code and reason. They may hold contacts: the audit tells of it."""
    shown = await _card(services, principal, import_id)
    async with services.uow.begin(principal) as tx:
        await tx.journal.audit("imports.rejects", "import", import_id, records=shown["rows_rejected"])
        await tx.commit()
    headers = {"Content-Disposition": f'attachment; filename="rejects-{import_id}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_rejects(services, principal, import_id), media_type="text/csv", headers=headers)


async def _rejects(services: Services, principal: Principal, import_id: UUID) -> AsyncIterator[str]:
    yield ",".join(REJECT_COLUMNS) + ",cells\r\n"
    after = 0
    while True:
        async with services.uow.begin(principal) as tx:
            rows = await tx.imports.rejects(import_id, after=after, limit=2_000)
        if not rows:
            return
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for row in rows:
            writer.writerow([row["line"], row["field"], row["code"], row["reason"], *row["cells"]])
        after = rows[-1]["row_no"]
        yield buffer.getvalue()


@routes.post(
    "/imports/{import_id}/cancel",
    response_model=Import,
    status_code=202,
    summary="Cancel an import",
    **operation("imports.cancel", Scope.IMPORTS_WRITE, problems=(NoImport, JobOver)),
)
async def cancel_import(import_id: UUID, principal: Caller, services: Wired) -> Response:
    """Stop after the chunk that is being applied; what was applied stays."""
    shown = await _card(services, principal, import_id)
    async with services.uow.begin(principal) as tx:
        if not await tx.jobs.cancel(UUID(str(shown["job_id"]))):
            raise JobOver
        await tx.journal.audit("imports.cancel", "import", import_id)
        await tx.commit()
    return as_json(await _card(services, principal, import_id), 202)
