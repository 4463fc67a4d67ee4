"""Who acts, with which rights, and how far the view reaches.

A principal is the verified token plus the staff row: the token's scopes are narrowed to what the staff row
allows, the widest `reach:` wins, and no reach at all means own. Reach decides which rows exist for the caller.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal
from uuid import UUID

from service.domain.errors import MissingScope


class Scope(StrEnum):
    ASSIGNMENTS_WRITE = "assignments:write"
    AUDIT_READ = "audit:read"
    CONTACTS_REVEAL = "contacts:reveal"
    CUSTOMERS_DELETE = "customers:delete"
    CUSTOMERS_MERGE = "customers:merge"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    EXPORTS_APPROVE = "exports:approve"
    EXPORTS_CREATE = "exports:create"
    IMPORTS_WRITE = "imports:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    PRIVACY_WRITE = "privacy:write"
    QUALITY_READ = "quality:read"
    QUALITY_WRITE = "quality:write"
    REACH_OWN = "reach:own"
    REACH_TEAM = "reach:team"
    REACH_TENANT = "reach:tenant"
    SEGMENTS_READ = "segments:read"
    SEGMENTS_WRITE = "segments:write"
    TENANT_ADMIN = "tenant:admin"


class Reach(StrEnum):
    OWN = "own"
    TEAM = "team"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose token was verified and whose staff row is active; the only key to a transaction."""

    tenant_id: int
    tenant: str
    staff_id: UUID
    subject: str
    reach: Reach
    scopes: frozenset[Scope]
    teams: tuple[UUID, ...] = ()
    owners: tuple[UUID, ...] = ()
    kind: Literal["person", "system"] = "person"
    time_zone: str = "UTC"
    currency: str = "RUB"
    leaving: bool = False
    # The version of the terms of use that this person has still to accept.
    terms_due: int | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Refuse unless the scope was granted; the answer names the scope."""
        if scope not in self.scopes:
            raise MissingScope(f"The scope {scope} is needed.", scope=str(scope))


def grant(asked: Iterable[str], allowed: Iterable[str]) -> frozenset[Scope]:
    """The scopes that both the token and the staff row name; words that are no scope grant nothing."""
    known = {str(scope) for scope in Scope}
    return frozenset(Scope(word) for word in set(asked) & set(allowed) & known)


def widest_reach(scopes: frozenset[Scope]) -> Reach:
    """The widest reach that was granted; none means own."""
    if Scope.REACH_TENANT in scopes:
        return Reach.TENANT
    return Reach.TEAM if Scope.REACH_TEAM in scopes else Reach.OWN


def narrowed(principal: Principal, asked_with: Iterable[str]) -> Principal:
    """The principal of today with no more than the rights the request was made with."""
    scopes = grant(asked_with, principal.scopes)
    return replace(principal, scopes=scopes, reach=widest_reach(scopes))
