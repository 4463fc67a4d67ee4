"""Acquisition channels: the catalogue, what they cost period by period, and what they brought.

Administrators keep channels and costs. What a channel cost is known for the whole tenant, so the report sets it against
records only for those who reach all of them.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.api.deps import OnceKey, Wired
from service.api.paging import BadCursor, Cursor, Limit, after_key, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Currency, Input, Micros, Money, Page, Text, as_json, money
from service.domain.access import Principal, Reach, Scope
from service.domain.channels import Cost, EndsBeforeItBegins, Line, NoChannel, NoChannelCost, Period, total
from service.domain.errors import NameTaken
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.ids import new_id
from service.domain.money import TooPrecise, to_micros
from service.domain.staff import TenantReachNeeded, administer

routes = router("staff")
# One pass over all records in reach.
_TIMEOUT_MS = 30_000
ChannelKind = Literal[
    "calls",
    "mailings",
    "administrative_resource",
    "closed_market",
    "intermediaries",
    "own_outlets",
    "state_orders",
    "online_sales",
    "advertising",
    "indirect",
]


def _in_our_times(day: date) -> date:
    if not 1900 <= day.year <= 2100:
        raise ValueError("the year must lie between 1900 and 2100")
    return day


Day = Annotated[date, AfterValidator(_in_our_times)]
Ratio = Annotated[str | None, Field(description="A decimal string, 0…1; null of nobody.", examples=["0.4286"])]
MaybeMoney = Annotated[str | None, Field(examples=["1490.00"])]


class ChannelIn(Input):
    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]
    name: Text
    kind: ChannelKind


class ChannelOut(BaseModel):
    channel_id: UUID
    code: str = Field(examples=["fair-2026"])
    name: str = Field(examples=["Весенняя ярмарка"])
    kind: ChannelKind
    created_at: datetime


class CostIn(Input):
    from_on: Day
    until_on: Day = Field(description="The last day, included.")
    amount: Annotated[Money, Field(gt=0)]
    currency: Currency | None = Field(None, description="The tenant's, unless stated.")


class CostOut(BaseModel):
    cost_id: UUID
    channel_id: UUID
    from_on: date
    until_on: date
    amount: Micros
    currency: str = Field(examples=["RUB"])
    created_at: datetime


class NamedChannel(BaseModel):
    channel_id: UUID
    code: str = Field(examples=["fair-2026"])
    name: str = Field(examples=["Весенняя ярмарка"])
    kind: ChannelKind


class LineOut(BaseModel):
    """Who came in the period, and what they have brought since."""

    customers: int = Field(examples=[300])
    prospects: int = Field(examples=[400])
    conversion: Ratio = Field(description="Customers / all who came.")
    revenue: Micros = Field(description="Net revenue of these customers up to today.")
    value: MaybeMoney = Field(description="Revenue / customers; null when there are none.")
    cost: MaybeMoney = Field(description="The part of the costs that falls into the period; null in narrower reaches.")
    acquisition_cost: MaybeMoney = Field(description="Cost / customers; null when there are none.")


class ChannelLine(LineOut):
    channel: NamedChannel | None = Field(description="Null for those who came through no known channel.")


class ChannelReport(BaseModel):
    reach: Reach = Field(description="What the numbers cover: your own customers, your teams', or all.")
    currency: str = Field(examples=["RUB"])
    from_on: date | None
    until_on: date | None
    computed_at: datetime
    items: list[ChannelLine] = Field(description="Every channel by code; who came without one last.")
    total: LineOut
    excluded_costs: int = Field(description="Costs of the period in other currencies, left out.", examples=[0])


def _example(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


@routes.get(
    "/channels",
    response_model=Page[ChannelOut],
    summary="List acquisition channels",
    **operation("channels.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def list_channels(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The ways in which customers are won, by code."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.channels.page(after_key(cursor), limit + 1)
    more = encode({"after": rows[limit - 1]["code"]}) if len(rows) > limit else None
    return as_json({"items": rows[:limit], "next_cursor": more, "count": None})


@routes.post(
    "/channels",
    response_model=ChannelOut,
    status_code=201,
    summary="Create an acquisition channel",
    **operation(
        "channels.create",
        Scope.TENANT_ADMIN,
        problems=(TenantReachNeeded, NameTaken, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody=_example({"code": "fair-2026", "name": "Весенняя ярмарка", "kind": "advertising"}),
    ),
)
async def create_channel(body: ChannelIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A way to win customers: active ones (calls, mailings) and passive ones (outlets, advertising, …)."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        known = await tx.idempotency.recall(once)
        channel_id = UUID(known["channel_id"]) if known else new_id()
        if not known:
            await tx.channels.add(channel_id, **body.model_dump())
            await tx.journal.audit("channels.create", "channel", channel_id, **body.model_dump())
            await tx.idempotency.remember(once, 201, {"channel_id": str(channel_id)})
        row = await tx.channels.channel(channel_id)
        await tx.commit()
    assert row is not None
    return as_json(row, 201)


@routes.get(
    "/channels/report",
    response_model=ChannelReport,
    summary="What channels cost and brought",
    **operation("channels.report", Scope.SEGMENTS_READ, problems=(EndsBeforeItBegins,)),
)
async def channel_report(
    principal: Caller,
    services: Wired,
    from_on: Annotated[Day | None, Query(alias="from", description="The first day; open unless stated.")] = None,
    until_on: Annotated[Day | None, Query(alias="to", description="The last day, included.")] = None,
    currency: Annotated[Currency | None, Query(description="The tenant's, unless stated.")] = None,
) -> Response:
    """Customers and prospects who came in the period by channel: conversion, revenue since, cost, cost of acquisition
    and value of one. A cost is spread evenly over its days."""
    period = Period(from_on=from_on, until_on=until_on)
    asked = currency or principal.currency
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        lines, left_out = await tx.channels.report(period, asked, costs=principal.reach is Reach.TENANT)
    return as_json(
        {
            "reach": principal.reach,
            "currency": asked,
            "from_on": from_on,
            "until_on": until_on,
            "computed_at": services.clock.now().astimezone(UTC),
            "items": [{"channel": line.channel, **_line(line)} for line in lines],
            "total": _line(total(lines)),
            "excluded_costs": left_out,
        }
    )


def _line(line: Line) -> dict[str, Any]:
    counts = {"customers": line.customers, "prospects": line.prospects, "conversion": line.conversion}
    sums = ("revenue", "value", "cost", "acquisition_cost")
    return counts | {name: money(getattr(line, name)) for name in sums}


@routes.get(
    "/channels/{channel_id}/costs",
    response_model=Page[CostOut],
    summary="List a channel's costs",
    **operation("channels.costs", Scope.SEGMENTS_READ, problems=(NoChannel, TenantReachNeeded, BadCursor)),
)
async def list_costs(
    channel_id: UUID, principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What a channel cost, those entered last first."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        if await tx.channels.channel(channel_id) is None:
            raise NoChannel
        rows = await tx.channels.costs(channel_id, before=_before(cursor), limit=limit + 1)
    more = encode({"before": rows[limit - 1]["cost_id"]}) if len(rows) > limit else None
    return as_json({"items": [_cost(row) for row in rows[:limit]], "next_cursor": more, "count": None})


def _before(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(decode(cursor, "before")["before"])
    except (ValueError, AttributeError, TypeError):
        raise BadCursor(pointer="/cursor") from None


def _cost(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "amount": money(row["amount"])}


@routes.post(
    "/channels/{channel_id}/costs",
    response_model=CostOut,
    status_code=201,
    summary="Enter a cost of a channel",
    **operation(
        "channels.add_cost",
        Scope.TENANT_ADMIN,
        problems=(
            NoChannel,
            TenantReachNeeded,
            EndsBeforeItBegins,
            TooPrecise,
            KeyReused,
            StillRunning,
            BadIdempotencyKey,
        ),
        requestBody=_example({"from_on": "2026-03-01", "until_on": "2026-03-31", "amount": "120000.00"}),
    ),
)
async def add_cost(channel_id: UUID, body: CostIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """What a channel cost over some days, spread evenly over them by the report."""
    administer(principal)
    cost = _entered(body, principal)
    async with services.uow.begin(principal) as tx:
        if await tx.channels.channel(channel_id) is None:
            raise NoChannel
        known = await tx.idempotency.recall(once)
        cost_id = UUID(known["cost_id"]) if known else new_id()
        if not known:
            await tx.channels.add_cost(channel_id, cost_id, cost)
            await tx.journal.audit("channels.add_cost", "channel", channel_id, **_told(cost_id, cost))
            await tx.idempotency.remember(once, 201, {"cost_id": str(cost_id)})
        row = await tx.channels.cost(channel_id, cost_id)
        await tx.commit()
    if row is None:  # entered with this key, and taken away since
        raise NoChannelCost
    return as_json(_cost(row), 201)


@routes.delete(
    "/channels/{channel_id}/costs/{cost_id}",
    status_code=204,
    summary="Take a cost of a channel away",
    **operation("channels.remove_cost", Scope.TENANT_ADMIN, problems=(NoChannelCost, TenantReachNeeded)),
)
async def remove_cost(channel_id: UUID, cost_id: UUID, principal: Caller, services: Wired) -> Response:
    """A cost that was entered by mistake; the audit trail keeps what it was."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        cost = await tx.channels.remove_cost(channel_id, cost_id)
        if cost is None:
            raise NoChannelCost
        await tx.journal.audit("channels.remove_cost", "channel", channel_id, **_told(cost_id, cost))
        await tx.commit()
    return Response(status_code=204)


def _entered(body: CostIn, principal: Principal) -> Cost:
    Period(from_on=body.from_on, until_on=body.until_on)
    return Cost(
        from_on=body.from_on,
        until_on=body.until_on,
        amount=to_micros(body.amount),
        currency=body.currency or principal.currency,
    )


def _told(cost_id: UUID, cost: Cost) -> dict[str, Any]:
    days = {"from_on": cost.from_on.isoformat(), "until_on": cost.until_on.isoformat()}
    return {"cost_id": str(cost_id), "amount": money(cost.amount) or "", "currency": cost.currency, **days}
