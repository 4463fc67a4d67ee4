"""What a tenant decides for itself: where imports land, how many exact look-ups there may be, by when requests are met.

Everyone on the staff may read it; changing it takes `tenant:admin` and the reach over the whole tenant, and is audited.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from service.api import quality_policies
from service.api.deps import Wired
from service.api.quality_policies import QualityPolicyIn, QualityPolicyOut
from service.api.routing import Caller, operation, router
from service.api.schemas import Input, as_json
from service.domain.access import Reach, Scope
from service.domain.customers.search import probe_limit
from service.domain.exports.agreement import ExportPolicy
from service.domain.ingestion.scanning import wait_limit
from service.domain.leaks.thresholds import BOUNDS, Thresholds
from service.domain.privacy.deadlines import due_on
from service.domain.reveals.budget import policy_of
from service.domain.staff import TenantReachNeeded

routes = router("staff")
Days = Annotated[int, Field(ge=0, le=3650)]
Into = Literal["portfolio", "pool"]
_A_DAY = date(2026, 1, 1)


class PrivacyPolicyIn(Input):
    access_days: Days | None = Field(None, description="Calendar days to answer a person who asks what is kept.")
    erasure_days: Days | None = Field(None, description="Calendar days to erase what a person wants erased.")


class QuarantinePolicyIn(Input):
    wait_hours: Annotated[int, Field(ge=1, le=720)] | None = Field(
        None, description="How long an upload waits for a virus scanner that does not answer before it is given up."
    )


class ExportsPolicyIn(Input):
    approval_above_rows: Annotated[int, Field(ge=0, le=10_000_000)] | None = Field(
        None, description="Exports with more rows, those of the last day counted in, need a second person; 0: all do."
    )
    kept_hours: Annotated[int, Field(ge=1, le=720)] | None = Field(None, description="After that a file is deleted.")
    delete_after_fetch: bool | None = Field(None, description="A file is deleted once it was fetched.")


Count = Annotated[int, Field(ge=0, le=1_000_000)]
Percent = Annotated[int, Field(ge=0, le=100)]


class RevealPolicyIn(Input):
    """How many distinct customers a person may see in clear. What is of the own reach is a part of the own records."""

    own_day_percent: Percent | None = None
    own_day_least: Count | None = None
    own_day_most: Count | None = None
    own_month_percent: Percent | None = None
    own_month_least: Count | None = None
    team_day: Count | None = Field(None, description="A person of team reach.")
    team_month: Count | None = None
    tenant_day: Count | None = Field(None, description="A person of tenant reach.")
    tenant_month: Count | None = None
    system_day: Count | None = Field(None, description="A system, whatever its reach.")
    system_month: Count | None = None
    hour_percent: Percent | None = Field(None, description="Of the day's budget, within an hour.")
    team_ceiling_day: Count | None = Field(None, description="All people of a team together.")
    tenant_ceiling_day: Count | None = Field(None, description="All people of the tenant together.")


def _within(name: str, description: str) -> Any:
    least, most = BOUNDS[name]
    return Field(None, ge=least, le=most, description=description)


class SignalsPolicyIn(Input):
    """From where on something is a leak signal. `more_…` are records above what is usual for the person."""

    canaries: int | None = _within("canaries", "So many in thirty days are an alert; of who leaves, one is.")
    covered_percent: int | None = _within("covered_percent", "Of the own base, seen in clear in thirty days.")
    more_in_a_day: int | None = _within("more_in_a_day", "Of a small base fewer are enough.")
    more_in_five_days: int | None = _within("more_in_five_days", "Five worked days together.")
    more_in_twenty_days: int | None = _within("more_in_twenty_days", "Twenty worked days together.")
    crossings: int | None = _within(
        "crossings",
        "Times a day that a token is back at an address while another used it; of who leaves, half as many.",
    )
    night_looks: int | None = _within("night_looks", "Between ten in the evening and six; of who leaves, half as many.")
    searches: int | None = _within("searches", "More than usual in ten worked days without more sales.")
    reassigned: int | None = _within("reassigned", "More than usual in a day, and a fifth of the own base.")


class PoliciesIn(Input):
    """Members that are named are set; null goes back to what is usual."""

    imports_into: Into | None = Field(
        None,
        description="`pool`: imported records have no curator, whatever the file says, until they are dealt out.",
    )
    contact_probes_per_hour: Annotated[int, Field(ge=0, le=100_000)] | None = None
    privacy: PrivacyPolicyIn = Field(default_factory=PrivacyPolicyIn)
    reveals: RevealPolicyIn = Field(default_factory=RevealPolicyIn)
    exports: ExportsPolicyIn = Field(default_factory=ExportsPolicyIn)
    quarantine: QuarantinePolicyIn = Field(default_factory=QuarantinePolicyIn)
    signals: SignalsPolicyIn = Field(default_factory=SignalsPolicyIn)
    quality: QualityPolicyIn = Field(default_factory=QualityPolicyIn)


class PrivacyPolicyOut(BaseModel):
    access_days: int = Field(examples=[30])
    erasure_days: int = Field(examples=[30])


class QuarantinePolicyOut(BaseModel):
    wait_hours: int = Field(examples=[24])


class ExportsPolicyOut(BaseModel):
    approval_above_rows: int = Field(examples=[1000])
    kept_hours: int = Field(examples=[24])
    delete_after_fetch: bool


class RevealPolicyOut(BaseModel):
    own_day_percent: int = Field(examples=[10])
    own_day_least: int = Field(examples=[20])
    own_day_most: int = Field(examples=[150])
    own_month_percent: int = Field(examples=[100])
    own_month_least: int = Field(examples=[200])
    team_day: int = Field(examples=[150])
    team_month: int = Field(examples=[1000])
    tenant_day: int = Field(examples=[200])
    tenant_month: int = Field(examples=[1500])
    system_day: int = Field(examples=[1000])
    system_month: int = Field(examples=[10000])
    hour_percent: int = Field(examples=[50])
    team_ceiling_day: int = Field(examples=[1000])
    tenant_ceiling_day: int = Field(examples=[10000])


class SignalsPolicyOut(BaseModel):
    canaries: int = Field(examples=[2])
    covered_percent: int = Field(examples=[40])
    more_in_a_day: int = Field(examples=[30])
    more_in_five_days: int = Field(examples=[40])
    more_in_twenty_days: int = Field(examples=[80])
    crossings: int = Field(examples=[12])
    night_looks: int = Field(examples=[20])
    searches: int = Field(examples=[60])
    reassigned: int = Field(examples=[50])


class PoliciesOut(BaseModel):
    """What holds now, be it decided or usual."""

    imports_into: Into
    contact_probes_per_hour: int
    privacy: PrivacyPolicyOut
    reveals: RevealPolicyOut
    exports: ExportsPolicyOut
    quarantine: QuarantinePolicyOut
    signals: SignalsPolicyOut
    quality: QualityPolicyOut


def _shown(policies: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "imports_into": policies.get("imports_into", "portfolio"),
        "contact_probes_per_hour": probe_limit(policies),
        "privacy": {
            "access_days": (due_on(policies, "access", _A_DAY) - _A_DAY).days,
            "erasure_days": (due_on(policies, "erasure", _A_DAY) - _A_DAY).days,
        },
        "reveals": asdict(policy_of(policies.get("reveals", {}))),
        "exports": asdict(ExportPolicy.of(policies)),
        "quarantine": {"wait_hours": wait_limit(policies) // timedelta(hours=1)},
        "signals": asdict(Thresholds.of(policies)),
        "quality": quality_policies.shown(policies),
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
        problems=(TenantReachNeeded, *quality_policies.PROBLEMS),
        requestBody={"content": {"application/json": {"example": {"contact_probes_per_hour": 60}}}},
    ),
)
async def change_policies(body: PoliciesIn, principal: Caller, services: Wired) -> Response:
    """JSON Merge Patch; it holds from the next request on, for imports from the next file on."""
    if principal.reach is not Reach.TENANT:
        raise TenantReachNeeded
    await quality_policies.check_rules(body.quality, principal, services)
    changes = body.model_dump(mode="json", exclude_unset=True)
    async with services.uow.begin(principal) as tx:
        policies = await tx.policies.change(changes)
        await tx.journal.audit("policies.update", "tenant", changes=changes)
        await tx.commit()
    services.verdicts.forget(principal.tenant_id)
    return as_json(_shown(policies))
