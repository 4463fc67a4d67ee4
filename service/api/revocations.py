"""Tokens that are taken back before their time: one's own by everybody, those of others by an administrator.

It holds in this process at once and in every other within five seconds. The identity provider is not told: it should
stop to issue new ones, or the person be blocked.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field

from service.api.deps import Wired
from service.api.routing import Caller, Token, operation, router
from service.api.schemas import Input, Key, Text, as_json
from service.domain.errors import MissingScope, UnknownReference
from service.domain.ids import new_id
from service.domain.staff import TenantReachNeeded, administer
from service.domain.tokens import BadRevocation, Revocation, revocation

routes = router("access")
_EXAMPLE = {"token_id": "5f0c7a9e4b1d4c6f8a2e3b7d9c1f0e5a", "reason": "left in a taxi"}


class RevocationIn(Input):
    """One token by its id, or all that a person holds; with neither, the token that this request was made with."""

    token_id: Key | None = Field(None, description="The `jti` of the token, as `GET /v1/me` tells it.")
    staff_id: UUID | None = Field(None, description="All tokens of this person that were issued until now.")
    until: AwareDatetime | None = Field(
        None, description="When it may be forgotten; by default after a day, which no token outlives."
    )
    reason: Text = Field(examples=["left in a taxi"])


class RevocationOut(BaseModel):
    token_id: str | None = Field(description="Null where all tokens of a person are meant.")
    staff_id: UUID | None = Field(description="Whose tokens; null means whoever holds a token of this id.")
    issued_before: datetime | None
    until: datetime
    reason: str


def _shown(taken: Revocation) -> dict[str, Any]:
    return {
        "token_id": taken.token_id,
        "staff_id": taken.owner_id,
        "issued_before": taken.issued_before,
        "until": taken.until,
        "reason": taken.reason,
    }


@routes.post(
    "/tokens/revoke",
    response_model=RevocationOut,
    summary="Take a token back",
    **operation(
        "tokens.revoke",
        needs_terms=False,
        problems=(BadRevocation, MissingScope, TenantReachNeeded, UnknownReference),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def revoke_token(body: RevocationIn, principal: Caller, token: Token, services: Wired) -> Response:
    """Yours without any scope (lost device, signing out everywhere); those of others with `tenant:admin`."""
    taken = revocation(principal, held=token.token_id, now=services.clock.now(), **body.model_dump())
    if taken.owner_id != principal.staff_id:
        administer(principal)
    async with services.uow.begin(principal) as tx:
        await tx.revocations.add(new_id(), taken)
        await tx.journal.audit(
            "tokens.revoke",
            "staff",
            taken.owner_id,
            reason=taken.reason,
            token_id=taken.token_id,
            until=str(taken.until),
        )
        await tx.commit()
    if taken.owner_id is not None:
        services.principals.forget(taken.owner_id)
    if taken.token_id is not None:
        services.principals.forget_token(taken.token_id)
    return as_json(_shown(taken))
