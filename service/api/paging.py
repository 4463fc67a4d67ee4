"""Cursor pages: opaque, bound to the order they were made for, and never trusted."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel

from service.domain.access import Principal, Scope
from service.domain.errors import Rejected

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=1000)]


# Of records, for those who may not export: paging is no way around it.
_RECORDS = 50
Asked = TypeVar("Asked", bound=BaseModel)


def bounded(principal: Principal, query: Asked) -> Asked:
    """What was asked for, with a page of no more records than its caller may have at once."""
    limit: int = query.limit  # type: ignore[attr-defined]
    most = page_size(principal, limit)
    return query if most == limit else query.model_copy(update={"limit": most})


def page_size(principal: Principal, limit: int) -> int:
    """How many records a page of so many has for this caller."""
    return limit if principal.may(Scope.EXPORTS_CREATE) else min(limit, _RECORDS)


class BadCursor(Rejected):
    code = "bad-cursor"
    title = "The cursor is not one that this list gave out; start again without it."


def encode(position: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position, default=str)).decode().rstrip("=")


def decode(cursor: str, *names: str) -> dict[str, Any]:
    """The position that a cursor stands for; it must hold just these names. Raises BadCursor."""
    try:
        raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = orjson.loads(raw)
    except (binascii.Error, ValueError, UnicodeEncodeError) as error:
        raise BadCursor(pointer="/cursor") from error
    if not isinstance(position, dict) or set(position) != set(names):
        raise BadCursor(pointer="/cursor")
    return position


def after_key(cursor: str | None) -> str:
    """The text key behind which a list goes on; empty at its beginning. Raises BadCursor."""
    value = decode(cursor, "after")["after"] if cursor else ""
    if not isinstance(value, str) or "\x00" in value:
        raise BadCursor(pointer="/cursor")
    return value


def id_of(cursor: str | None, name: Literal["before", "after"]) -> UUID | None:
    """The id before or behind which a list goes on; None at its beginning. Raises BadCursor."""
    if cursor is None:
        return None
    try:
        return UUID(str(decode(cursor, name)[name]))
    except ValueError:
        raise BadCursor(pointer="/cursor") from None
