"""Whose request it is: a header counts only as far as trusted proxies have written it."""

from types import SimpleNamespace
from typing import Any

import pytest

from service.api.addresses import client_address, home_of, networks

INSIDE = networks(["10.0.0.0/8", "::1/128"])


def scope(peer: str | None, *forwarded: str, trusted: Any = INSIDE) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    app = SimpleNamespace(state=SimpleNamespace(trusted_proxies=trusted))
    return {"client": (peer, 1) if peer else None, "headers": headers, "app": app}


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (scope("203.0.113.9"), "203.0.113.9"),
        (scope("203.0.113.9", "198.51.100.1"), "203.0.113.9"),
        (scope("10.0.0.1", "198.51.100.1"), "198.51.100.1"),
        (scope("10.0.0.1", "1.2.3.4, 198.51.100.1"), "198.51.100.1"),
        (scope("10.0.0.1", "1.2.3.4", "198.51.100.1, 10.0.0.2"), "198.51.100.1"),
        (scope("10.0.0.1", "10.0.0.3"), "10.0.0.3"),
        (scope("10.0.0.1"), "10.0.0.1"),
        (scope("10.0.0.1", "1.2.3.4", trusted=()), "10.0.0.1"),
        (scope("::1", "2001:db8::7"), "2001:db8::7"),
        (scope(None, "1.2.3.4"), ""),
    ],
)
def test_the_last_one_that_no_trusted_proxy_vouches_for_is_the_caller(asked: dict[str, Any], address: str) -> None:
    assert client_address(asked) == address


def test_a_household_counts_as_one() -> None:
    assert home_of("2001:db8:1:2:aaaa::1") == home_of("2001:db8:1:2:bbbb::9") != home_of("2001:db8:1:3::1")
    assert home_of("203.0.113.9") == "203.0.113.9"
    assert len(home_of("x" * 500)) == 64
