"""By when a person's request has to be met: so many days after it was made, as the tenant's policy says.

`tenants.policies` may hold {"privacy": {"access_days": 10, "erasure_days": 30}}; without it both are thirty. Days are
days of the calendar in the tenant's time zone.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

from service.domain.privacy.errors import FutureRequest

_USUAL = 30
_LONGEST = 3650


def due_on(policies: Mapping[str, Any], what: Literal["access", "erasure"], asked_on: date) -> date:
    """The last day on which the request is met in time."""
    privacy = policies.get("privacy")
    days = privacy.get(f"{what}_days") if isinstance(privacy, Mapping) else None
    fits = isinstance(days, int) and not isinstance(days, bool) and 0 <= days <= _LONGEST
    return asked_on + timedelta(days=int(days) if fits and days is not None else _USUAL)


def asked(on: date | None, today: date) -> date:
    """The day of the request: as stated, else today; refuses one that is still to come."""
    if on is not None and on > today:
        raise FutureRequest(pointer="/asked_on")
    return on or today
