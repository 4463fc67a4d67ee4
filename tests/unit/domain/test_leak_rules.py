"""The rules that look for leaks: each by its own example, and all of them in a company of honest people and thieves."""

import random
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.leaks.activity import BITS, distinct
from service.domain.leaks.crossings import Crossings
from service.domain.leaks.model import NOBODY, Day, Kind, Person, Severity, Signal, sentence
from service.domain.leaks.rules import about, canary_severity, judge
from service.domain.leaks.statistics import usual
from tests.unit.domain.leak_simulation import company, thefts

_TODAY = date(2026, 11, 20)


def a_person(*, base: int = 1_000, days: int = 60, leaving: bool = False) -> Person:
    """Sixty ordinary days: some eight looks in clear, thirty-eight cards, ten searches, two sales."""
    before = [
        Day(
            day=_TODAY - timedelta(days=days - number),
            reveals=7 + number % 3,
            cards=36 + number % 5,
            searches=9 + number % 3,
            letters=4 + number % 2,
            segments=2,
            pages=3,
            sales=2,
            covered=120,
        )
        for number in range(days)
    ]
    return Person(staff_id=UUID(int=1), base=base, before=before, leaving=leaving)


def raised(person: Person, today: Day) -> dict[Kind, Signal]:
    return {signal.kind: signal for signal in judge(person, today, NOBODY)}


ORDINARY = {"day": _TODAY, "reveals": 8, "cards": 38, "searches": 10, "sales": 2, "letters": 5, "covered": 125}


@pytest.mark.parametrize(
    ("unlike", "kind"),
    [
        ({"cards": 412}, Kind.VOLUME),
        ({"reveals": 90}, Kind.VOLUME),
        ({"night": 40}, Kind.NIGHT),
        ({"letters": 26}, Kind.SWEEP),
        ({"segments": 40}, Kind.SWEEP),
        ({"pages": 90}, Kind.SWEEP),
        ({"searches": 300, "sales": 0}, Kind.SEARCHES),
        ({"reassigned": 400}, Kind.REASSIGNMENT),
        ({"covered": 450}, Kind.COVERAGE),
        ({"crossings": 13}, Kind.CROSSINGS),
    ],
)
def test_a_day_unlike_the_others_is_told_and_an_ordinary_one_is_not(unlike: dict[str, int], kind: Kind) -> None:
    assert raised(a_person(), Day(**ORDINARY)) == {}  # type: ignore[arg-type]
    found = raised(a_person(), Day(**(ORDINARY | unlike)))  # type: ignore[arg-type]
    assert set(found) == {kind}
    assert found[kind].severity is Severity.ALERT


def test_a_token_that_comes_back_to_an_address_while_another_uses_it_is_in_two_places() -> None:
    now = [0.0]
    places = Crossings(clock=lambda: now[0])

    def seen(*addresses: str, every_s: float = 1.0) -> int:
        back = 0
        for address in addresses:
            now[0] += every_s
            back += places.back(addresses, address)
        return back

    assert seen("office", "office", "office", "train", "train", "home", "home") == 0
    assert seen("home", "office") == 0
    assert seen("office", "home", "office", every_s=3600) == 0
    assert seen("here", "there", "here", "there", "there") == 2
    assert seen(*(str(n) for n in range(100)), "0") == 0  # what is remembered of a token is bounded


def test_a_signal_says_what_was_seen_and_what_is_usual() -> None:
    signal = raised(a_person(), Day(**(ORDINARY | {"cards": 412})))[Kind.VOLUME]  # type: ignore[arg-type]
    assert sentence(signal.kind, signal.parts) == "412 cards in a day, usually 38"


def test_somebody_new_is_measured_by_his_peers_with_more_room() -> None:
    person = a_person(days=3)
    assert raised(person, Day(**(ORDINARY | {"cards": 60}))) == {}  # type: ignore[arg-type]
    assert Kind.VOLUME in raised(person, Day(**(ORDINARY | {"cards": 412})))  # type: ignore[arg-type]


def test_of_somebody_who_leaves_less_is_enough() -> None:
    today = Day(**(ORDINARY | {"reveals": 30}))  # type: ignore[arg-type]
    assert raised(a_person(), today) == {}
    assert Kind.VOLUME in raised(a_person(leaving=True), today)
    assert (canary_severity(1, leaving=False), canary_severity(1, leaving=True)) == ("notice", "alert")
    assert canary_severity(2, leaving=False) is Severity.ALERT


def test_what_adds_several_days_up_is_raised_once_a_week_and_the_coverage_once_a_month() -> None:
    def key(days: int, on: date) -> str:
        return about(on, Signal(kind=Kind.VOLUME, severity=Severity.ALERT, parts={"days": days}))

    friday = date(2026, 11, 20)
    thursday = friday - timedelta(days=1)
    assert key(1, thursday) != key(1, friday)
    assert key(5, thursday) == key(5, friday) != key(5, friday + timedelta(days=3))
    assert key(30, date(2026, 11, 2)) == key(30, friday)


@given(st.lists(st.integers(0, 1_000), min_size=3, max_size=60), st.integers(0, 10**9))
def test_one_wild_day_moves_what_is_usual_no_further_than_to_a_neighbour(values: list[int], wild: int) -> None:
    ordered = sorted(values)
    middle = usual([*values, wild]).middle
    last = len(values) - 1
    assert ordered[max(0, last // 2 - 1)] <= middle <= ordered[min(last, len(values) // 2 + 1)]


@pytest.mark.parametrize("records", [0, 1, 38, 412, 2_000])
def test_distinct_records_are_told_from_their_bits(records: int) -> None:
    chance = random.Random(7)
    bits = {chance.randrange(BITS) for _ in range(records)}
    assert abs(distinct(len(bits)) - records) <= max(1, 0.06 * records)


def test_most_thefts_are_caught_and_hardly_an_honest_day_is_suspected() -> None:
    """A small part of the proof: `make proofs` runs it whole and writes the table."""
    made = company(managers=40, days=200, seed=20260101)
    assert made.false_per_thousand <= 1.5
    found = thefts(made, how_many=80, seed=20260102)
    caught = [one.left_then for one in found if one.left_then is not None]
    assert len(caught) >= 0.9 * len(found)
    assert sorted(caught)[int(0.95 * len(caught))] <= 0.35
