from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.ingestion.faults import Fault
from service.domain.ingestion.moments import DateOrder, date_order, day, moment

_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M:%S", "%Y%m%dT%H%M%S", "%d/%m/%Y %I:%M:%S %p")
_UTC, _LONDON, _MOSCOW = ZoneInfo("UTC"), ZoneInfo("Europe/London"), ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2010-12-01 08:26:00", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01T08:26", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01T08:26:00.123456789Z", datetime(2010, 12, 1, 8, 26, 0, 123456)),
        ("2010-12-01 08:26:00+03:00", datetime(2010, 12, 1, 5, 26)),
        ("2010-12-01 08:26:00-0330", datetime(2010, 12, 1, 11, 56)),
        ("2010-12-01 08:26 UTC", datetime(2010, 12, 1, 8, 26)),
        ("2010/12/1", datetime(2010, 12, 1)),
        ("01.12.2010 8:26", datetime(2010, 12, 1, 8, 26)),
        ("1.12.2010, 8:26:05", datetime(2010, 12, 1, 8, 26, 5)),
        ("31/12/19", datetime(2019, 12, 31)),
        ("12/31/19 1:05 PM", datetime(2019, 12, 31, 13, 5)),
        ("12/31/1999 12:05 am", datetime(1999, 12, 31, 0, 5)),
        ("05/05/70", datetime(1970, 5, 5)),
        ("19970101", datetime(1997, 1, 1)),
        ("20240131T235959Z", datetime(2024, 1, 31, 23, 59, 59)),
        ("20240131235959", datetime(2024, 1, 31, 23, 59, 59)),
    ],
)
def test_dates_are_read_as_files_carry_them(text: str, value: datetime) -> None:
    assert moment(text, None, _UTC, _UTC)[0] == value.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("20111-12-01 08:26:00", "date-out-of-range"),
        ("01.12.20111", "date-out-of-range"),
        ("1899-12-31", "date-out-of-range"),
        ("01.01.2101", "date-out-of-range"),
        ("30.02.2023", "bad-date"),
        ("03.25.2019", "bad-date"),
        ("2023-13-01", "bad-date"),
        ("2023-01-01 24:00", "bad-date"),
        ("2023-01-01 13:00 PM", "bad-date"),
        ("2023-01-01 10:00+99:00", "bad-date"),
        ("yesterday", "bad-date"),
        ("44197", "bad-date"),
        ("03/04/19", "ambiguous-date"),
        ("13/13/2019", "bad-date"),
    ],
)
def test_what_is_no_date_is_refused_with_the_reason(text: str, code: str) -> None:
    with pytest.raises(Fault) as fault:
        day(text, None)
    assert fault.value.code == code


def test_a_far_year_is_named() -> None:
    with pytest.raises(Fault) as fault:
        day("20111-01-01", None)
    assert "20111" in fault.value.detail


def test_the_order_of_day_and_month_decides() -> None:
    assert day("03/04/19", "day_first") == date(2019, 4, 3)
    assert day("03/04/19", "month_first") == date(2019, 3, 4)


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["03/04/19", "25/04/19"], "day_first"),
        (["03/04/19", "04/25/19"], "month_first"),
        (["25/04/19", "04/25/19"], None),
        (["03/04/19", "25.04.2019", "2019-04-25", "x", "13/13/19"], None),
    ],
)
def test_the_order_is_taken_from_the_unambiguous_cells(cells: list[str], order: DateOrder | None) -> None:
    assert date_order(cells) == order


def test_a_time_without_a_zone_is_the_files() -> None:
    at, on = moment("2023-06-01 01:00", None, _MOSCOW, _LONDON)
    assert at == datetime(2023, 5, 31, 22, tzinfo=UTC)
    assert on == date(2023, 5, 31)


def test_a_local_time_that_occurs_twice_is_the_first() -> None:
    assert moment("2023-10-29 01:30", None, _LONDON, _LONDON)[0] == datetime(2023, 10, 29, 0, 30, tzinfo=UTC)


def test_a_local_time_that_is_skipped_moves_forward_by_the_gap() -> None:
    at, on = moment("2023-03-26 01:30", None, _LONDON, _LONDON)
    assert at == datetime(2023, 3, 26, 1, 30, tzinfo=UTC)
    assert at.astimezone(_LONDON).hour == 2
    assert on == date(2023, 3, 26)


@given(st.datetimes(datetime(1900, 1, 2), datetime(2100, 12, 30)).map(lambda t: t.replace(microsecond=0)))
def test_every_format_says_the_same(value: datetime) -> None:
    expected = value.replace(tzinfo=UTC)
    for form in _FORMS:
        assert moment(value.strftime(form), "day_first", _UTC, _UTC)[0] == expected
