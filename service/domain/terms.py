"""Terms of use: texts that a tenant publishes by version, and the people who have accepted them.

Until a person has accepted the current version, no operation with personal data answers; a new version asks again.
Systems have nothing to accept, and neither has anybody where nothing was published. What was published or accepted is
never changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from service.domain.access import Principal
from service.domain.errors import Conflict, Forbidden, NotFound


class TermsRequired(Forbidden):
    code = "terms-required"
    title = "The terms of use have to be read and accepted first; `terms` and `accept` say where."


class NoTerms(NotFound):
    code = "terms-not-found"
    title = "There are no terms of use of this version."


class TermsSuperseded(Conflict):
    code = "terms-superseded"
    title = "There is a newer version of the terms of use; only the current one can be accepted."


class TermsForPersons(Forbidden):
    code = "terms-for-persons"
    title = "A system can't accept terms of use; it has none to accept."


class Terms(Protocol):
    """In the caller's tenant. Each version says when the caller has accepted it, if he has."""

    async def publish(self, text: str, sha256: str) -> Mapping[str, Any]:
        """The next version."""
        ...

    async def version(self, version: int) -> Mapping[str, Any] | None: ...

    async def page(self, before: int | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Versions, the newest first."""
        ...

    async def current(self) -> Mapping[str, Any] | None:
        """The newest version without its text; None where nothing was published."""
        ...

    async def accept(self, version: int, address: str | None) -> None:
        """Keep that the caller accepts this version as it stands, once."""
        ...


def require_terms(principal: Principal) -> None:
    """Refuse a person who has not accepted the current terms. Raises TermsRequired."""
    if principal.terms_due is not None:
        raise TermsRequired(
            version=principal.terms_due, terms="/v1/terms", accept=f"/v1/terms/{principal.terms_due}/accept"
        )
