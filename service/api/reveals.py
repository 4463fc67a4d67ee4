"""Contacts in clear: of one record or a short list, with a reason, within the budget, each look in the audit trail."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.api.deps import Wired
from service.api.routing import Caller, operation, router
from service.api.schemas import Input, as_json, storable
from service.domain.access import Scope
from service.domain.customers.errors import NoCustomer
from service.domain.reveals.budget import RevealBudgetSpent

routes = router("customers")
_AT_ONCE = 20
_PRIVATE = {"Cache-Control": "no-store"}
_REASON = "Call back about order 1001"
_A_CUSTOMER = "0197a3f2-5b7c-7c3d-8e4f-1a2b3c4d5e6f"
Reason = Annotated[
    str,
    StringConstraints(min_length=3, max_length=2000, strip_whitespace=True),
    AfterValidator(storable),
    Field(examples=["The customer asked to be called back."]),
]


class RevealIn(Input):
    reason: Reason


class RevealManyIn(Input):
    customer_ids: Annotated[list[UUID], Field(min_length=1, max_length=_AT_ONCE)]
    reason: Reason


class ClearContact(BaseModel):
    detail_id: UUID
    kind: str
    label: str | None
    value: str
    normal: str
    verdict: str


class Revealed(BaseModel):
    customer_id: UUID
    contacts: list[ClearContact]


class RevealedMany(BaseModel):
    items: list[Revealed]
    missing: list[UUID] = Field(description="Those that do not exist within your reach; they cost nothing.")


def _shown(customer_id: UUID, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    contacts = [{name: value for name, value in row.items() if name != "customer_id"} for row in rows]
    return {"customer_id": customer_id, "contacts": contacts}


@routes.post(
    "/customers/reveal",
    response_model=RevealedMany,
    summary="Show contacts of several customers in clear",
    **operation(
        "customers.reveal_many",
        Scope.CUSTOMERS_READ,
        Scope.CONTACTS_REVEAL,
        problems=(RevealBudgetSpent,),
        requestBody={"content": {"application/json": {"example": {"customer_ids": [_A_CUSTOMER], "reason": _REASON}}}},
    ),
)
async def reveal_many(body: RevealManyIn, principal: Caller, services: Wired) -> Response:
    """Up to 20 records at once. All that are within your reach are shown, or, when the budget is too small for them,
    none: the answer then says how many are left. Each is a look of its own in the audit trail."""
    revealed = await services.reveals.reveal(principal, body.customer_ids, body.reason)
    items = [_shown(customer_id, rows) for customer_id, rows in revealed.contacts.items()]
    return as_json({"items": items, "missing": revealed.missing}, headers=_PRIVATE)


@routes.post(
    "/customers/{customer_id}/reveal",
    response_model=Revealed,
    summary="Show contacts in clear",
    **operation(
        "customers.reveal",
        Scope.CUSTOMERS_READ,
        Scope.CONTACTS_REVEAL,
        problems=(NoCustomer, RevealBudgetSpent),
        requestBody={"content": {"application/json": {"example": {"reason": _REASON}}}},
    ),
)
async def reveal_contacts(customer_id: UUID, body: RevealIn, principal: Caller, services: Wired) -> Response:
    """Contact details and requisites in clear, with a reason; each look is written into the audit trail first.

    It takes from your budget of distinct customers by the hour, the day and thirty days (`GET /v1/me` says what is
    left); a repeat within thirty days is free. Beyond it the answer is 429, with the seconds until there is room."""
    revealed = await services.reveals.reveal(principal, [customer_id], body.reason)
    if revealed.missing:
        raise NoCustomer
    return as_json(_shown(customer_id, revealed.contacts[customer_id]), headers=_PRIVATE)
