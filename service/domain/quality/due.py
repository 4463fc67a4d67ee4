"""What a tenant has decided on mending: how sure a fix is that is made by itself, and by when people act."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Calendar days from the day it was found.
USUAL_DAYS: Mapping[str, int] = {"error": 7, "warning": 30, "note": 90}
# Nothing less sure may be done to a record that nobody has looked at.
LEAST_SURE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class MendingPolicy:
    """`fix_above` None: no fix is made unless somebody asks for it."""

    fix_above: float | None = None
    due_days: Mapping[str, int] = field(default_factory=lambda: USUAL_DAYS)

    @classmethod
    def of(cls, policies: Mapping[str, Any]) -> "MendingPolicy":
        """Of a tenant's policies; what is no number is as usual."""
        chosen = policies.get("quality") or {}
        above = chosen.get("fix_above")
        sure = above if isinstance(above, int | float) and not isinstance(above, bool) else None
        days = {severity: _days(chosen.get(f"due_days_{severity}"), usual) for severity, usual in USUAL_DAYS.items()}
        return cls(fix_above=None if sure is None else max(LEAST_SURE, float(sure)), due_days=days)


def _days(chosen: object, usual: int) -> int:
    return chosen if isinstance(chosen, int) and not isinstance(chosen, bool) and chosen >= 0 else usual
