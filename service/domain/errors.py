"""The one tree of refusals. A code is public API: documented, never renamed, never reused.

Categories say what kind of answer a refusal is; the HTTP surface maps each category to one status.
Concrete refusals live with their capability.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal with a public code, a sentence, and (optionally) the place and the cure."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused."

    def __init__(self, detail: str | None = None, **extra: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra


def told(error: DomainError) -> dict[str, Any]:
    """A refusal as plain values, to be kept and told again."""
    return {"code": error.code, "detail": error.detail, "extra": error.extra}


def retold(kept: Mapping[str, Any]) -> DomainError:
    """The refusal that was kept, of the kind that its code names."""
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        kind = waiting.pop()
        if kind.code == kept["code"]:
            return kind(kept["detail"], **kept["extra"])
        waiting += kind.__subclasses__()
    raise LookupError(kept["code"])


class Unauthenticated(DomainError):
    code = "unauthenticated"
    title = "A valid bearer token is needed."


class Forbidden(DomainError):
    code = "forbidden"
    title = "The caller may not do this."


class NotFound(DomainError):
    code = "not-found"
    title = "There is no such thing within the caller's reach."


class Conflict(DomainError):
    code = "conflict"
    title = "The request is at odds with what is stored."


class Precondition(DomainError):
    code = "version-mismatch"
    title = "The record has changed since it was read; read it again and repeat the change."


class Rejected(DomainError):
    code = "invalid-request"
    title = "The request has values that can't be accepted."


class TooLarge(DomainError):
    code = "too-large"
    title = "The body is larger than this service accepts."


class TooMany(DomainError):
    code = "too-many-requests"
    title = "The budget for this is used up; the answer says when there is a new one."


class Unavailable(DomainError):
    code = "unavailable"
    title = "The service can't answer right now; try again shortly."


class MissingScope(Forbidden):
    code = "missing-scope"
    title = "The token lacks a scope that this operation needs."


class UnknownReference(Rejected):
    code = "unknown-reference"
    title = "The request names a staff member, team, channel or product that does not exist."


class NameTaken(Conflict):
    code = "name-taken"
    title = "There is one with this name or code already."


class UnstorableText(Rejected):
    code = "unstorable-text"
    title = "A text holds a character that can't be stored (NUL or half of a surrogate pair)."
