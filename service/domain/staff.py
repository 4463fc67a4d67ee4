"""Staff and teams of a tenant; only its administrators may write them.

The staff row says what a person or system may ever do; a token can only narrow it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.errors import Forbidden, NotFound, Unauthenticated
from service.domain.tokens import Held

Card = Mapping[str, Any]


class StaffBlocked(Unauthenticated):
    code = "staff-blocked"
    title = "This person or system is not, or no longer, on the staff of the tenant."


class NoStaff(NotFound):
    code = "staff-not-found"
    title = "There is no such member of the staff."


class TenantReachNeeded(Forbidden):
    code = "tenant-reach-needed"
    title = "Staff, teams and channels are kept by those whose reach is the whole tenant."


class Directory(Protocol):
    """Who stands behind a verified token. Both raise StaffBlocked, and Unavailable without the database."""

    async def by_subject(
        self, tenant: str, subject: str, asked: tuple[str, ...], *, held: Held | None = None
    ) -> Principal:
        """The principal of a token: its scopes narrowed to those of the staff row. Raises TokenRevoked too."""
        ...

    async def by_id(self, tenant: str, staff_id: UUID) -> Principal:
        """The principal of a job, with all that the staff row allows today."""
        ...

    async def departed(self, tenant: str, staff_id: UUID) -> Principal:
        """Somebody who may no longer act, without any scope and of own reach: to end what he has left undone."""
        ...


class Policies(Protocol):
    """What the tenant has decided for itself, by name; what is not there is as usual."""

    async def read(self) -> Card: ...

    async def change(self, changes: Card) -> Card:
        """Set the named ones, take back those that are null, and say what holds now."""
        ...


class Staff(Protocol):
    """Lists go on after the key of the last row; what is not there is None."""

    async def me(self) -> Card | None: ...

    async def card(self, staff_id: UUID, *, lock: bool = False) -> Card | None: ...

    async def page(self, after: str, limit: int) -> Sequence[Card]: ...

    async def add(
        self, staff_id: UUID, *, subject: str, name: str, kind: str, state: str, scopes: Sequence[str]
    ) -> None: ...

    async def update(self, staff_id: UUID, *, name: str, state: str, scopes: Sequence[str]) -> None: ...

    async def place(self, staff_id: UUID, teams: Sequence[UUID]) -> None:
        """Put a member of the staff into just these teams."""
        ...

    async def team(self, team_id: UUID) -> Card | None: ...

    async def teams(self, after: str, limit: int) -> Sequence[Card]: ...

    async def add_team(self, team_id: UUID, name: str) -> None: ...


def administer(principal: Principal) -> None:
    """Refuse who does not reach the whole tenant."""
    if principal.reach is not Reach.TENANT:
        raise TenantReachNeeded
