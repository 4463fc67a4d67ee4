"""When a second person must agree to an export, and how long that holds.

A plain export needs one who agrees when it has more rows than the tenant's threshold, together with what its requester
took out in the last day without asking anybody, so that a file cut in pieces needs it too. A migration needs two. What
was agreed to may grow by a twentieth, or ten records; beyond that it is asked again. An agreement holds for three days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Kind = Literal["plain", "migration"]
APPROVAL_HOURS = 72
LINK_LIFE = timedelta(minutes=10)
_SHARE, _FEW = 0.05, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPolicy:
    """What a tenant has decided on its exports, or what is usual."""

    approval_above_rows: int = 1_000
    kept_hours: int = 24
    delete_after_fetch: bool = False

    @classmethod
    def of(cls, policies: Mapping[str, Any]) -> "ExportPolicy":
        return cls(**{name: value for name, value in policies.get("exports", {}).items() if name in cls.__slots__})

    def approvals(self, kind: str, rows: int, lately: int) -> int:
        """How many must agree; `lately` = what left in the last day without anybody's word."""
        if kind == "migration":
            return 2
        return 1 if rows and rows + lately > self.approval_above_rows else 0


def grown(agreed: int, now: int) -> bool:
    """Whether an export holds more than a little more than what was agreed to."""
    return now > agreed + max(_FEW, int(agreed * _SHARE))
