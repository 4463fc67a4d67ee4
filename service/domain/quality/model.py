"""The words of data quality: what is looked at, what is found, what would mend it.

A check is a small pure value; it yields findings about one card and knows nothing of the base. What only the whole base
can tell (one phone on many cards, dates swapped throughout one import) is counted in SQL and judged here as well.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Cause(StrEnum):
    """Why a value is wrong."""

    FALSE = "false"  # given so knowingly
    ENTRY = "entry"  # a slip of the hand
    TRANSFER = "transfer"  # lost or mangled between systems
    STALE = "stale"  # was right once
    MISSING = "missing"


class Severity(StrEnum):
    """How much it matters: an `error` keeps the field from being used, a `warning` wants a look, a `note` is small."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSeen:
    """A contact in clear, as a check sees it; `kind` is `email`, `phone` or a messenger's."""

    kind: str
    value: str
    detail_id: str | None = None
    normal: str | None = None
    verified_at: datetime | None = None
    since: datetime | None = None
    bounced: bool = False


# How many months a value lives since it was last known to hold; after `activity` months a customer counts as silent.
USUAL_LIVES: Mapping[str, int] = MappingProxyType(
    {"phone": 18, "email": 18, "messenger": 18, "address": 24, "job": 12, "activity": 24}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One record as the checks see it. `fields` holds the text fields by their names in the API (`family_name`, `city`,
    `inn` …) and only those that are filled; a `birth_date` that can't be read as a day stands there as its text.
    `since` says when each was set, `verified` when it was last verified."""

    customer_id: str | None = None
    kind: str = "person"
    status: str = "customer"
    fields: Mapping[str, str] = field(default_factory=dict)
    birth_date: date | None = None
    birth_year_known: bool = True
    gender: str | None = None
    contacts: tuple[ContactSeen, ...] = ()
    since: Mapping[str, datetime] = field(default_factory=dict)
    verified: Mapping[str, datetime] = field(default_factory=dict)
    last_active: date | None = None
    curator_gone: bool = False
    # What the tenant has decided: the day it is there, and the region of phones without a country code.
    today: date
    phone_region: str = "RU"
    lives: Mapping[str, int] = field(default_factory=lambda: USUAL_LIVES)
    # What must be filled: fields by name, `contacts`, and kinds of contacts (`phone`, `inn` …).
    required: frozenset[str] = frozenset()
    # What the checks have worked out about the card so far, so that none of them does it twice.
    memo: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a fix does to one field (a contact by its `detail_id`); `after` None empties it."""

    field: str
    before: str | None
    after: str | None
    detail_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A fix, with how sure it is (0 to 1)."""

    changes: tuple[Change, ...]
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something is wrong with one field of one card; `field` is its name in the API, `contacts` with a `detail_id`."""

    code: str
    field: str
    detail_id: str | None = None
    confidence: float = 1.0
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One entry of the published catalogue. `title` says in a sentence what is wrong, `cure` what helps."""

    code: str
    cause: Cause
    severity: Severity
    fields: tuple[str, ...]
    title: str
    example: str
    cure: str
    examine: Callable[[Card], Iterator[Finding]]
