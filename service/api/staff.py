"""Who works here: the caller, the staff with their rights, and the teams.

Everyone who may read customers sees the names; who may do what is shown to administrators alone. Writing takes
`tenant:admin` and the reach over the whole tenant, is audited, and counts from the next request on. Nobody takes
administration from himself, so that a tenant is never without it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from service.api.deps import OnceKey, Wired
from service.api.paging import BadCursor, Cursor, Limit, after_key, encode
from service.api.routing import Caller, Token, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Key, Page, Text, as_json, fragment
from service.domain.access import Principal, Reach, Scope
from service.domain.errors import Conflict, NameTaken, UnknownReference
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.ids import new_id
from service.domain.reveals.budget import Looks, accounts
from service.domain.staff import NoStaff, TenantReachNeeded, administer

routes = router("staff")
_own = router("access")
State = Literal["active", "leaving", "blocked"]
Teams = Annotated[list[UUID], Field(max_length=100)]
Scopes = Annotated[list[Scope], Field(max_length=len(Scope), examples=[["customers:read", "reach:own"]])]

# They are of a person and stay out of the audit trail, which can't forget.
_PERSONAL = {"name", "subject"}


class OwnAdministration(Conflict):
    code = "own-administration"
    title = "Nobody takes administration from himself; another administrator has to do it."


class StaffIn(Input):
    subject: Key = Field(description="The `sub` of the person's tokens.", examples=["anna"])
    name: Text = Field(examples=["Анна Петрова"])
    kind: Literal["person", "system"] = "person"
    state: State = "active"
    scopes: Scopes = Field(default_factory=list)
    teams: Teams = Field(default_factory=list)


class StaffChange(Input):
    name: Text | None = None
    state: State | None = Field(None, description="`leaving` takes the right to export, `blocked` every right.")
    scopes: Scopes | None = None
    teams: Teams | None = None


class StaffOut(BaseModel):
    staff_id: UUID
    name: str = Field(examples=["Анна Петрова"])
    kind: Literal["person", "system"]
    state: State
    teams: list[UUID]
    subject: str | None = Field(description="For administrators only.", examples=["anna"])
    scopes: list[str] | None = Field(description="For administrators only.", examples=[["customers:read"]])
    created_at: datetime


class TeamIn(Input):
    name: Text


class TeamOut(BaseModel):
    team_id: UUID
    name: str = Field(examples=["Волга"])
    members: int
    created_at: datetime


class MyTeam(BaseModel):
    team_id: UUID
    name: str = Field(examples=["Волга"])


class Account(BaseModel):
    limit: int = Field(examples=[20])
    spent: int = Field(examples=[3])
    left: int = Field(examples=[17])


class RevealAccounts(BaseModel):
    """Distinct customers whose contacts you may see in clear; the windows slide, a repeat within 30 days is free."""

    hour: Account
    day: Account
    month: Account = Field(description="Thirty days.")


class MyTerms(BaseModel):
    version: int = Field(examples=[1])
    sha256: str
    published_at: datetime
    accepted_at: datetime | None
    due: bool = Field(description="Whether you have to accept them before anything personal is shown.")


class Me(BaseModel):
    """Who the token makes you, today."""

    staff_id: UUID
    subject: str = Field(examples=["anna"])
    name: str = Field(examples=["Анна Петрова"])
    kind: Literal["person", "system"]
    state: State
    tenant: str = Field(examples=["acme"])
    tenant_name: str = Field(examples=["ООО «Акме»"])
    reach: Reach
    scopes: list[Scope] = Field(description="What both the token and the staff row allow.")
    teams: list[MyTeam]
    deputy_for: list[UUID] = Field(description="Whose customers you look after besides your own.")
    time_zone: str = Field(examples=["Europe/Moscow"])
    currency: str = Field(examples=["RUB"])
    token_id: str = Field(
        description="The `jti` of the token; `POST /v1/tokens/revoke` takes it back.", examples=["5f0c7a9e4b1d4c6f"]
    )
    token_expires_at: datetime
    reveals: RevealAccounts
    terms: MyTerms | None = Field(description="The current terms of use; null where none were published.")


def _accounts(principal: Principal, looks: Looks) -> dict[str, dict[str, int]]:
    return {
        account.window: {"limit": account.limit, "spent": account.spent, "left": account.left}
        for account in accounts(principal, looks)
        if account.holder == "person"
    }


def _staff(row: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    shown = dict(row)
    return shown if principal.may(Scope.TENANT_ADMIN) else shown | {"subject": None, "scopes": None}


def _page(rows: Sequence[Mapping[str, Any]], limit: int, key: str, principal: Principal) -> Response:
    shown = rows[:limit]
    cursor = encode({"after": shown[-1][key]}) if len(rows) > limit else None
    items = [_staff(row, principal) if key == "subject" else row for row in shown]
    return as_json({"items": items, "next_cursor": cursor, "count": None})


def _example(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


@_own.get(
    "/me",
    response_model=Me,
    summary="Who am I?",
    **operation("me.get", takes_input=False, needs_terms=False),
)
async def get_me(principal: Caller, token: Token, services: Wired) -> Response:
    """The caller as the service sees him: staff, tenant, reach, scopes and teams."""
    async with services.uow.begin(principal) as tx:
        row = await tx.staff.me()
        looks = await tx.reveals.looks()
        terms = await tx.terms.current()
    if row is None:
        raise NoStaff
    return as_json(
        {
            "staff_id": principal.staff_id,
            "subject": principal.subject,
            "kind": principal.kind,
            "tenant": principal.tenant,
            "reach": principal.reach,
            "scopes": sorted(principal.scopes),
            "deputy_for": [owner for owner in principal.owners if owner != principal.staff_id],
            "time_zone": principal.time_zone,
            "currency": principal.currency,
            "token_id": token.token_id,
            "token_expires_at": datetime.fromtimestamp(token.expires_at, UTC),
            **row,
            "teams": fragment(row["teams"]),
            "reveals": _accounts(principal, looks),
            "terms": terms and {**terms, "due": principal.kind == "person" and terms["accepted_at"] is None},
        },
        headers={"Cache-Control": "no-store"},
    )


@routes.get(
    "/staff",
    response_model=Page[StaffOut],
    summary="List the staff",
    **operation("staff.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def list_staff(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Everyone on the staff, for the choice of a curator; rights are shown to administrators."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.staff.page(after_key(cursor), limit + 1)
    return _page(rows, limit, "subject", principal)


@routes.post(
    "/staff",
    response_model=StaffOut,
    status_code=201,
    summary="Add a member of the staff",
    **operation(
        "staff.create",
        Scope.TENANT_ADMIN,
        problems=(TenantReachNeeded, NameTaken, UnknownReference, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody=_example({"subject": "anna", "name": "Анна Петрова", "scopes": ["customers:read", "reach:own"]}),
    ),
)
async def create_staff(body: StaffIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A person or a system, with the scopes that it may ever use; a token can only narrow them."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        known = await tx.idempotency.recall(once)
        staff_id = UUID(known["staff_id"]) if known else new_id()
        if not known:
            await tx.staff.add(staff_id, **body.model_dump(exclude={"teams"}))
            await tx.staff.place(staff_id, body.teams)
            told = body.model_dump(mode="json", exclude=_PERSONAL)
            await tx.journal.audit("staff.create", "staff", staff_id, **told)
            await tx.idempotency.remember(once, 201, {"staff_id": str(staff_id)})
        row = await tx.staff.card(staff_id)
        await tx.commit()
    assert row is not None
    return as_json(_staff(row, principal), 201)


@routes.patch(
    "/staff/{staff_id}",
    response_model=StaffOut,
    summary="Change a member of the staff",
    **operation(
        "staff.update",
        Scope.TENANT_ADMIN,
        problems=(NoStaff, TenantReachNeeded, OwnAdministration, UnknownReference),
        requestBody=_example({"state": "leaving"}),
    ),
)
async def update_staff(staff_id: UUID, body: StaffChange, principal: Caller, services: Wired) -> Response:
    """Name, state, scopes and teams; a list replaces the list. It holds from the next request on."""
    administer(principal)
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    async with services.uow.begin(principal) as tx:
        row = await tx.staff.card(staff_id, lock=True)
        if row is None:
            raise NoStaff
        wanted = {**row, **changes}
        _keep_administration(staff_id, principal, wanted)
        await tx.staff.update(staff_id, **{name: wanted[name] for name in ("name", "state", "scopes")})
        if "teams" in changes:
            await tx.staff.place(staff_id, changes["teams"])
        audited = body.model_dump(mode="json", include=set(changes) - _PERSONAL)
        before = {name: row[name] for name in changes if name not in ("teams", *_PERSONAL)}
        fields = sorted(changes)
        await tx.journal.audit("staff.update", "staff", staff_id, fields=fields, changes=audited, before=before)
        row = await tx.staff.card(staff_id)
        await tx.commit()
    services.principals.forget(staff_id)
    assert row is not None
    return as_json(_staff(row, principal))


def _keep_administration(staff_id: UUID, principal: Principal, wanted: Mapping[str, Any]) -> None:
    keeps = wanted["state"] == "active" and {Scope.TENANT_ADMIN, Scope.REACH_TENANT} <= set(wanted["scopes"])
    if staff_id == principal.staff_id and not keeps:
        raise OwnAdministration


@routes.get(
    "/teams",
    response_model=Page[TeamOut],
    summary="List teams",
    **operation("teams.list", Scope.CUSTOMERS_READ, problems=(BadCursor,)),
)
async def list_teams(principal: Caller, services: Wired, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Teams by name, with the number of their members."""
    async with services.uow.begin(principal) as tx:
        rows = await tx.staff.teams(after_key(cursor), limit + 1)
    return _page(rows, limit, "name", principal)


@routes.post(
    "/teams",
    response_model=TeamOut,
    status_code=201,
    summary="Create a team",
    **operation(
        "teams.create",
        Scope.TENANT_ADMIN,
        problems=(TenantReachNeeded, NameTaken, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody=_example({"name": "Волга"}),
    ),
)
async def create_team(body: TeamIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A team; its members see its customers when their reach is `team`."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        known = await tx.idempotency.recall(once)
        team_id = UUID(known["team_id"]) if known else new_id()
        if not known:
            await tx.staff.add_team(team_id, body.name)
            await tx.journal.audit("teams.create", "team", team_id, name=body.name)
            await tx.idempotency.remember(once, 201, {"team_id": str(team_id)})
        row = await tx.staff.team(team_id)
        await tx.commit()
    assert row is not None
    return as_json(row, 201)


routes.routes.extend(_own.routes)
