"""A token can be taken back before its time.

By its id, or all of a person's that were issued until now ("sign out everywhere"). Everybody takes back his own; those
of others an administrator of the tenant. What is taken back stays so until its tokens can't be valid any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from service.domain.access import Principal, Scope
from service.domain.errors import Rejected, Unauthenticated

# A token lives for a day at most; clocks may differ by half a minute at its issue and at its end.
LONGEST_LIFE = timedelta(days=1, minutes=1)
_LONGEST = timedelta(days=366)


class TokenRevoked(Unauthenticated):
    code = "token-revoked"
    title = "This token was taken back; a new one is needed."


class BadRevocation(Rejected):
    code = "bad-revocation"
    title = "Name one token, or one person, and a moment to come."


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a caller holds in his hands: which token, and when it was issued."""

    token_id: str
    issued_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """`owner_id` narrows it to that person's tokens; None means whoever holds a token of this id."""

    token_id: str | None
    owner_id: UUID | None
    issued_before: datetime | None
    until: datetime
    reason: str


class Revocations(Protocol):
    async def add(self, revocation_id: UUID, revocation: Revocation) -> None:
        """Raises UnknownReference where the person is not on the staff."""
        ...


def revocation(
    principal: Principal,
    *,
    held: str,
    token_id: str | None,
    staff_id: UUID | None,
    until: datetime | None,
    reason: str,
    now: datetime,
) -> Revocation:
    """What is to be taken back; nothing named means the token `held` itself. Raises MissingScope, BadRevocation."""
    if token_id is not None and staff_id is not None:
        raise BadRevocation("Name a token or a person, not both.")
    if until is not None and not now < until <= now + _LONGEST:
        raise BadRevocation("The moment must come, and within a year.", pointer="/until")
    until = until or now + LONGEST_LIFE
    if staff_id is not None:
        if staff_id != principal.staff_id:
            principal.require(Scope.TENANT_ADMIN)
        return Revocation(token_id=None, owner_id=staff_id, issued_before=now, until=until, reason=reason)
    own = token_id in (None, held)
    if not own:
        principal.require(Scope.TENANT_ADMIN)
    owner = principal.staff_id if own else None
    return Revocation(token_id=token_id or held, owner_id=owner, issued_before=None, until=until, reason=reason)
