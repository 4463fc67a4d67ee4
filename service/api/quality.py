"""Data quality over HTTP: scans of the base, what they found, how good records are; all within the caller's reach."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Response

from service.api import quality_chart
from service.api.deps import OnceKey, Wired
from service.api.paging import BadCursor, decode, encode, page_size
from service.api.quality_schemas import (
    CustomerQuality,
    IssueOut,
    IssuesQuery,
    ScanIn,
    ScanStarted,
    Summary,
    Trend,
)
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Page, as_json
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.errors import NoCustomer
from service.domain.errors import Rejected
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.quality.scanning import ScanUnderWay
from service.domain.quality.scoring import PURPOSES
from service.domain.staff import TenantReachNeeded

routes = router("quality")
# Of a million records.
_TIMEOUT_MS = 30_000
_MOST_DAYS = 1_100
_CHART = operation("quality.chart", Scope.QUALITY_READ, takes_input=False)
_CHART["responses"] |= {200: {"description": "A picture", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}}


class BadSpan(Rejected):
    code = "bad-span"
    title = "The last day comes before the first, or the span is too long."


@routes.post(
    "/quality/scans",
    response_model=ScanStarted,
    status_code=202,
    summary="Examine the whole base",
    **operation(
        "quality.scan",
        Scope.QUALITY_WRITE,
        problems=(TenantReachNeeded, ScanUnderWay, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": {"scope": "all"}}}},
    ),
)
async def scan(body: ScanIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A job that examines every record, goes on where it was after a restart, and keeps nobody from writing. What
    changes is examined within seconds anyway."""
    job_id = await services.quality.start(principal, body.scope, once)
    return as_json({"job_id": job_id}, 202, {"Location": f"/v1/jobs/{job_id}"})


@routes.get(
    "/quality/issues",
    response_model=Page[IssueOut],
    summary="List what is wrong",
    **operation("quality.issues", Scope.QUALITY_READ, Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def issues(principal: Caller, services: Wired, query: Annotated[IssuesQuery, Query()]) -> Response:
    """By record, the newest records first; contacts are masked."""
    limit = page_size(principal, query.limit)
    filters = query.filters()
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        rows = await tx.quality.page(filters, _behind(query.cursor), limit + 1)
        count = await tx.quality.count(filters) if query.count else None
    last = rows[limit - 1] if len(rows) > limit else None
    more = encode({"customer": last["customer_id"], "issue": last["issue_id"]}) if last else None
    return as_json({"items": [dict(row) for row in rows[:limit]], "next_cursor": more, "count": count})


def _behind(cursor: str | None) -> tuple[UUID, UUID] | None:
    if cursor is None:
        return None
    place = decode(cursor, "customer", "issue")
    try:
        return UUID(place["customer"]), UUID(place["issue"])
    except (ValueError, AttributeError, TypeError):
        raise BadCursor(pointer="/cursor") from None


@routes.get(
    "/customers/{customer_id}/quality",
    response_model=CustomerQuality,
    summary="How good a record is",
    **operation("quality.of_customer", Scope.QUALITY_READ, Scope.CUSTOMERS_READ, problems=(NoCustomer,)),
)
async def of_customer(customer_id: UUID, principal: Caller, services: Wired) -> Response:
    """Its score, what it is fit for, and its open findings. A record is examined within seconds of its change."""
    async with services.uow.begin(principal) as tx:
        row = await tx.quality.of_customer(customer_id)
    if row is None:
        raise NoCustomer
    checked = row["score"] is not None
    return as_json(
        {
            "customer_id": row["customer_id"],
            "score": row["score"],
            "fit": {purpose: row[f"fit_{purpose}"] for purpose in PURPOSES} if checked else None,
            "checked_at": row["checked_at"],
            "up_to_date": row["checked_version"] == row["version"],
            "issues": orjson.loads(row["findings"]),
        }
    )


@routes.get(
    "/quality/summary",
    response_model=Summary,
    summary="How good the base is",
    **operation("quality.summary", Scope.QUALITY_READ, takes_input=False),
)
async def summary(principal: Caller, services: Wired) -> Response:
    """The share of records fit for each purpose, the scores, and open findings by who and what they come from."""
    return as_json(await _summary(principal, services))


async def _summary(principal: Principal, services: Services) -> dict[str, Any]:
    async with services.uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
        row = await tx.quality.summary()
    return {
        "records": row["records"],
        "checked": row["checked"],
        "score": _mean(row, row["checked"]),
        "distribution": row["distribution"],
        "fit": _fit(row, row["checked"]),
        "by": row["by"],
        "oldest_check": row["oldest_check"],
        "computed_at": services.clock.now(),
    }


def _mean(row: Mapping[str, Any], of: int) -> float | None:
    return round(row["score_sum"] / of, 1) if of else None


def _fit(row: Mapping[str, Any], of: int) -> dict[str, dict[str, Any]]:
    return {
        purpose: {"records": row[purpose], "share": round(row[purpose] / of, 4) if of else None} for purpose in PURPOSES
    }


@routes.get(
    "/quality/trend",
    response_model=Trend,
    summary="How the quality has moved",
    **operation("quality.trend", Scope.QUALITY_READ, problems=(BadSpan,)),
)
async def trend(principal: Caller, services: Wired, since: date | None = None, until: date | None = None) -> Response:
    """The numbers of each day on which the base was scanned, of the portfolios as they were within your reach; by
    default of the last ninety days."""
    return as_json({"items": await _trend(principal, services, since, until)})


async def _trend(
    principal: Principal, services: Services, since: date | None, until: date | None
) -> list[dict[str, Any]]:
    until = until or services.clock.today(principal.time_zone)
    since = since or until - timedelta(days=min(90, (until - date.min).days))
    if since > until or (until - since).days > _MOST_DAYS:
        raise BadSpan(pointer="/since")
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        rows = await tx.quality.trend(since, until)
    return [
        {
            "day": row["day"],
            "records": row["records"],
            "score": _mean(row, row["records"]),
            "fit": _fit(row, row["records"]),
            "findings": row["findings"],
        }
        for row in rows
    ]


@routes.get(
    "/quality/chart.svg",
    summary="The quality of the base as a picture",
    response_class=Response,
    **_CHART,
)
async def chart(principal: Caller, services: Wired) -> Response:
    """For a slide: what share of the records is fit for each purpose, how they score, and how that has moved."""
    days = await _trend(principal, services, None, None)
    return quality_chart.picture(await _summary(principal, services), days)
