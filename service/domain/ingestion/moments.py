"""Dates and times as files carry them: ISO, `2010-12-01 08:26:00`, `01.12.2010 8:26`, `DD/MM/YY`, `YYYYMMDD`.

A time without a zone is the file's (by default the tenant's); a date without a time is its midnight. A local time that
occurs twice is the first of the two; one that a clock change skips is moved forward by the gap. With points the day
comes first; with slashes the mapping's order decides, else the order that the column shows elsewhere (a 13 can't be a
month), else a date that can be read both ways is rejected. Two-digit years 00–68 are 20xx, the rest 19xx.
Years outside 1900–2100 are rejected (a year 20111 is a typing error, not a date).
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

from service.domain.customers import model
from service.domain.ingestion.faults import Fault

DateOrder = Literal["day_first", "month_first"]

_CLOCK = r"(?:(?:[T ]|, ?) ?(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
_TAIL = r" ?(?P<half>[AaPp][Mm])? ?(?P<z>Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?)?"
_YEAR_FIRST = re.compile(r"(?P<y>[0-9]{3,9})([-/.])(?P<m>[0-9]{1,2})\2(?P<d>[0-9]{1,2})" + _CLOCK + _TAIL)
_YEAR_LAST = re.compile(r"(?P<a>[0-9]{1,2})(?P<sep>[-/.])(?P<b>[0-9]{1,2})(?P=sep)(?P<y>[0-9]{2,9})" + _CLOCK + _TAIL)
_COMPACT = re.compile(
    r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?:T?(?P<h>[0-9]{2})(?P<min>[0-9]{2})(?P<s>[0-9]{2})(?P<z>Z)?)?"
)


def moment(text: str, order: DateOrder | None, file_zone: ZoneInfo, tenant_zone: ZoneInfo) -> tuple[datetime, date]:
    """The time in UTC, and the day it falls on in the tenant's zone."""
    local = _parsed(text, order)
    if local.tzinfo is None:
        local = local.replace(tzinfo=file_zone)
    at = local.astimezone(UTC)
    return at, at.astimezone(tenant_zone).date()


def day(text: str, order: DateOrder | None) -> date:
    """The calendar day; a time of day beside it is passed over."""
    return _parsed(text, order).date()


def birthday(text: str, order: DateOrder | None) -> tuple[date, bool]:
    """The day of birth, and whether its year is known; `--05-17` names none."""
    stripped = text.strip()
    if not stripped.startswith("--"):
        return day(stripped, order), True
    try:
        return model.birthday(stripped)
    except ValueError as error:
        raise Fault("bad-date") from error


def date_order(cells: Iterable[str]) -> DateOrder | None:
    """The order that dates with slashes or dashes show; None where none does, or they disagree."""
    seen: set[DateOrder] = set()
    for cell in cells:
        match = _YEAR_LAST.fullmatch(cell.strip())
        if match is None or match["sep"] == ".":
            continue
        first, second = int(match["a"]), int(match["b"])
        if first > 12 >= second:
            seen.add("day_first")
        elif second > 12 >= first:
            seen.add("month_first")
    return seen.pop() if len(seen) == 1 else None


def _parsed(text: str, order: DateOrder | None) -> datetime:
    stripped = text.strip()
    if match := _YEAR_FIRST.fullmatch(stripped) or _COMPACT.fullmatch(stripped):
        return _built(match, int(match["m"]), int(match["d"]))
    match = _YEAR_LAST.fullmatch(stripped)
    if match is None:
        raise Fault("bad-date")
    month, day_ = _month_and_day(int(match["a"]), int(match["b"]), "day_first" if match["sep"] == "." else order)
    return _built(match, month, day_)


def _month_and_day(first: int, second: int, order: DateOrder | None) -> tuple[int, int]:
    if order is None:
        if first <= 12 and second <= 12 and first != second:
            raise Fault("ambiguous-date")
        order = "month_first" if second > 12 else "day_first"
    return (second, first) if order == "day_first" else (first, second)


def _built(match: re.Match[str], month: int, day_: int) -> datetime:
    parts = match.groupdict()
    year = _year(match["y"])
    clock = (_hour(parts), int(parts["min"] or 0), int(parts["s"] or 0), int((parts.get("f") or "0")[:6].ljust(6, "0")))
    try:
        return datetime(year, month, day_, *clock, tzinfo=_zone(parts["z"]))
    except ValueError as error:
        raise Fault("bad-date") from error


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 69 else 1900)
    if not 1900 <= year <= 2100:
        raise Fault("date-out-of-range", f"The year {digits} lies outside 1900–2100.")
    return year


def _hour(parts: dict[str, str | None]) -> int:
    hour, half = int(parts["h"] or 0), (parts.get("half") or "").lower()
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise Fault("bad-date")
    return hour % 12 + (12 if half == "pm" else 0)


def _zone(zone: str | None) -> timezone | None:
    if zone is None:
        return None
    if zone[0] not in "+-":
        return UTC
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
