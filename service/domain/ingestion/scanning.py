"""What a virus scanner says of a file. Only its explicit word lets a file pass; anything else means: not scanned.

A small file is scanned while it is uploaded, so that its sender is told at once. A large one would keep the request
open for minutes: it is taken in unread, and the worker scans it. So it goes with a file that could not be scanned in
time; it is tried again, ever less often, until the tenant's time limit is over. Nothing of a file is parsed before it
is clean.
"""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from service.domain.errors import Rejected, TooLarge, Unavailable

USUAL_WAIT_HOURS = 24
_SOONEST = timedelta(seconds=2)
_LATEST = timedelta(seconds=60)


class FileInfected(Rejected):
    code = "file-infected"
    title = "The virus scanner found something in the file; it was not kept."


class FileNotScanned(Rejected):
    code = "file-not-scanned"
    title = "The virus scanner could not judge the file, so nothing of it was read, and it was not kept."


class TooLargeToScan(TooLarge):
    code = "too-large-to-scan"
    title = "The file is larger than the virus scanner takes, and unscanned files are not read."


class StillQuarantined(Unavailable):
    """The scan is to be tried again after `retry_in` seconds."""

    code = "still-quarantined"
    title = "The file waits in quarantine until the virus scanner can judge it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """The scanner has read the whole file and said that it is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Infected:
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotScanned:
    """No verdict, for whatever reason; `for_good` where trying again can't help."""

    reason: str
    for_good: bool = False


Verdict = Clean | Infected | NotScanned


class Scanner(Protocol):
    @property
    def on(self) -> bool:
        """Whether there is a scanner at all; without one files are read unscanned, and the service says so."""
        ...

    @property
    def most_bytes(self) -> int:
        """The largest file that may be given to it."""
        ...

    def at_once(self, size: int | None) -> bool:
        """Whether a file of that size can be scanned while its sender waits."""
        ...

    async def scan(self, content: AsyncIterable[bytes], *, waiting: bool) -> Verdict:
        """Judge a file; while somebody is `waiting` for it, within seconds. Raises only what reading the file does."""
        ...


def wait_limit(policies: Mapping[str, Any]) -> timedelta:
    """How long a file of the tenant may wait for the scanner before it is given up."""
    return timedelta(hours=(policies.get("quarantine") or {}).get("wait_hours", USUAL_WAIT_HOURS))


def next_try(since: datetime, now: datetime) -> timedelta:
    """The pause before the next scan: half as long as the file has waited, from two seconds to a minute."""
    return min(max((now - since) / 2, _SOONEST), _LATEST)
