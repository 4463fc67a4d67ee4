"""What a tenant decides for itself: where imports land, how many exact look-ups there may be, by when requests are met.

Everyone on the staff may read it; changing it takes `tenant:admin` and the reach over the whole tenant, and is audited.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from service.api.deps import Wired
from service.api.routing import Caller, operation, router
from service.api.schemas import Input, as_json
from service.domain.access import Reach, Scope
from service.domain.customers.search import probe_limit
from service.domain.privacy.deadlines import due_on
from service.domain.staff import TenantReachNeeded

routes = router("staff")
Days = Annotated[int, Field(ge=0, le=3650)]
Into = Literal["portfolio", "pool"]
_A_DAY = date(2026, 1, 1)


class PrivacyPolicyIn(Input):
    access_days: Days | None = Field(None, description="Calendar days to answer a person who asks what is kept.")
    erasure_days: Days | None = Field(None, description="Calendar days to erase what a person wants erased.")


class PoliciesIn(Input):
    """Members that are named are set; null goes back to what is usual."""

    imports_into: Into | None = Field(
        None,
        description="`pool`: imported records have no curator, whatever the file says, until they are dealt out.",
    )
    contact_probes_per_hour: Annotated[int, Field(ge=0, le=100_000)] | None = None
    privacy: PrivacyPolicyIn = Field(default_factory=PrivacyPolicyIn)


class PrivacyPolicyOut(BaseModel):
    access_days: int = Field(examples=[30])
    erasure_days: int = Field(examples=[30])


class PoliciesOut(BaseModel):
    """What holds now, be it decided or usual."""

    imports_into: Into
    contact_probes_per_hour: int
    privacy: PrivacyPolicyOut


def _shown(policies: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "imports_into": policies.get("imports_into", "portfolio"),
        "contact_probes_per_hour": probe_limit(policies),
        "privacy": {
            "access_days": (due_on(policies, "access", _A_DAY) - _A_DAY).days,
            "erasure_days": (due_on(policies, "erasure", _A_DAY) - _A_DAY).days,
        },
    }


@routes.get(
    "/policies",
    response_model=PoliciesOut,
    summary="Read the tenant's policies",
    **operation("policies.get", Scope.CUSTOMERS_READ, takes_input=False),
)
async def get_policies(principal: Caller, services: Wired) -> Response:
    """What holds now, be it decided or usual."""
    async with services.uow.begin(principal) as tx:
        return as_json(_shown(await tx.policies.read()))


@routes.patch(
    "/policies",
    response_model=PoliciesOut,
    summary="Change the tenant's policies",
    **operation(
        "policies.update",
        Scope.TENANT_ADMIN,
        problems=(TenantReachNeeded,),
        requestBody={"content": {"application/json": {"example": {"contact_probes_per_hour": 60}}}},
    ),
)
async def change_policies(body: PoliciesIn, principal: Caller, services: Wired) -> Response:
    """JSON Merge Patch; it holds from the next request on, for imports from the next file on."""
    if principal.reach is not Reach.TENANT:
        raise TenantReachNeeded
    changes = body.model_dump(mode="json", exclude_unset=True)
    async with services.uow.begin(principal) as tx:
        policies = await tx.policies.change(changes)
        await tx.journal.audit("policies.update", "tenant", changes=changes)
        await tx.commit()
    return as_json(_shown(policies))
