"""How portfolios are dealt, who may receive them, and the days that a briefing names."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.access import Principal, Reach
from service.domain.assignments.errors import LeadNeeded, OutsideOwnTeams, ReceiverUnfit, TargetUnclear
from service.domain.assignments.model import Bounds, Person, Spread, Target, bounds_of, dealt, receivers
from service.domain.assignments.portfolio import expected_on, next_birthday, tenures

_VOLGA, _DON = uuid4(), uuid4()
_EVERYWHERE = Bounds()


def _person(*teams: UUID, active: bool = True) -> Person:
    return Person(staff_id=uuid4(), name="Anna", active=active, teams=teams)


def _principal(reach: Reach, *teams: UUID) -> Principal:
    return Principal(
        tenant_id=1, tenant="t", staff_id=uuid4(), subject="s", reach=reach, scopes=frozenset(), teams=teams
    )


@given(st.lists(st.integers(-(10**6), 10**9), max_size=60), st.integers(1, 7))
def test_a_balanced_spread_is_even_in_number_and_near_in_sum(revenues: list[int], people: int) -> None:
    ranked = sorted(revenues, reverse=True)
    shares: list[list[int]] = [[] for _ in range(people)]
    for place, revenue in enumerate(ranked):
        shares[dealt(place, people, Spread.BALANCED)].append(revenue)
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= 1
    whole = [share for share in shares if len(share) == max(counts)]
    sums = [sum(share) for share in whole]
    if ranked:
        assert max(sums) - min(sums) <= ranked[0] - ranked[-1]
    if ranked and ranked[-1] >= 0:
        every = [sum(share) for share in shares]
        assert max(every) - min(every) <= ranked[0]


@given(st.integers(0, 10**7), st.integers(1, 500), st.sampled_from(Spread))
def test_each_place_goes_to_one_of_the_receivers_and_each_turn_to_all(first: int, people: int, spread: Spread) -> None:
    start = first // people * people
    assert sorted(dealt(start + seat, people, spread) for seat in range(people)) == list(range(people))


def test_reach_says_how_far_a_hand_over_goes() -> None:
    assert bounds_of(_principal(Reach.TENANT)).teams is None
    assert bounds_of(_principal(Reach.TEAM, _VOLGA)).teams == (_VOLGA,)
    for principal in (_principal(Reach.OWN, _VOLGA), _principal(Reach.TEAM)):
        with pytest.raises(LeadNeeded):
            bounds_of(principal)


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"unassigned": True, "team_id": _VOLGA},
        {"spread": Spread.BALANCED},
        {"spread": Spread.BALANCED, "unassigned": True},
        {"spread": Spread.BALANCED, "curator_id": _DON},
        {"spread": Spread.ROUND_ROBIN, "curator_id": _DON, "team_id": _VOLGA},
    ],
)
def test_a_target_that_names_none_or_two_is_refused(target: dict[str, object]) -> None:
    with pytest.raises(TargetUnclear):
        Target(**target)  # type: ignore[arg-type]


def test_a_person_receives_into_his_team() -> None:
    anna, boris, vera = _person(_VOLGA), _person(_VOLGA, _DON), _person()

    def of(person: Person, team_id: UUID | None = None) -> UUID | None:
        target = Target(curator_id=person.staff_id, team_id=team_id)
        return receivers(target, _EVERYWHERE, person=person)[0].team_id

    assert (of(anna), of(vera), of(boris, _DON)) == (_VOLGA, None, _DON)
    with pytest.raises(TargetUnclear):
        of(boris)
    with pytest.raises(ReceiverUnfit):
        of(anna, _DON)
    with pytest.raises(ReceiverUnfit):
        of(_person(_VOLGA, active=False))
    with pytest.raises(ReceiverUnfit):
        receivers(Target(curator_id=uuid4()), _EVERYWHERE, person=None)


def test_a_spread_reaches_the_active_members_but_the_giver() -> None:
    members = [_person(_VOLGA) for _ in range(3)] + [_person(_VOLGA, active=False)]
    target = Target(team_id=_VOLGA, spread=Spread.BALANCED)
    chosen = receivers(target, _EVERYWHERE, members=members, giving=members[0].staff_id)
    assert [one.curator_id for one in chosen] == sorted(one.staff_id for one in members[1:3])
    with pytest.raises(ReceiverUnfit):
        receivers(target, _EVERYWHERE, members=members[:1], giving=members[0].staff_id)


def test_a_lead_gives_nothing_out_of_his_teams() -> None:
    bounds = Bounds(teams=(_VOLGA,))
    inside = _person(_VOLGA)
    assert receivers(Target(curator_id=inside.staff_id), bounds, person=inside)
    outside = _person(_DON)
    for target, person in (
        (Target(curator_id=outside.staff_id), outside),
        (Target(team_id=_DON), None),
        (Target(unassigned=True), None),
    ):
        with pytest.raises(OutsideOwnTeams):
            receivers(target, bounds, person=person)


def test_the_29th_of_february_is_the_28th_of_other_years() -> None:
    born = date(1996, 2, 29)
    assert next_birthday(born, date(2027, 2, 1)) == date(2027, 2, 28)
    assert next_birthday(born, date(2028, 2, 28)) == date(2028, 2, 29)
    assert next_birthday(born, date(2027, 3, 1)) == date(2028, 2, 29)
    assert next_birthday(date(1604, 12, 31), date(2026, 12, 31)) == date(2026, 12, 31)
    assert next_birthday(date(1604, 1, 1), date(2026, 12, 31)) == date(2027, 1, 1)


@given(st.dates(date(1604, 1, 1), date(2090, 1, 1)), st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_a_birthday_comes_within_a_year(born: date, today: date) -> None:
    day = next_birthday(born, today)
    assert today <= day <= today + timedelta(days=366)
    assert (day.month, day.day) == (born.month, born.day) or (born.month, born.day) == (2, 29)


def test_an_order_is_expected_after_the_mean_interval() -> None:
    first, last = date(2026, 1, 1), date(2026, 1, 31)
    assert expected_on(first, last, 4) == date(2026, 2, 10)
    assert expected_on(first, date(2026, 1, 2), 5) == date(2026, 1, 3)
    assert expected_on(first, first, 4) is None
    assert expected_on(first, first, 1) is None


def test_tenures_follow_one_another_without_gaps() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    anna, boris, head = uuid4(), uuid4(), uuid4()
    moves = [
        {"at": start + timedelta(days=days), "curator_id": to, "team_id": None, "from_curator_id": was,
         "from_team_id": None, "staff_id": head, "assignment_id": None}
        for days, was, to in ((1, anna, boris), (2, boris, anna))
    ]  # fmt: skip
    found = tenures(start, {"curator_id": anna, "team_id": None}, moves)
    assert [one.curator_id for one in found] == [anna, boris, anna]
    assert found[0].until is None
    assert all(newer.since == older.until for newer, older in pairwise(found))
    (only,) = tenures(start, {"curator_id": anna, "team_id": None}, [])
    assert (only.curator_id, only.since, only.until, only.decided_by) == (anna, start, None, None)
