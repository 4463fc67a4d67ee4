"""What counts as clamd's word, and how long a file waits for it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.ingestion.scanning import Clean, Infected, NotScanned, next_try, wait_limit
from service.scanning.clamd import Address, parse_address, verdict

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.binary(max_size=60), st.booleans())
def test_nothing_but_its_very_words_is_clean(answer: bytes, whole: bool) -> None:
    assert isinstance(verdict(answer, whole=whole), Clean) == (answer == b"stream: OK\0" and whole)


def test_an_ok_to_a_part_of_the_file_is_none() -> None:
    assert isinstance(verdict(b"stream: OK\0", whole=False), NotScanned)
    assert isinstance(verdict(b"stream: OK\0", whole=True), Clean)


@pytest.mark.parametrize("answer", [b"stream: OK", b"stream: OK\n", b"stream: OK\0stream: OK\0", b" stream: OK\0", b""])
def test_almost_ok_is_none(answer: bytes) -> None:
    assert isinstance(verdict(answer, whole=True), NotScanned)


def test_what_was_found_counts_even_early() -> None:
    assert verdict(b"stream: Win.Test FOUND\0", whole=False) == Infected(signature="Win.Test")


def test_a_stream_that_is_too_long_stays_so() -> None:
    told = verdict(b"INSTREAM size limit exceeded. ERROR\0", whole=False)
    assert isinstance(told, NotScanned)
    assert told.for_good


def test_addresses_are_hosts_or_sockets() -> None:
    assert parse_address("tcp://127.0.0.1:3310") == Address(host="127.0.0.1", port=3310)
    assert parse_address("unix:///run/clamav/clamd.ctl") == Address(path="/run/clamav/clamd.ctl")


@pytest.mark.parametrize("text", ["", "127.0.0.1:3310", "tcp://host", "unix://run/x", "http://h:1", "tcp://h:1/x"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        parse_address(text)


def test_tries_get_rarer() -> None:
    pauses = [next_try(_NOW - timedelta(seconds=age), _NOW).total_seconds() for age in (0, 10, 60, 3600)]
    assert pauses == [2, 5, 30, 60]


def test_a_tenant_decides_how_long_a_file_waits() -> None:
    assert wait_limit({}) == timedelta(hours=24)
    assert wait_limit({"quarantine": {"wait_hours": 2}}) == timedelta(hours=2)
