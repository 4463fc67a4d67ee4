"""The head's page: how many customers, how many orders, how much they brought, within the caller's reach.

Sums are kept apart by currency. Net revenue is counted orders less their refunds, less returns that no order is known
for; what is dated after today does not count yet.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.routing import Caller, operation, router
from service.api.schemas import Micros, as_json, money
from service.domain.access import Reach, Scope

routes = router("overview")
# A million customers take about a second; a base ten times as large still gets its answer.
_TIMEOUT_MS = 30_000


class CustomersOf(BaseModel):
    status: Literal["prospect", "customer", "lapsed", "archived"]
    kind: Literal["person", "organisation"]
    customers: int = Field(examples=[8140])


class CustomerNumbers(BaseModel):
    total: int = Field(examples=[8140])
    by_status_and_kind: list[CustomersOf]


class PurchasesIn(BaseModel):
    """Purchases in one currency."""

    currency: str = Field(examples=["RUB"])
    orders: int = Field(description="Orders that count: paid or completed, not refunded in full.", examples=[52310])
    revenue: Micros = Field(description="Net of refunds and of returns without an order.", examples=["18250340.50"])
    refunds: int = Field(description="All refunds and returns.", examples=[412])
    refunded: Micros = Field(examples=["240100.00"])
    returns_unlinked: int = Field(description="Returns for which no order is known.", examples=[37])
    returned_unlinked: Micros = Field(examples=["18400.00"])
    first_on: date | None = Field(description="Day of the first counted order.")
    last_on: date | None = Field(description="Day of the last counted order.")


class Overview(BaseModel):
    reach: Reach = Field(description="What the numbers cover: your own customers, your teams', or all.")
    as_of: date = Field(description="Today in the tenant's time zone; later dates don't count yet.")
    computed_at: datetime
    customers: CustomerNumbers
    purchases: list[PurchasesIn]
    imports_in_progress: int = Field(examples=[1])


def _purchases(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "currency": row["currency"],
            "orders": row["orders"],
            "revenue": money(int(row["revenue"])),
            "refunds": row["refunds"],
            "refunded": money(int(row["refunded"])),
            "returns_unlinked": row["returns"] or 0,
            "returned_unlinked": money(int(row["returned"] or 0)),
            "first_on": row["first_on"],
            "last_on": row["last_on"],
        }
        for row in rows
    ]


@routes.get(
    "/overview",
    response_model=Overview,
    summary="The base at a glance",
    **operation("overview.get", Scope.CUSTOMERS_READ, Scope.ORDERS_READ, takes_input=False),
)
async def get_overview(principal: Caller, services: Wired) -> Response:
    """Customers, orders, refunds and net revenue within your reach, of one moment."""
    as_of = services.clock.today(principal.time_zone)
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        found = await tx.overview.read(as_of)
    return as_json(
        {
            "reach": principal.reach,
            "as_of": as_of,
            "computed_at": services.clock.now(),
            "customers": {
                "total": sum(row["customers"] for row in found["customers"]),
                "by_status_and_kind": found["customers"],
            },
            "purchases": _purchases(found["purchases"]),
            "imports_in_progress": found["imports_in_progress"],
        }
    )
