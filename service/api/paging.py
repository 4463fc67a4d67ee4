"""Cursor pages: opaque, bound to the order they were made for, and never trusted."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Query

from service.domain.errors import Rejected

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=1000)]


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
