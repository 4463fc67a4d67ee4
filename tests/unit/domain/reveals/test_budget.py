"""The rule of the budget: by the own base, by reach, by kind; a tenth for who leaves, half a day's in an hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.access import Principal, Reach
from service.domain.reveals.budget import (
    Account,
    Limits,
    Looks,
    RevealPolicy,
    accounts,
    limits,
    overdrawn,
    own_percent,
    policy_of,
    refusal,
)

_ANNA = Principal(tenant_id=1, tenant="t", staff_id=UUID(int=1), subject="anna", reach=Reach.OWN, scopes=frozenset())
_TEAM = replace(_ANNA, reach=Reach.TEAM, teams=(UUID(int=2),))
_HEAD = replace(_ANNA, reach=Reach.TENANT)
_counts = st.integers(0, 20_000)
_looks = st.builds(
    Looks,
    chosen=st.just({}),
    own=_counts,
    hour=_counts,
    day=_counts,
    month=_counts,
    team_day=_counts,
    tenant_day=_counts,
)
_callers = st.builds(
    replace,
    st.sampled_from((_ANNA, _TEAM, _HEAD)),
    kind=st.sampled_from(("person", "system")),
    leaving=st.booleans(),
)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (0, (10, 20, 200)),
        (200, (10, 20, 200)),
        (201, (10, 20, 201)),
        (219, (11, 21, 219)),
        (1_499, (75, 149, 1_499)),
        (1_500, (75, 150, 1_500)),
        (9_000, (75, 150, 9_000)),
    ],
)
def test_the_own_base_makes_the_budget(own: int, expected: tuple[int, int, int]) -> None:
    found = limits(RevealPolicy(), _ANNA, own)
    assert (found.hour, found.day, found.month) == (-(-expected[1] // 2), *expected[1:])


def test_team_tenant_and_systems_have_budgets_of_their_own() -> None:
    found = [limits(RevealPolicy(), one, 0) for one in (_TEAM, _HEAD, replace(_ANNA, kind="system"))]
    assert found == [
        Limits(hour=75, day=150, month=1_000),
        Limits(hour=100, day=200, month=1_500),
        Limits(hour=500, day=1_000, month=10_000),
    ]


@given(_callers, _counts)
def test_who_leaves_has_a_tenth_and_never_nothing_where_others_have_something(caller: Principal, own: int) -> None:
    stays = limits(RevealPolicy(), replace(caller, leaving=False), own)
    leaves = limits(RevealPolicy(), replace(caller, leaving=True), own)
    for name in ("day", "month"):
        assert getattr(stays, name) <= 10 * getattr(leaves, name) < getattr(stays, name) + 10
    assert 0 < leaves.hour <= leaves.day <= leaves.month


@given(_callers, _looks, st.integers(0, 50))
def test_what_is_allowed_leaves_no_window_overdrawn(caller: Principal, looks: Looks, more: int) -> None:
    refused = overdrawn(caller, looks, more)
    for account in accounts(caller, looks):
        assert (account in refused) == (more > 0 and account.spent + more > account.limit)
    assert overdrawn(caller, looks, 0) == []  # a repeat is free, whatever was spent


def test_only_people_have_ceilings_and_who_has_no_team_none_of_a_team() -> None:
    looks = Looks(chosen={}, own=0, hour=0, day=0, month=0)
    holders = [
        [one.holder for one in accounts(who, looks)][3:] for who in (_ANNA, _TEAM, replace(_TEAM, kind="system"))
    ]
    assert holders == [["tenant"], ["team", "tenant"], []]


@given(
    st.dictionaries(
        st.sampled_from(("own_day_least", "hour_percent", "strange")), st.integers() | st.text() | st.booleans()
    )
)
def test_what_is_no_count_is_as_usual(chosen: dict[str, object]) -> None:
    policy = policy_of(chosen)
    for name in ("own_day_least", "hour_percent"):
        given_value = chosen.get(name)
        counts = isinstance(given_value, int) and not isinstance(given_value, bool) and given_value >= 0
        assert getattr(policy, name) == (given_value if counts else getattr(RevealPolicy(), name))


def test_forty_percent_of_the_own_base_are_worth_a_signal_and_no_wall() -> None:
    looks = Looks(chosen={}, own=1_000, hour=0, day=0, month=399)
    assert (own_percent(_ANNA, looks, 1), overdrawn(_ANNA, looks, 1)) == (40, [])
    assert own_percent(_HEAD, looks, 1) is None


def test_a_refusal_says_when_there_is_room() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    account = Account(holder="team", window="day", limit=5, spent=4)
    told = refusal(account, 2, now + timedelta(minutes=10), now).extra
    assert (told["left"], told["retry_after_seconds"]) == (1, 601)
    assert refusal(account, 6, None, now).extra["retry_after_seconds"] == 86_401
