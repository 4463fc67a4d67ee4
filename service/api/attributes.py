"""A tenant's own fields over HTTP: what they are called and which values they take."""

from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel, Field, StringConstraints

from service.api.deps import OnceKey, Wired, patiently
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Text, as_json
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.customers.attributes import (
    AttributeKnown,
    ChoicesMissing,
    Definition,
    NoAttribute,
)
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.staff import TenantReachNeeded

routes = router("customers")
Kind = Literal["text", "number", "date", "boolean", "choice"]
# No colon: a filter is written name:value.
Name = Annotated[str, StringConstraints(pattern=r"^[^\s:\x00/][^:\x00/]{0,99}$", strip_whitespace=True)]
Choices = Annotated[list[Text], Field(max_length=200)]
Position = Annotated[int, Field(ge=0, le=10_000)]
_EXAMPLE = {"name": "tea", "kind": "choice", "label": "Favourite tea", "choices": ["black", "green", "oolong"]}


class AttributeIn(Input):
    name: Name = Field(examples=["tea"])
    kind: Kind
    label: Text | None = Field(None, description="How people call it; the name if absent.")
    choices: Choices = Field(default_factory=list, description="For the kind `choice`, and for it alone.")
    position: Position = Field(0, description="Attributes are listed by position, then by name.")


class AttributeChange(Input):
    label: Text | None = None
    choices: Choices | None = None
    position: Position | None = None


class AttributeOut(BaseModel):
    name: str = Field(examples=["tea"])
    kind: Kind
    label: str = Field(examples=["Favourite tea"])
    choices: list[str] = Field(examples=[["black", "green", "oolong"]])
    position: int


class AttributesOut(BaseModel):
    items: list[AttributeOut]


def _shown(definition: Definition) -> dict[str, object]:
    return {name: getattr(definition, name) for name in AttributeOut.model_fields}


async def _show(services: Services, principal: Principal, name: str, status: int = 200) -> Response:
    async with services.uow.begin(principal) as tx:
        found = (await tx.attributes.among([name])).get(name)
    if found is None:
        raise NoAttribute
    return as_json(_shown(found), status)


@routes.get(
    "/attributes",
    response_model=AttributesOut,
    summary="List the tenant's own fields",
    **operation("attributes.list", Scope.CUSTOMERS_READ, takes_input=False),
)
async def list_attributes(principal: Caller, services: Wired) -> Response:
    """All of them, in their order."""
    async with services.uow.begin(principal) as tx:
        return as_json({"items": [_shown(one) for one in await tx.attributes.all()]})


@routes.post(
    "/attributes",
    response_model=AttributeOut,
    status_code=201,
    summary="Define a field of the tenant's own",
    **operation(
        "attributes.create",
        Scope.TENANT_ADMIN,
        problems=(TenantReachNeeded, AttributeKnown, ChoicesMissing, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def create_attribute(body: AttributeIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """From now on what is written under this name is checked; what stands there already stays until then."""
    definition = Definition(
        name=body.name,
        kind=body.kind,
        label=body.label or body.name,
        choices=tuple(dict.fromkeys(body.choices)),
        position=body.position,
    )
    await patiently(lambda: services.attributes.define(principal, definition, once))
    return await _show(services, principal, body.name, 201)


@routes.patch(
    "/attributes/{name}",
    response_model=AttributeOut,
    summary="Change a field of the tenant's own",
    **operation(
        "attributes.update",
        Scope.TENANT_ADMIN,
        problems=(TenantReachNeeded, NoAttribute, ChoicesMissing),
        requestBody={"content": {"application/json": {"example": {"choices": ["black", "green"]}}}},
    ),
)
async def update_attribute(name: Name, body: AttributeChange, principal: Caller, services: Wired) -> Response:
    """Label, choices and position; the kind stays. Values of a choice that is gone stay until they are written."""
    changes = {key: value for key, value in body.model_dump(exclude_unset=True).items() if value is not None}
    await services.attributes.change(principal, name, changes)
    return await _show(services, principal, name)


@routes.delete(
    "/attributes/{name}",
    status_code=204,
    summary="Take the definition of a field away",
    **operation("attributes.delete", Scope.TENANT_ADMIN, problems=(TenantReachNeeded, NoAttribute)),
)
async def delete_attribute(name: Name, principal: Caller, services: Wired) -> Response:
    """The name is free again; the values stay with their records."""
    await services.attributes.forget(principal, name)
    return Response(status_code=204)
