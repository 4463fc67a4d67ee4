"""Which purchases a report looks at: one currency, the days up to `as_of`, all of them or a window.

A window of `n` days is `n` whole local days, the last of them `as_of`. Sums never cross currencies, and what lies
after `as_of` is left out (today's knowledge about the past is used: a past `as_of` names business dates).
"""

from dataclasses import dataclass
from datetime import date, timedelta

from service.domain.errors import Rejected

_LONGEST_WINDOW = 36_525


class WindowInvalid(Rejected):
    code = "window-invalid"
    title = "A window is a whole number of days from 1 to 36525, and must not begin before the calendar does."


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    currency: str
    as_of: date
    window_days: int | None = None

    def __post_init__(self) -> None:
        days = self.window_days
        if days is not None and not 1 <= days <= min(_LONGEST_WINDOW, self.as_of.toordinal()):
            raise WindowInvalid

    @property
    def from_on(self) -> date | None:
        """The first day of the window; None means since ever."""
        return None if self.window_days is None else self.as_of - timedelta(days=self.window_days - 1)

    def covers(self, day: date) -> bool:
        return day <= self.as_of and (self.from_on is None or day >= self.from_on)
