"""The present, from the machine's clock."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def today(self, time_zone: str) -> date:
        return datetime.now(ZoneInfo(time_zone)).date()
