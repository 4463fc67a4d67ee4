"""Which value of each field survives a merge, and that every decision can be told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.model import Record
from service.domain.customers.provenance import restored
from service.domain.merging.errors import BadSurvivorship
from service.domain.merging.model import Candidate, MergeOrder, Rule, Wish, told_value, units, value_of
from service.domain.merging.survivorship import Decision, decide, merged, provenance_of, survivor_of

_DAY = timedelta(days=1)
_START = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def a_candidate(customer_id: UUID, *, day: int = 0, orders: int = 0, **fields: Any) -> Candidate:
    record = Record(**({"family_name": "Иванова"} | fields))
    at = _START + day * _DAY
    return Candidate(customer_id=customer_id, version=1, record=record, created_at=at, updated_at=at, orders=orders)


def decided(
    *candidates: Candidate, rule: Rule = Rule.SURVIVOR, wishes: Mapping[str, Wish] | None = None
) -> Mapping[str, Decision]:
    order = MergeOrder(customer_ids=[one.customer_id for one in candidates], rule=rule, wishes=wishes or {})
    return {one.unit: one for one in decide(candidates, candidates[0], order)}


def test_the_survivor_keeps_what_it_has_and_gets_what_it_lacks() -> None:
    one, two = a_candidate(ONE, given_name="Мария"), a_candidate(TWO, given_name="Маша", patronymic="Петровна")
    found = decided(one, two)
    assert (found["given_name"].value, found["given_name"].taken_from) == ("Мария", ONE)
    assert (found["patronymic"].value, found["patronymic"].taken_from) == ("Петровна", TWO)
    assert (found["given_name"].differs, found["family_name"].differs) == (True, False)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule.SURVIVOR, "Мария"),
        (Rule.NEWEST, "Мария Анна"),
        (Rule.OLDEST, "Маша"),
        (Rule.COMMON, "Маша"),
        (Rule.LONGEST, "Мария Анна"),
    ],
)
def test_a_rule_decides_among_records_that_say_something(rule: Rule, expected: str) -> None:
    one = a_candidate(ONE, day=2, given_name="Мария")
    others = [a_candidate(UUID(int=n), day=n - 10, given_name="Маша") for n in (4, 5)]
    newest = a_candidate(THREE, day=3, given_name="Мария Анна")
    assert decided(one, *others, newest, a_candidate(TWO, day=9), rule=rule)["given_name"].value == expected


def test_what_was_found_right_last_wins_by_the_rule_of_verification() -> None:
    one = a_candidate(ONE, day=5, city="Казань")
    two = replace(a_candidate(TWO, city="Москва"), provenance=[{"v": 1_800_000_000, "f": ["city"]}])
    assert told_value(merged(one, list(decided(one, two, rule=Rule.VERIFIED).values())), "place") == {
        "country": None, "region": None, "city": "Москва", "postal_code": None,
    }  # fmt: skip


def test_lists_are_joined_and_the_status_is_the_furthest_and_the_channel_the_first() -> None:
    one = a_candidate(ONE, day=2, tags=["vip", "чай"], status="archived", channel_id=UUID(int=12))
    two = a_candidate(TWO, day=1, tags=["новая", "чай"], status="lapsed", channel_id=UUID(int=11))
    found = decided(one, two)
    assert (found["tags"].value, found["tags"].taken_from) == (["vip", "чай", "новая"], None)
    assert (found["status"].value, found["channel_id"].value) == ("lapsed", UUID(int=11))


def test_who_has_bought_is_no_prospect_whatever_was_chosen() -> None:
    one, two = a_candidate(ONE, status="customer", orders=1), a_candidate(TWO)
    assert decided(one, two, wishes={"status": Wish(taken_from=TWO)})["status"].value == "customer"


def test_no_address_is_put_together_of_two() -> None:
    one = a_candidate(ONE, city="Казань", country="RU")
    other_city = a_candidate(TWO, city="Москва", postal_code="101000")
    same_city = a_candidate(THREE, city="казань", postal_code="420000")
    record = merged(one, list(decided(one, other_city, same_city).values()))
    assert (record.city, record.postal_code) == ("Казань", "420000")
    record = merged(one, list(decided(one, other_city).values()))
    assert (record.city, record.postal_code) == ("Казань", None)


def test_the_day_of_a_birth_comes_with_what_is_known_of_its_year() -> None:
    one = a_candidate(ONE)
    two = a_candidate(TWO, birth_date=date(1604, 5, 17), birth_year_known=False)
    record = merged(one, list(decided(one, two).values()))
    assert (record.birth_date, record.birth_year_known) == (date(1604, 5, 17), False)


def test_a_choice_may_also_take_a_value_away() -> None:
    one, two = a_candidate(ONE, attributes={"size": "M"}, gender="female"), a_candidate(TWO)
    wishes = {"attributes.size": Wish(taken_from=TWO), "gender": Wish(taken_from=TWO)}
    record = merged(one, list(decided(one, two, wishes=wishes).values()))
    assert (record.attributes, record.gender) == ({}, None)


@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("colour", Wish(rule=Rule.NEWEST)),
        ("city", Wish(rule=Rule.NEWEST)),
        ("given_name", Wish(taken_from=THREE)),
        ("given_name", Wish(rule=Rule.UNION)),
        ("tags", Wish(rule=Rule.FURTHEST)),
    ],
)
def test_a_wish_that_fits_nothing_is_refused_at_its_place(field: str, wish: Wish) -> None:
    with pytest.raises(BadSurvivorship) as refused:
        decided(a_candidate(ONE), a_candidate(TWO), wishes={field: wish})
    assert refused.value.extra["pointer"] == f"/fields/{field}"


def test_who_stays_has_most_orders_then_says_most_then_is_the_oldest() -> None:
    bought, full, old = a_candidate(ONE, orders=2), a_candidate(TWO, city="Казань"), a_candidate(THREE, day=-3)
    assert survivor_of([full, bought, old], None) is bought
    assert survivor_of([full, old], None) is full
    assert survivor_of([a_candidate(TWO), old], None) is old
    assert survivor_of([full, bought, old], THREE) is old
    with pytest.raises(BadSurvivorship):
        survivor_of([full], ONE)


def test_a_value_keeps_where_it_came_from() -> None:
    one = a_candidate(ONE)
    two = replace(a_candidate(TWO, day=1, given_name="Маша", patronymic="Петровна"), import_id=UUID(int=9))
    two = replace(two, provenance=[{"s": "customer", "t": 1_700_000_000, "v": 1_700_000_001, "f": ["patronymic"]}])
    known = restored(provenance_of(one, [one, two], list(decided(one, two).values())).stored())
    assert known.of("patronymic").source == "customer"
    assert known.of("patronymic").verified_at is not None
    assert (known.of("given_name").source, known.of("given_name").set_at) == (f"import {two.import_id}", two.created_at)
    assert known.of("family_name").source is None


_texts = st.sampled_from(["a", "b", None])
_records = st.builds(
    Record,
    family_name=st.just("x"),
    given_name=_texts,
    city=_texts,
    postal_code=_texts,
    tags=st.lists(st.sampled_from("abc"), unique=True, max_size=3),
    attributes=st.dictionaries(st.sampled_from("mn"), st.sampled_from([1, True, "1"]), max_size=2),
    status=st.sampled_from(["prospect", "customer", "lapsed", "archived"]),
)


@given(records=st.lists(_records, min_size=2, max_size=4), rule=st.sampled_from(list(Rule)[:6]))
def test_every_value_comes_from_one_of_the_records(records: list[Record], rule: Rule) -> None:
    candidates = [replace(a_candidate(UUID(int=n + 1), day=n), record=one) for n, one in enumerate(records)]
    order = MergeOrder(customer_ids=[one.customer_id for one in candidates], rule=rule)
    decisions = decide(candidates, candidates[0], order)
    whole = merged(candidates[0], decisions)
    assert [one.unit for one in decisions] == units(records)
    for one in decisions:
        assert value_of(whole, one.unit) == one.value
        if one.taken_from and one.unit != "place":
            holder = next(candidate for candidate in candidates if candidate.customer_id == one.taken_from)
            assert repr(one.value) == repr(value_of(holder.record, one.unit))
    assert set(whole.tags) == {tag for one in records for tag in one.tags}
