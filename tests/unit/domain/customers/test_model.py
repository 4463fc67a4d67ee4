"""What a record is: birthdays whose year is unknown, patches, one primary contact of a kind."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.model import birthday, birthday_text


@given(st.dates(min_value=date(1, 1, 1)), st.booleans())
def test_a_birthday_is_read_as_it_is_written(day: date, year_known: bool) -> None:
    written = birthday_text(day, year_known)
    read, known = birthday(written)
    assert (known, birthday_text(read, known)) == (year_known, written)
    assert (read.month, read.day) == (day.month, day.day)
    assert not known or read == day


def test_the_29th_of_february_is_a_birthday_without_a_year() -> None:
    assert birthday("--02-29") == (date(1604, 2, 29), False)


@pytest.mark.parametrize("text", ["--02-30", "--13-01", "05-17", "-05-17", "1990-5-17", "1990-02-29", "0000-01-01", ""])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        birthday(text)
