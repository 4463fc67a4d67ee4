"""Pieces of the wire format that several resources share."""

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints
from starlette.responses import Response

from service.domain.errors import DomainError, Rejected
from service.domain.idempotency import Once
from service.domain.money import money_text

ItemT = TypeVar("ItemT")
_DEEPEST = 20


class BadIdempotencyKey(Rejected):
    code = "bad-idempotency-key"
    title = "An Idempotency-Key is 1 to 255 visible ASCII characters."


class BadVersion(Rejected):
    code = "bad-if-match"
    title = 'If-Match holds the ETag of the record as it was answered, such as "3".'


def storable(text: str) -> str:
    """Refuse what the database can't keep: NUL and half of a surrogate pair."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("a NUL or half of a surrogate pair can't be stored")
    return text


def _storable_tree(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"values may be nested {_DEEPEST} deep")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(name): _storable_tree(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_storable_tree(inner, depth + 1) for inner in value]
    return _storable_number(value) if isinstance(value, Decimal | int) else value


def _storable_number(value: Decimal | int) -> float | int:
    """What JSON readers agree on: whole numbers of 64 bits, and binary floating point."""
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("a whole number must fit 64 bits; send longer ones as text")
        return value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number is too large; send it as text")
    return number


def _in_our_times(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= 2100:
        raise ValueError("the year must lie between 1900 and 2100")
    return moment


Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(storable)]
LongText = Annotated[str, StringConstraints(max_length=2000), AfterValidator(storable)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(storable)]
Source = Annotated[str, StringConstraints(max_length=60), AfterValidator(storable)]
Attributes = Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_storable_tree)]
Moment = Annotated[datetime, AfterValidator(_in_our_times)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
# The wire carries money as decimal strings; a JSON number is taken too, read from its digits.
Money = Annotated[
    Decimal, Field(max_digits=19, decimal_places=6), PlainSerializer(str, return_type=str, when_used="json")
]
Micros = Annotated[str, Field(examples=["1490.00"], description="A decimal string.")]


class Input(BaseModel):
    """A body: unknown members are refused, so that a typing error never passes for a wish."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[ItemT]):
    """One page of a list, and the cursor of the next one."""

    items: list[ItemT]
    next_cursor: str | None
    count: int | None = None


class ProblemItem(BaseModel):
    """Why one item of a batch was refused."""

    type: str
    title: str
    detail: str


def problem_item(error: DomainError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"type": f"/problems/{error.code}", "title": error.title, "detail": error.detail, **error.extra}


class Json(Response):
    """An answer whose bytes are ready; its headers are laid out at once, where a mapping would be parsed again."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()),
        ]


def as_json(value: object, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """The bytes of an answer, written once."""
    return Json(orjson.dumps(value, default=_plain), status, headers)


def _plain(value: object) -> object:
    # The driver's ids are a subclass of UUID, which orjson does not take by itself.
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


def fragment(text: str) -> orjson.Fragment:
    """JSON that the database has written already."""
    return orjson.Fragment(text)


def money(micros: int | None) -> str | None:
    return None if micros is None else money_text(micros)


def expected_version(request: Request) -> int | None:
    """The version that If-Match names; None when the caller doesn't say."""
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    number = tag.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise BadVersion
    return int(number)


async def once(request: Request) -> Once | None:
    """The request's idempotency key with the hash of its body; None when it has none."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise BadIdempotencyKey
    digest = hashlib.sha256(await request.body()).digest()
    return Once(method=request.method, path=request.url.path, key=key, body_hash=digest)
