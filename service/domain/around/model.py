"""What people write beside a record: notes, contacts made, consents.

A consent is never changed: each time it is given or withdrawn there is one more row, and of each purpose and channel
the latest moment counts (of two at one moment the one written last). Nothing is recorded before it has happened.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from service.domain.around.errors import InTheFuture

# Clocks of partner systems go fast.
_PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInteraction:
    """A contact that was made: a call, a message, a meeting."""

    kind: str
    direction: Literal["in", "out"]
    at: datetime | None = None
    outcome: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsent:
    """A consent given or withdrawn; an empty channel stands for all of them."""

    purpose: str
    given: bool
    channel: str = ""
    at: datetime | None = None
    source: str = ""
    proof: str | None = None


def happened(at: datetime | None, now: datetime, time_zone: str) -> datetime:
    """The moment that is recorded: as stated (without a zone, in the tenant's), else now; refuses one ahead of us."""
    if at is None:
        return now
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(time_zone))
    if at > now + _PATIENCE:
        raise InTheFuture(pointer="/at")
    return at
