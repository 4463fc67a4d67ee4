"""So many requests a minute for each caller, told in every answer; nothing is remembered without bound."""

import re

import pytest

from service.api.quotas import Quota, RateLimited


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _left(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[int, int]:
    found = re.fullmatch(rb'"caller";r=(\d+);t=(\d+)', dict(headers)[b"ratelimit"])
    assert found is not None
    return int(found[1]), int(found[2])


def test_what_is_left_is_told_and_the_next_one_refused_until_the_window_ends() -> None:
    clock = Clock()
    quota = Quota("caller", limit=3, window_s=60, clock=clock)
    assert [_left(quota.take("anna")) for _ in range(3)] == [(2, 60), (1, 60), (0, 60)]
    clock.now += 20.5
    with pytest.raises(RateLimited) as refusal:
        quota.take("anna")
    assert refusal.value.extra == {"retry_after_seconds": 40}
    assert _left(quota.told("anna")) == (0, 40)
    assert _left(quota.take("boris")) == (2, 60)
    clock.now += 39.5
    assert _left(quota.take("anna")) == (2, 60)


def test_the_policy_is_told_too_and_no_limit_says_nothing() -> None:
    assert dict(Quota("caller", limit=3).take("anna"))[b"ratelimit-policy"] == b'"caller";q=3;w=60'
    without = Quota("caller", limit=0)
    assert without.take("anna") == without.told("anna") == ()


def test_the_memory_is_bounded_and_lets_go_of_the_oldest() -> None:
    clock = Clock()
    quota = Quota("caller", limit=2, clock=clock, remembered=100)
    for number in range(1_000):
        clock.now += 0.001
        quota.take(number)
    assert len(quota._windows) <= 100
    assert _left(quota.take(999))[0] == 0
    assert _left(quota.take(0))[0] == 1
