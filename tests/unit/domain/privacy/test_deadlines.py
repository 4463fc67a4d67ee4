"""A request is met in time within the days of the tenant's policy, thirty where it says nothing that makes sense."""

from datetime import date, timedelta
from typing import Any

import pytest

from service.domain.privacy.deadlines import asked, due_on
from service.domain.privacy.errors import FutureRequest

_DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("policies", "days"),
    [
        ({}, 30),
        ({"privacy": {"erasure_days": 10}}, 10),
        ({"privacy": {"erasure_days": 0}}, 0),
        ({"privacy": {"access_days": 10}}, 30),
        ({"privacy": {"erasure_days": -1}}, 30),
        ({"privacy": {"erasure_days": True}}, 30),
        ({"privacy": {"erasure_days": "10"}}, 30),
        ({"privacy": {"erasure_days": 10**9}}, 30),
        ({"privacy": []}, 30),
    ],
)
def test_the_policy_says_how_many_days(policies: dict[str, Any], days: int) -> None:
    assert due_on(policies, "erasure", _DAY) == _DAY + timedelta(days=days)


def test_nobody_has_asked_tomorrow() -> None:
    assert asked(None, _DAY) == _DAY
    assert asked(_DAY, _DAY) == _DAY
    with pytest.raises(FutureRequest):
        asked(_DAY + timedelta(days=1), _DAY)
