"""From where on something is a signal: what a tenant may set, and within which bounds.

The usual values are those that the simulation was judged with; who lowers one gets more signals, who raises one fewer.
None can be set so that a rule is off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How many more than usual are worth an alert, however little that is of the person's work."""

    # One canary may be an accident; two within thirty days are not. Of those who leave, one is enough.
    canaries: int = 2
    covered_percent: int = 40
    more_in_a_day: int = 30
    more_in_five_days: int = 40
    more_in_twenty_days: int = 80
    night_looks: int = 20
    searches: int = 60
    reassigned: int = 50
    crossings: int = 12

    @classmethod
    def of(cls, policies: Mapping[str, Any]) -> "Thresholds":
        """What a tenant has chosen, else what is usual."""
        chosen = policies.get("signals") or {}
        return cls(**{one.name: chosen[one.name] for one in fields(cls) if one.name in chosen})

    def canaries_from(self, *, leaving: bool) -> int:
        return 1 if leaving else self.canaries


USUAL = Thresholds()
BOUNDS: Mapping[str, tuple[int, int]] = {
    "canaries": (1, 5),
    "covered_percent": (20, 80),
    "more_in_a_day": (10, 150),
    "more_in_five_days": (15, 300),
    "more_in_twenty_days": (30, 600),
    "night_looks": (5, 100),
    "searches": (20, 300),
    "reassigned": (10, 500),
    "crossings": (4, 200),
}
